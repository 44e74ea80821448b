"""One referral's document: its facts by writer, and the state that folding them gives."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1.common_pb2 import Actor
from services.chassis.deciding import Decider
from services.chassis.ids import named

S = TypeVar("S")
EVENTS = uuid.UUID("9b6c7c0e-5d0f-5c53-8f60-0a8a54f5a3c1")
"""Namespace of event ids."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A record for a partner's topic, encrypted before the save and kept until Kafka has acknowledged it."""

    event_id: str
    topic: str
    type: str
    value: bytes


@dataclass(slots=True)
class Document(Generic[S]):
    """A referral as one service keeps it. `revision` is None while nothing is stored."""

    id: str
    state: S
    revision: str | None = None
    facts: dict[str, list[bytes]] = field(default_factory=dict)
    published: int = 0
    """How many of the service's own facts the store knows to be on the topic."""
    copies: list[Copy] = field(default_factory=list)
    event_ids: dict[str, list[str]] = field(default_factory=dict)
    causes: dict[str, list[Any]] = field(default_factory=dict)
    """The service's own facts by what caused them, so that a repeated cause has its first answer."""
    added: dict[str, list[bytes]] = field(default_factory=dict)
    """Facts of this turn, by writer, not yet stored."""
    fresh: list[Any] = field(default_factory=list)
    """The service's own facts of this turn as messages, so that nobody reads their bytes again to publish them."""
    keeps: dict[str, Any] = field(default_factory=dict)
    drops: set[str] = field(default_factory=set)

    @property
    def changed(self) -> bool:
        """True where this turn added facts."""
        return bool(self.added)

    def length(self, writer: str) -> int:
        """The last sequence that is applied from a writer."""
        return len(self.event_ids.get(writer, ()))

    def append(self, decider: Decider[S], writer: str, fact: Any, raw: bytes, state: S) -> None:
        """Take one fact in; `state` is the state after it."""
        self.state = state
        self.facts.setdefault(writer, []).append(raw)
        self.event_ids.setdefault(writer, []).append(fact.header.event_id)
        self.added.setdefault(writer, []).append(raw)
        if writer == decider.writer:
            self.fresh.append(fact)
            self.causes.setdefault(fact.header.cause_id, []).append(fact)


def new(decider: Decider[S], referral_id: str) -> Document[S]:
    """A document without facts."""
    return Document(referral_id, decider.initial())


def fold(decider: Decider[S], stored: Mapping[str, Any]) -> Document[S]:
    """The document as stored, with the state that its facts give.

    Each writer's list is folded in its own order; lists in the order of their names, which must not matter.
    """
    document = new(decider, stored["_id"])
    document.revision = stored["revision"]
    document.published = stored["published"]
    document.copies = [Copy(**copy) for copy in stored.get("copies", ())]
    state = document.state
    for writer in sorted(stored["facts"]):
        own = writer == decider.writer
        fact_type = decider.fact_type if own else decider.upstream_types[writer]
        raws = [bytes(raw) for raw in stored["facts"][writer]]
        document.facts[writer] = raws
        ids = document.event_ids[writer] = []
        for raw in raws:
            fact: Any = fact_type.FromString(raw)
            state = decider.evolve(state, writer, fact)
            ids.append(fact.header.event_id)
            if own:
                document.causes.setdefault(fact.header.cause_id, []).append(fact)
    document.state = state
    return document


def view_of(decider: Decider[S], state: S) -> dict[str, Any]:
    """What the document keeps beside the facts: the decider's fields, and when the first of its clocks runs out."""
    view = decider.view(state)
    clocks = view.get("clocks")
    view["next_clock"] = min(clock["at"] for clock in clocks) if clocks else None
    return view


def stamp(
    facts: Sequence[Any],
    referral_id: str,
    after: int,
    now: datetime,
    actor: Actor,
    cause_id: str,
    hmac: bytes = b"",
) -> list[Any]:
    """Fill the headers of decided facts: sequence from `after`, and the event id that this cause always gives."""
    seen: dict[str, int] = {}
    at = _timestamp(now)
    for number, fact in enumerate(facts, start=after + 1):
        kind = fact.WhichOneof("fact")
        step = f"{kind}/{getattr(fact, kind).leg_id if _is_of_a_leg(fact.DESCRIPTOR, kind) else ''}"
        seen[step] = seen.get(step, 0) + 1
        header = fact.header
        header.event_id = event_id(referral_id, cause_id, f"{step}/{seen[step]}")
        header.referral_id = referral_id
        header.sequence = number
        header.occurred_at.CopyFrom(at)
        if not header.HasField("actor"):
            header.actor.CopyFrom(actor)
        header.cause_id = cause_id
        header.request_hmac = hmac
    return list(facts)


@lru_cache(maxsize=8)
def _timestamp(now: datetime) -> Timestamp:
    """The time of a turn, which all its facts share; nobody changes it."""
    at = Timestamp()
    at.FromDatetime(now)
    return at


@lru_cache(maxsize=256)
def _is_of_a_leg(descriptor: Any, kind: str) -> bool:
    return "leg_id" in descriptor.fields_by_name[kind].message_type.fields_by_name


def event_id(referral_id: str, cause_id: str, step: str) -> str:
    """UUIDv5: the same cause and step of a referral give the same id, however often they are decided."""
    return named(EVENTS, f"{referral_id}/{cause_id}/{step}")


def serialized(fact: Message) -> bytes:
    """The bytes of a fact, the same for the same content."""
    return fact.SerializeToString(deterministic=True)
