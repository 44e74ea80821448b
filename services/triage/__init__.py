"""Triage: every referral is graded by rules that are data, and the right partners are asked for.

Reads: referrals.intake.v1, and from referrals.routing.v1 what came back and what was closed.
Writes: referrals.triage.v1 (graded, information requested, routed, no further action, linked, …).
Answers: Triage (the desk), ParkedRecords (operators).
Keeps: one document a referral: its facts, and the few fields that the worklist needs; beside them, in
`links`, which referrals share a match key, hashed twice.
"""
