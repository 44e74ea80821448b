"""Intake's decider: what raisers say of a referral, and what data-protection officers decide about it."""

from services.intake.domain.decider import INTAKE, MOST_FACTS, TRIAGE, IntakeDecider, Stand, State

__all__ = ["INTAKE", "MOST_FACTS", "TRIAGE", "IntakeDecider", "Stand", "State"]
