"""Partner-routing: each partner that must know is offered its leg, with what its agreement allows, until all is told.

Reads: referrals.intake.v1, referrals.triage.v1 and every partner.<id>.replies.v1.
Writes: referrals.routing.v1 and, encrypted to each partner, partner.<id>.v1.
Answers: PartnerInbox (partners without Kafka), Routing (raisers, the desk), Procedures (stages and case conferences),
Insight (figures), ParkedRecords (operators).
Keeps: one document a referral: its facts, the clocks that run, and copies until Kafka has acknowledged them.
"""
