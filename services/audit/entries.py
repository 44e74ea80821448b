"""A record becomes an entry of the timeline: what can be said of it without its content. Pure; never raises."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1.access_control_pb2 import ROLE_OPERATOR, ROLE_PARTNER, ROLE_SERVICE
from safeguarding.v1.access_pb2 import AccessFact
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.common_pb2 import Actor, FactHeader
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.parked_pb2 import ParkedRecord
from safeguarding.v1.partner_pb2 import PartnerRecord, Reply
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics
from services.audit.log.leaf import Leaf
from services.chassis.identity import ROLE_NAMES, ROLES
from services.chassis.kafka_in.chunk import Record
from services.chassis.times import FIRST_SECOND, LAST_SECOND, is_time

UNREADABLE = "unreadable"
"""The type of a record that is not what its topic carries."""
_PARTNER_TOPIC = re.compile(r"partner\.(?P<partner>[a-z0-9-]+)(?P<replies>\.replies)?\.v1")
# A partner chooses its replies' ids, and a name must not come in by them.
_EVENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_ACTOR_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_LONGEST_REASON = 60


class _Unreadable(Exception):
    """The value is not what its topic carries."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index keeps of one record."""

    timeline: TimelineEntry
    referrals: tuple[str, ...]
    """Every referral under which it is found; an access fact may touch many."""
    at: int
    """When it happened, else when the broker got it: microseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What a topic's name alone says of its records."""

    carries: str
    writer: Actor
    partner_id: str = ""


