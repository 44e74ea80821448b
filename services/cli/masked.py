"""A record of any topic as an operator may see it: decoded, personal fields marked, what is sealed shown as sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from safeguarding.v1.access_control_pb2 import Role
from safeguarding.v1.access_pb2 import AccessFact
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.parked_pb2 import ParkedRecord
from safeguarding.v1.partner_pb2 import PartnerRecord, Reply
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics
from services.audit.entries import Entry, entry_of
from services.chassis.kafka_in.chunk import Record
from services.chassis.redactor import redacted
from services.cli import showing

SEALED = "[sealed]"
MESSAGES: Mapping[str, type[Message]] = {
    kind.DESCRIPTOR.name: kind
    for kind in (IntakeFact, TriageFact, RoutingFact, AccessFact, ParkedRecord, PartnerRecord, Reply)
}
# Said by the entry already; what a partner may fill as it likes; a parked record's own bytes.
_LEFT_OUT = frozenset({"header", "event_id", "referral_id", "reply_id", "key", "value", "headers"})
_SEALED_FIELDS = frozenset({"sealed_copy", "sealed_note"})
_validator = protovalidate.Validator()


def shown(record: Record) -> dict[str, Any]:
    """The record as JSON can hold it; one that is not what its topic carries has no content."""
    return {**_place(entry_of(record)), "content": _content(record)}


def line(record: Record) -> str:
    """The record on one line."""
    found = shown(record)
    by = f" by {found['by']}" if found["by"] else ""
    about = found["referral_id"] or "no referral"
    what = " ".join(_pairs(found["content"]))
    return f"{found['at']} {found['where']} {found['type']} {about}{by} {what}".rstrip()


def _place(entry: Entry) -> dict[str, Any]:
    said = entry.timeline
    by = f"{showing.enum_word(Role.DESCRIPTOR, said.actor.role)}/{said.actor.id}" if said.actor.id else ""
    at = said.occurred_at if said.HasField("occurred_at") else said.record_time
    return {
        "at": at.ToJsonString(),
        "topic": said.topic,
        "where": f"{said.topic}/{said.partition}/{said.offset}",
        "type": said.type.rpartition(".")[2],
        "referral_id": said.referral_id,
        "event_id": said.event_id,
        "by": by,
    }


def _content(record: Record) -> Any:
    kind = MESSAGES.get(_carried(record.topic))
    if kind is None or record.value is None:
        return {}
    message = kind()
    try:
        message.ParseFromString(record.value)
    except DecodeError:
        return {}
    if _validator.collect_violations(message):
        return {}
    return _masked(redacted(message))


def _carried(topic: str) -> str:
    known = next((found.carries for found in topics.TOPICS if found.name == topic), None)
    if known is not None:
        return known
    try:
        of_partner = topics.partner_topics(topic.split(".")[1])
    except (IndexError, ValueError):
        return ""
    return next((found.carries for found in of_partner if found.name == topic), "")


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        if "ciphertext" in value and "nonce" in value:
            return SEALED
        kept = {name: inner for name, inner in value.items() if name not in _LEFT_OUT}
        return {name: SEALED if name in _SEALED_FIELDS else _masked(inner) for name, inner in kept.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


def _pairs(value: Any, path: str = "") -> list[str]:
    """`path=value` of all that is inside, so that a whole fact stands on a line."""
    if isinstance(value, dict):
        return [
            pair for name, inner in value.items() for pair in _pairs(inner, f"{path}.{name}" if path else str(name))
        ] or ([path] if path else [])
    if isinstance(value, list):
        return [pair for number, inner in enumerate(value) for pair in _pairs(inner, f"{path}[{number}]")]
    return [f"{path}={value}"]
