"""Intake: a concern comes in, its personal parts are sealed, and it becomes a referral.

Reads: referrals.triage.v1, to tell raisers where their referral stands and what triage asks them.
Writes: referrals.intake.v1 (raised, amended, information supplied, withdrawn, erased).
Answers: Intake (raisers), Keys (our services), Watched (audit), Protection, ParkedRecords (operators).
Keeps: one document a referral: its facts, and, nowhere else, the wrapped data keys.
"""