def entry_of(record: Record) -> Entry:
    """The entry of any record, also of one that nobody can read."""
    place = _place(record.topic)
    timeline = TimelineEntry(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        partner_id=place.partner_id,
        sha256=fingerprint(record),
    )
    if _in_range(record.timestamp_ms // 1_000):  # a partner's own clock may say anything
        timeline.record_time.FromMilliseconds(record.timestamp_ms)
    referrals: tuple[str, ...] = ()
    said = TimelineEntry()
    try:
        referrals = _describe(said, record, place)
        timeline.MergeFrom(said)
    except (DecodeError, _Unreadable):
        timeline.type = UNREADABLE
        # The key alone still says where to look for it.
        timeline.referral_id = _referral(_text(record.key))
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
        partner_id=_place(leaf.topic).partner_id,
        sha256=leaf.sha256,
    )
    if _in_range(leaf.time // 1_000):
        timeline.record_time.FromMilliseconds(leaf.time)
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


@lru_cache(maxsize=4_096)
def _place(topic: str) -> _Place:
    known = next((found for found in topics.TOPICS if found.name == topic), None)
    if known is not None:
        return _Place(known.carries, Actor(role=ROLE_SERVICE, id=known.writer))
    parts = _PARTNER_TOPIC.fullmatch(topic)
    if parts is None:
        return _Place("", Actor())
    partner = parts["partner"]
    try:
        copies, replies = topics.partner_topics(partner)
    except ValueError:  # no id that a partner can have
        return _Place("", Actor())
    if parts["replies"]:
        return _Place(replies.carries, Actor(role=ROLE_PARTNER, id=partner), partner)
    return _Place(copies.carries, Actor(role=ROLE_SERVICE, id=copies.writer), partner)


def _describe(said: TimelineEntry, record: Record, place: _Place) -> tuple[str, ...]:
    """Fill in what the value says; give the further referrals that it touches."""
    reads = _READERS.get(place.carries)
    if reads is None or record.value is None:
        raise _Unreadable
    return reads(said, record, place)


def _fact(kind: type[Message]) -> Callable[[TimelineEntry, Record, _Place], tuple[str, ...]]:
    def describe(said: TimelineEntry, record: Record, _: _Place) -> tuple[str, ...]:
        fact = kind.FromString(record.value or b"")
        content = _chosen(fact, "fact")
        _header(said, fact.header)  # type: ignore[attr-defined]  # every writer's facts have one
        said.type = content.DESCRIPTOR.full_name
        if said.actor.role == ROLE_PARTNER:
            said.partner_id = said.actor.id
        if "partner_id" in content.DESCRIPTOR.fields_by_name:
            said.partner_id = _actor_id(content.partner_id)  # type: ignore[attr-defined]  # as its descriptor says
        return ()

    return describe


def _access(said: TimelineEntry, record: Record, _: _Place) -> tuple[str, ...]:
    fact = AccessFact.FromString(record.value or b"")
    _header(said, fact.header)
    said.type = AccessFact.DESCRIPTOR.full_name
    said.reason = fact.reason[:_LONGEST_REASON]
    if fact.header.referral_id == fact.header.cause_id:  # about a search, which is no referral
        said.referral_id = ""
    if said.actor.role == ROLE_PARTNER:
        said.partner_id = said.actor.id
    return tuple(found for found in map(_referral, fact.referral_ids) if found)


def _parked(said: TimelineEntry, record: Record, place: _Place) -> tuple[str, ...]:
    content = _chosen(ParkedRecord.FromString(record.value or b""), "record")
    said.type = content.DESCRIPTOR.full_name
    said.referral_id = _referral(_text(record.key))
    said.actor.CopyFrom(place.writer)
    by = _actor_id(getattr(content, "by", ""))
    if by and by != place.writer.id:
        said.actor.CopyFrom(Actor(role=ROLE_OPERATOR, id=by))
    parked_at = getattr(content, "parked_at", None)
    if parked_at is not None:
        said.occurred_at.CopyFrom(_time(parked_at))
    return ()


def _copy(said: TimelineEntry, record: Record, place: _Place) -> tuple[str, ...]:
    copy = PartnerRecord.FromString(record.value or b"")
    said.event_id = _required(_event_id(copy.event_id))
    said.type = PartnerRecord.DESCRIPTOR.full_name
    said.referral_id = _referral(copy.referral_id)
    said.actor.CopyFrom(place.writer)
    return ()


def _reply(said: TimelineEntry, record: Record, place: _Place) -> tuple[str, ...]:
    reply = Reply.FromString(record.value or b"")
    said.type = _chosen(reply, "step").DESCRIPTOR.full_name
    said.event_id = _event_id(reply.reply_id)
    said.referral_id = _referral(reply.referral_id)
    said.actor.CopyFrom(place.writer)
    return ()


_READERS: Mapping[str, Callable[[TimelineEntry, Record, _Place], tuple[str, ...]]] = {
    "IntakeFact": _fact(IntakeFact),
    "TriageFact": _fact(TriageFact),
    "RoutingFact": _fact(RoutingFact),
    "AccessFact": _access,
    "ParkedRecord": _parked,
    "PartnerRecord": _copy,
    "Reply": _reply,
}
"""How what a topic carries is read."""


def _header(said: TimelineEntry, header: FactHeader) -> None:
    said.event_id = _required(_event_id(header.event_id))
    said.referral_id = _required(_referral(header.referral_id))
    said.occurred_at.CopyFrom(_time(header.occurred_at))
    if _actor_id(header.actor.id):
        said.actor.CopyFrom(header.actor)
        said.actor.kind = header.actor.kind[:_LONGEST_REASON]


def _chosen(message: Message, oneof: str) -> Message:
    """What the oneof holds. A record of another type mostly parses, but holds nothing there."""
    name = message.WhichOneof(oneof)
    if name is None:
        raise _Unreadable
    chosen: Message = getattr(message, name)
    return chosen


def _required(text: str) -> str:
    if not text:
        raise _Unreadable
    return text


def _time(time: Timestamp) -> Timestamp:
    if not is_time(time):
        raise _Unreadable
    return time


def _in_range(seconds: int) -> bool:
    return FIRST_SECOND <= seconds <= LAST_SECOND


def _event_id(text: str) -> str:
    return text if _EVENT_ID.fullmatch(text) else ""


def _actor_id(text: str) -> str:
    return text if _ACTOR_ID.fullmatch(text) else ""


def _referral(text: str) -> str:
    """The referral id as all write it; nothing where it is none."""
    if len(text) != 36:
        return ""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def _text(key: bytes | None) -> str:
    return key.decode("ascii", "replace") if key else ""
