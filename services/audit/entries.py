"""A record becomes an entry of the timeline: what can be said of it without its content. Pure; never raises."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from safeguarding.v1.access_pb2 import ACCESS_KIND_DISCLOSED
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.partner_pb2 import PartnerRecord
from safeguarding.v1.routing_pb2 import InformationPassed, Offered
from services.audit.describing import Unreadable, describe, in_range, place_of, referral_in
from services.audit.log.leaf import Leaf
from services.audit.operations import operation_of
from services.chassis.identity import ROLE_NAMES, ROLES
from services.chassis.kafka_in.chunk import Record

UNREADABLE = "unreadable"
"""The type of a record that is not what its topic carries."""
DISCLOSURES = frozenset(kind.DESCRIPTOR.full_name for kind in (Offered, InformationPassed, PartnerRecord))
"""Types of records by which a partner is given something."""


class Entry(NamedTuple):
    """What the index keeps of one record."""

    timeline: TimelineEntry
    referrals: tuple[str, ...]
    """Every referral under which it is found; an access fact may touch many."""
    at: int
    """When it happened, else when the broker got it: microseconds since 1970, UTC."""

    @property
    def disclosed(self) -> bool:
        """Whether it tells that a partner was given something."""
        return self.timeline.type in DISCLOSURES or self.timeline.look == ACCESS_KIND_DISCLOSED


def entry_of(record: Record) -> Entry:
    """The entry of any record, also of one that nobody can read."""
    place = place_of(record.topic)
    timeline = TimelineEntry(partner_id=place.partner_id)
    referrals: tuple[str, ...] = ()
    try:
        referrals = describe(timeline, record, place)
        timeline.operation = operation_of(timeline.type, timeline.look)
    except Unreadable:
        # The key alone still says where to look for it.
        timeline = TimelineEntry(partner_id=place.partner_id, type=UNREADABLE, referral_id=referral_in(record.key))
    timeline.topic = record.topic
    timeline.partition = record.partition
    timeline.offset = record.offset
    timeline.sha256 = fingerprint(record)
    seconds, milliseconds = divmod(record.timestamp_ms, 1_000)
    if in_range(seconds):  # a partner's own clock may say anything
        timeline.record_time.seconds = seconds
        timeline.record_time.nanos = milliseconds * 1_000_000
    own = (timeline.referral_id,) if timeline.referral_id else ()
    when = timeline.occurred_at if timeline.HasField("occurred_at") else timeline.record_time
    return Entry(timeline, tuple(dict.fromkeys((*own, *referrals))), when.ToMicroseconds())


def entry_of_leaf(leaf: Leaf) -> Entry:
    """What the log alone says of a record that its topic no longer keeps."""
    timeline = TimelineEntry(
        topic=leaf.topic,
        partition=leaf.partition,
        offset=leaf.offset,
        event_id=leaf.event_id,
        type=leaf.type,
        referral_id=leaf.referral_id,
        partner_id=place_of(leaf.topic).partner_id,
        sha256=leaf.sha256,
    )
    if in_range(leaf.time // 1_000):
        timeline.record_time.FromMilliseconds(leaf.time)
    timeline.operation = operation_of(leaf.type, 0)
    role, _, actor_id = leaf.actor.partition("/")
    if actor_id:
        timeline.actor.CopyFrom(Actor(role=ROLES[role], id=actor_id))
    own = (leaf.referral_id,) if leaf.referral_id else ()
    return Entry(timeline, own, timeline.record_time.ToMicroseconds())


def leaf_of(record: Record, entry: Entry, topic_id: str) -> Leaf:
    """The leaf of a record: what its entry says, in the log's own form."""
    said = entry.timeline
    role = ROLE_NAMES.get(said.actor.role, "")
    return Leaf(
        topic=record.topic,
        topic_id=topic_id,
        partition=record.partition,
        offset=record.offset,
        time=record.timestamp_ms,
        sha256=said.sha256,
        event_id=said.event_id,
        type=said.type,
        referral_id=said.referral_id,
        actor=f"{role}/{said.actor.id}" if role and said.actor.id else "",
    )


def fingerprint(record: Record) -> bytes:
    """SHA-256 of key, headers and value as stored.

    Hashed are, in this order: the key; the number of headers (8 bytes, big-endian); each header's name, then its
    value; the value. Each of these is one byte, 0 for null or 1, and after 1 the length (8 bytes, big-endian) and
    the bytes: so no two records have the same input.
    """
    hashed = hashlib.sha256(_framed(record.key))
    hashed.update(len(record.headers).to_bytes(8, "big"))
    for name, value in record.headers:
        hashed.update(_framed(name.encode("utf-8", "surrogateescape")))
        hashed.update(_framed(value))
    hashed.update(_framed(record.value))
    return hashed.digest()


def _framed(part: bytes | None) -> bytes:
    return b"\0" if part is None else b"\1" + len(part).to_bytes(8, "big") + part
