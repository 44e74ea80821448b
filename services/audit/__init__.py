"""Audit: puts every record of every topic, once, into a transparency log, and from there into a searchable timeline.

Reads: every partition of every topic that it may see, partners' and parked records and access facts included.
Writes: referrals.access.audit.v1, since whoever reads the timeline is in it.
Answers: Audit (auditors and protection officers).
Keeps: the log, a folder of files (README.md); in the store an index only, which log and topics can make again.
"""
