"""Intake: a concern comes in, its personal parts are sealed, and it becomes a referral.

Reads: referrals.triage.v1, to tell raisers where their referral stands and what triage asks them.
Writes: referrals.intake.v1 (raised, amended, information supplied, withdrawn, erased).
Answers: Intake (raisers), Keys (our services), Watched (audit), Protection, Equality, ParkedRecords (operators).
Keeps: one document a referral: its facts, and, nowhere else, the wrapped data keys; apart from these, sealed and under
ids that tell no referral, the answers to optional equality questions, which no topic has either.
"""
