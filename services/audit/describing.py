"""What a record's value says, without its content: of each kind of record another reading. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1.access_control_pb2 import ROLE_OPERATOR, ROLE_PARTNER, ROLE_SERVICE
from safeguarding.v1.access_pb2 import ACCESS_KIND_FLAGGED, AccessFact, AccessKind, Anomaly
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.common_pb2 import Actor, FactHeader, FieldGroup, LawfulBasis
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.parked_pb2 import ParkedRecord
from safeguarding.v1.partner_pb2 import Audience, PartnerRecord, Reply
from safeguarding.v1.routing_pb2 import Offered, OutcomeTold, RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics
from services.audit.operations import reason_of
from services.audit.unconfirmed import unconfirmed_in
from services.chassis.kafka_in.chunk import Record
from services.chassis.times import FIRST_SECOND, LAST_SECOND, is_time

# A partner chooses its replies' ids, and a name must not come in by them.
_EVENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_AS_ALL_WRITE_IT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CODE = re.compile(r"[a-z0-9_]{1,60}")
_ACTOR_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_LONGEST_REASON = 60


class Unreadable(Exception):
    """The value is not what its topic carries."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a topic's name alone says of its records."""

    carries: str
    writer: Actor
    partner_id: str = ""


@lru_cache(maxsize=4_096)
def place_of(topic: str) -> Place:
    """What the name says; nothing of a topic that is none of ours."""
    known = next((found for found in topics.TOPICS if found.name == topic), None)
    if known is not None:
        return Place(known.carries, Actor(role=ROLE_SERVICE, id=known.writer))
    partner = topics.partner_of(topic)
    if not partner:
        return Place("", Actor())
    try:
        copies, replies = topics.partner_topics(partner)
    except ValueError:  # no id that a partner can have
        return Place("", Actor())
    if topic == replies.name:
        return Place(replies.carries, Actor(role=ROLE_PARTNER, id=partner), partner)
    return Place(copies.carries, Actor(role=ROLE_SERVICE, id=copies.writer), partner)


def describe(said: TimelineEntry, record: Record, place: Place) -> tuple[str, ...]:
    """Fill in what the value says; give the further referrals that it touches. Raises Unreadable."""
    reads = _READERS.get(place.carries)
    if reads is None or record.value is None:
        raise Unreadable
    try:
        return reads(said, record, place)
    except DecodeError:
        raise Unreadable from None


def _fact(kind: type[Message]) -> Callable[[TimelineEntry, Record, Place], tuple[str, ...]]:
    def read(said: TimelineEntry, record: Record, _: Place) -> tuple[str, ...]:
        fact = kind.FromString(record.value or b"")
        content = _chosen(fact, "fact")
        _header(said, fact.header)  # type: ignore[attr-defined]  # every writer's facts have one
        said.type = content.DESCRIPTOR.full_name
        if said.actor.role == ROLE_PARTNER:
            said.partner_id = said.actor.id
        fields = content.DESCRIPTOR.fields_by_name
        if "partner_id" in fields:
            said.partner_id = _actor_id(content.partner_id)  # type: ignore[attr-defined]  # as its descriptor says
        if "leg_id" in fields:
            said.leg_id = _referral(content.leg_id)  # type: ignore[attr-defined]  # as its descriptor says
        said.reason = reason_of(content)[:_LONGEST_REASON]
        said.unconfirmed.extend(_code(found) for found in unconfirmed_in(content))
        if isinstance(content, Offered):
            _offer(said, content)
        if isinstance(content, OutcomeTold) and content.audience in Audience.values():
            said.audience = content.audience
        # What joins two referrals lies under both.
        other = _referral(content.other_referral_id) if "other_referral_id" in fields else ""  # type: ignore[attr-defined]
        return (other,) if other else ()

    return read


def _offer(said: TimelineEntry, offered: Offered) -> None:
    if offered.basis in LawfulBasis.values():
        said.basis = offered.basis
    said.purpose = _code(offered.purpose)
    said.agreement = offered.agreement[:_LONGEST_REASON]
    said.without_consent = _code(offered.without_consent.id)
    said.groups.extend(_groups(given.group for given in offered.given))


