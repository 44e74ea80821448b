"""One referral's document: its facts by writer, and the state that folding them gives."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1.common_pb2 import Actor
from services.chassis.deciding import Decider
from services.chassis.ids import naming

S = TypeVar("S")
EVENTS = uuid.UUID("9b6c7c0e-5d0f-5c53-8f60-0a8a54f5a3c1")
"""Namespace of event ids."""
_event_named = naming(EVENTS)
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Copy:
    """A record for a partner's topic, encrypted before the save and kept until Kafka has acknowledged it."""

    event_id: str
    topic: str
    type: str
    value: bytes


class Document(Generic[S]):
    """A referral as one service keeps it. `revision` is None while nothing is stored.

    Most live for one turn and hold two facts, so that what is seldom asked for is looked up then, not kept beside.
    """

    __slots__ = (
        "changed", "copies", "drops", "event_ids", "facts", "id", "keeps", "own", "published", "revision", "state",
        "stored",
    )  # fmt: skip

    def __init__(self, id: str, state: S, revision: str | None = None) -> None:
        self.id = id
        self.state = state
        self.revision = revision
        self.facts: dict[str, list[bytes]] = {}
        self.event_ids: dict[str, list[str]] = {}
        self.own: list[Any] = []
        """The service's own facts as messages, so that nobody reads their bytes again."""
        self.stored: Mapping[str, int] = NOTHING
        """How many facts of each writer the store has."""
        self.changed = False
        """True where this turn added facts."""
        self.published = 0
        """How many of the service's own facts the store knows to be on the topic."""
        self.copies: Sequence[Copy] = ()
        self.keeps: Mapping[str, Any] = NOTHING
        self.drops: Collection[str] = ()

    @property
    def added(self) -> dict[str, list[bytes]]:
        """Facts of this turn, by writer, not yet stored."""
        if not self.stored:
            return self.facts
        added = {writer: raws[self.stored.get(writer, 0) :] for writer, raws in self.facts.items()}
        return {writer: raws for writer, raws in added.items() if raws}

    def length(self, writer: str) -> int:
        """The last sequence that is applied from a writer."""
        return len(self.facts.get(writer, ()))

    def caused_by(self, cause_id: str) -> list[Any]:
        """The service's own facts of one cause, so that a repeated cause has its first answer."""
        return [fact for fact in self.own if fact.header.cause_id == cause_id]

    def append(self, writer: str, event_id: str, raw: bytes, state: S) -> None:
        """Take in one fact of another writer; `state` is the state after it."""
        self.state = state
        self.changed = True
        facts = self.facts.get(writer)
        if facts is None:
            self.facts[writer] = [raw]
            self.event_ids[writer] = [event_id]
        else:
            facts.append(raw)
            self.event_ids[writer].append(event_id)

    def append_own(self, writer: str, fact: Any, raw: bytes, state: S) -> None:
        """Take in one fact of the service itself."""
        self.own.append(fact)
        self.append(writer, fact.header.event_id, raw, state)

    def settled(self) -> None:
        """All of it is stored, and what is the service's own is acknowledged: it is as if it had just been loaded."""
        self.stored = {writer: len(raws) for writer, raws in self.facts.items()}
        self.changed = False
        self.published = len(self.own)
        self.copies, self.keeps, self.drops = (), NOTHING, ()


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
                document.own.append(fact)
    document.state = state
    document.stored = {writer: len(raws) for writer, raws in document.facts.items()}
    return document


def state_of(decider: Decider[S], facts: Mapping[str, Sequence[bytes]]) -> S:
    """The state alone, as `fold` makes it."""
    state, evolve = decider.initial(), decider.evolve
    for writer in sorted(facts):
        parse = (decider.fact_type if writer == decider.writer else decider.upstream_types[writer]).FromString
        for raw in facts[writer]:
            state = evolve(state, writer, parse(raw))
    return state


def view_of(decider: Decider[S], state: S) -> dict[str, Any]:
    """What the document keeps beside the facts: the decider's fields, and when the first of its clocks runs out.

    To the millisecond, as a store keeps it, and never before its time: when it runs out, the decider finds it over.
    """
    view = decider.view(state)
    clocks = view.get("clocks")
    if clocks:
        view["clocks"] = clocks = [{**clock, "at": _next_millisecond(clock["at"])} for clock in clocks]
    view["next_clock"] = min(clock["at"] for clock in clocks) if clocks else None
    return view


def _next_millisecond(at: datetime) -> datetime:
    beyond = at.microsecond % 1_000
    return at + timedelta(microseconds=1_000 - beyond) if beyond else at


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
    return _event_named(f"{referral_id}/{cause_id}/{step}")


def serialized(fact: Message) -> bytes:
    """The bytes of a fact, the same for the same content."""
    return fact.SerializeToString(deterministic=True)
