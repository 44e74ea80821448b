"""The decider's side of the engine: the few pure types that a domain may import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from google.protobuf.message import Message

from safeguarding.v1.common_pb2 import Actor


class Why(Enum):
    """Why an input is refused; each value has one gRPC status (see errors.py)."""

    INVALID = "invalid"
    """A field is wrong, whatever the state."""
    UNKNOWN = "unknown"
    """No such object, or not one of the caller's: the two are never told apart."""
    STALE = "stale"
    """The caller decided on an older state than the current one."""
    CONFLICT = "conflict"
    """The same key came with another body."""
    ILLEGAL = "illegal"
    """Not a legal move from the present state."""
    FORBIDDEN = "forbidden"
    """The role may call, but this object or this move needs another."""


class Refused(Exception):
    """A decider's no: what was wrong and what would be right. Nothing changes, and nothing personal is in it."""

    def __init__(self, why: Why, wrong: str, right: str, *, field: str = "", legal: Sequence[str] = ()) -> None:
        super().__init__(wrong)
        self.why = why
        self.wrong = wrong
        self.right = right
        self.field = field
        """Path of the wrong field in the request, where it is one field's fault."""
        self.legal = tuple(legal)
        """The moves that are legal now, for ILLEGAL."""


@dataclass(frozen=True, slots=True)
class Command:
    """A request by someone, which may be refused.

    `cause_id` is the caller's idempotency key bound to the caller, so that no one can repeat another's.
    """

    referral_id: str
    cause_id: str
    actor: Actor
    body: Message
    request_hmac: bytes
    seen_sequence: int | None = None
    """The last sequence of this service's facts that the caller saw; None where the command needs none."""
    sealed: Any = None
    """What the service's api made of the personal parts of the request before anything else saw them."""
    keeps: Mapping[str, Any] = field(default_factory=dict)
    """Fields saved in the document in the same save, by dotted path; only intake's wrapped keys."""
    drops: Sequence[str] = ()
    """Fields taken out of the document in the same save; only intake's wrapped keys, where a subject is erased."""
    creates: bool = False
    """True where the command may be the referral's first input, so that no document need be read."""


class Upstream(NamedTuple):
    """A fact of another service, now part of the state; the decider says what follows from it."""

    referral_id: str
    cause_id: str
    actor: Actor
    writer: str
    fact: Message
    sequence: int = 0
    """Its place among the writer's facts of the referral, from 1."""


@dataclass(frozen=True, slots=True)
class PartnerReply:
    """A partner's record on its replies topic; `reply` is None where it could not be read."""

    referral_id: str
    cause_id: str
    actor: Actor
    partner_id: str
    reply: Any
    wrong: str = ""
    """A code of what was wrong with the record itself, such as unreadable or wrong_key."""
    note: Any = None
    """The personal part, opened; gather.py seals it again before anything is decided."""


@dataclass(frozen=True, slots=True)
class ClockRanOut:
    """A deadline passed; the decider checks that it still matters."""

    referral_id: str
    cause_id: str
    actor: Actor
    clock: str
    at: datetime


Input = Command | Upstream | PartnerReply | ClockRanOut


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may depend on beyond the state: the time, the area's rules and what gather.py read."""

    now: datetime
    rules: Any
    gathered: Mapping[str, Any]
    service: Actor = field(default_factory=Actor)
    """The deciding service itself: the actor of what follows by rule and not by anybody's act."""


S = TypeVar("S")


class Decider(Protocol, Generic[S]):
    """A service's whole judgement, without I/O, clock or randomness (Chassaing's pattern)."""

    writer: str
    """This service's id; the key of its own facts in the document."""
    fact_type: type[Message]
    """The message that this service publishes."""
    upstream_types: Mapping[str, type[Message]]
    """The messages that it reads, by writer."""
    opened_by: str
    """The writer whose first fact of a referral is mostly the first input; empty where only commands open one."""

    def initial(self) -> S:
        """The state before any fact."""
        ...

    def evolve(self, state: S, writer: str, fact: Message) -> S:
        """The state after one fact. Facts of different writers touch different parts, so their order is free."""
        ...

    def decide(self, state: S, given: Input, context: Context) -> Sequence[Message]:
        """The service's facts that follow, or raise Refused.

        Headers are empty, but for an actor where it is not whoever gave the input.
        """
        ...

    def view(self, state: S) -> dict[str, Any]:
        """The few fields that queries need, saved beside the facts.

        `clocks` in it, a list of {name, at}, are the deadlines that run.
        """
        ...