def _access(said: TimelineEntry, record: Record, _: Place) -> tuple[str, ...]:
    fact = AccessFact.FromString(record.value or b"")
    _header(said, fact.header)
    said.type = AccessFact.DESCRIPTOR.full_name
    said.reason = fact.reason[:_LONGEST_REASON]
    said.method = fact.method[:_LONGEST_REASON]
    said.leg_id = _referral(fact.leg_id)
    said.groups.extend(_groups(fact.groups))
    if fact.kind in AccessKind.values():
        said.look = fact.kind
    if fact.kind == ACCESS_KIND_FLAGGED and fact.anomaly in Anomaly.values():
        said.anomaly = fact.anomaly
        said.cause_id = _event_id(fact.header.cause_id)
        if _actor_id(fact.looker.id):
            said.looker.CopyFrom(Actor(role=fact.looker.role, id=fact.looker.id))
    if fact.header.referral_id == fact.header.cause_id:  # about a search, which is no referral
        said.referral_id = ""
    if said.actor.role == ROLE_PARTNER:
        said.partner_id = said.actor.id
    return tuple(found for found in map(_referral, fact.referral_ids) if found)


def _parked(said: TimelineEntry, record: Record, place: Place) -> tuple[str, ...]:
    content = _chosen(ParkedRecord.FromString(record.value or b""), "record")
    said.type = content.DESCRIPTOR.full_name
    said.referral_id = referral_in(record.key)
    said.actor.CopyFrom(place.writer)
    by = _actor_id(getattr(content, "by", ""))
    if by and by != place.writer.id:
        said.actor.CopyFrom(Actor(role=ROLE_OPERATOR, id=by))
    parked_at = getattr(content, "parked_at", None)
    if parked_at is not None:
        said.occurred_at.CopyFrom(_time(parked_at))
    return ()


def _copy(said: TimelineEntry, record: Record, place: Place) -> tuple[str, ...]:
    copy = PartnerRecord.FromString(record.value or b"")
    said.event_id = _required(_event_id(copy.event_id))
    said.type = PartnerRecord.DESCRIPTOR.full_name
    said.reason = reason_of(copy)
    said.referral_id = _referral(copy.referral_id)
    said.leg_id = _referral(copy.leg_id)
    said.actor.CopyFrom(place.writer)
    return ()


def _reply(said: TimelineEntry, record: Record, place: Place) -> tuple[str, ...]:
    reply = Reply.FromString(record.value or b"")
    said.type = _chosen(reply, "step").DESCRIPTOR.full_name
    said.event_id = _event_id(reply.reply_id)
    said.referral_id = _referral(reply.referral_id)
    said.leg_id = _referral(reply.leg_id)
    said.actor.CopyFrom(place.writer)
    return ()


_READERS: Mapping[str, Callable[[TimelineEntry, Record, Place], tuple[str, ...]]] = {
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
        raise Unreadable
    chosen: Message = getattr(message, name)
    return chosen


def _required(text: str) -> str:
    if not text:
        raise Unreadable
    return text


def _time(time: Timestamp) -> Timestamp:
    if not is_time(time):
        raise Unreadable
    return time


def in_range(seconds: int) -> bool:
    """Whether a Timestamp can hold it."""
    return FIRST_SECOND <= seconds <= LAST_SECOND


def _groups(found: Iterable[int]) -> list[FieldGroup.ValueType]:
    wanted = set(found)
    return [group for group in FieldGroup.values() if group and group in wanted]


def _code(text: str) -> str:
    return text if _CODE.fullmatch(text) else ""


def _event_id(text: str) -> str:
    return text if _EVENT_ID.fullmatch(text) else ""


def _actor_id(text: str) -> str:
    return text if _ACTOR_ID.fullmatch(text) else ""


def _referral(text: str) -> str:
    """The referral id as all write it; nothing where it is none."""
    if _AS_ALL_WRITE_IT.fullmatch(text):
        return text
    if len(text) != 36:
        return ""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def referral_in(key: bytes | None) -> str:
    """The referral that a record's key names; nothing where it names none."""
    return _referral(_text(key))


def _text(key: bytes | None) -> str:
    return key.decode("ascii", "replace") if key else ""
