"""Triage: grades every referral and decides who must know."""
