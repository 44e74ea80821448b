"""Audit: puts every record of every topic, once, into one searchable timeline.

Reads: every partition of every topic that it may see, partners' and parked records and access facts included.
Writes: referrals.access.audit.v1, since whoever reads the timeline is in it.
Answers: Audit (auditors and protection officers).
Keeps: an index only, which the topics can make again: entries, what lies under each referral, and positions.
"""
