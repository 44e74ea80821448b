"""Triage's decider, a file for each question: where a referral stands, what rules make of it, what the desk decides."""

from services.triage.domain.decider import INTAKE, ROUTING, TRIAGE, TriageDecider
from services.triage.domain.state import State

__all__ = ["INTAKE", "ROUTING", "TRIAGE", "State", "TriageDecider"]
