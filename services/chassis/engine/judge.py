"""One input against one document: applied, repeated, held, refused or parked. In memory only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis import logs
from services.chassis.checking import violations
from services.chassis.deciding import (
    ClockRanOut,
    Command,
    Context,
    Decider,
    Input,
    PartnerReply,
    Refused,
    Upstream,
    Why,
)
from services.chassis.engine.document import Copy, Document, serialized, stamp
from services.chassis.engine.items import Item

S = TypeVar("S")
Seen = TypeVar("Seen", contravariant=True)
log = logs.get(__name__)

MOST_NAMED = 5
"""Fields of a wrong fact that are named; of 40,000 wrong items each is one."""
MOST_BYTES = 900_000
"""Of a record's value: below the 1 MiB that a broker takes unless it is told otherwise, with key, headers and batch."""


class Kind(StrEnum):
    """What became of an input."""

    APPLIED = "applied"
    REPEATED = "repeated"
    HELD = "held"
    REFUSED = "refused"
    PARKED = "parked"
    FAILED = "failed"


class Verdict(NamedTuple):
    """What became of one input; it counts only once the turn is saved and published."""

    kind: Kind
    facts: tuple[Any, ...] = ()
    error: BaseException | None = None
    parked: int = ParkedClass.PARKED_CLASS_UNSPECIFIED


APPLIED, REPEATED = Verdict(Kind.APPLIED), Verdict(Kind.REPEATED)
"""Of what nobody waits for: its facts are in the document."""
Evolved = tuple[Any, bytes, S]
"""A fact of the service's own, its bytes, and the state after it."""


class MadeWrong(Exception):
    """What was decided breaks the rules of its fields, so that every reader would park it, or is too long for a broker,
    so that all behind it would wait for ever. The text names no value."""


class Copier(Protocol, Generic[Seen]):
    """Turns decided disclosures into encrypted copies, before the save; may set fields of the facts for it."""

    def copies(self, state: Seen, facts: Sequence[Any], context: Context) -> list[Copy]:
        """The copies that the facts, already stamped, call for; `state` is the state before them."""
        ...


class Judge(Generic[S]):
    """Applies inputs to documents by a decider."""

    def __init__(self, decider: Decider[S], copier: Copier[S] | None = None) -> None:
        self._decider = decider
        self._copier = copier

    def judge(self, item: Item, document: Document[S], context: Context) -> Verdict:
        """Apply one input. A refused or failing one leaves the document as it was."""
        given = item.given
        if given is None:
            return APPLIED
        try:
            if isinstance(given, Upstream):
                return self._upstream(item, given, document, context)
            if isinstance(given, Command):
                return self._command(given, document, context)
            return self._once(given, document, context)
        except Refused as refused:
            return Verdict(Kind.REFUSED, error=refused)
        except Exception as error:  # noqa: BLE001 - a bug in a decider fails its own input and no other
            # The class and the place only: the message may hold what the input held.
            log.error("decider_failed", referral_id=document.id, error=type(error).__name__)
            return Verdict(Kind.FAILED, error=error, parked=ParkedClass.PARKED_CLASS_BUG)

    def _upstream(self, item: Item, given: Upstream, document: Document[S], context: Context) -> Verdict:
        ids = document.event_ids.get(given.writer, ())
        if given.sequence != len(ids) + 1:
            return _out_of_order(given, ids)
        raw = item.record.value if item.record else None
        if raw is None:
            raise ValueError("an upstream fact without its record")
        state = self._decider.evolve(document.state, given.writer, given.fact)
        # Nobody's act leads to what follows from a fact: the service decided it by its rules.
        evolved, copies = self._decide(state, given, context.service, document, context)
        document.append(given.writer, given.cause_id, raw, state)
        self._take(evolved, copies, document)
        return APPLIED

    def _command(self, given: Command, document: Document[S], context: Context) -> Verdict:
        before = document.caused_by(given.cause_id)
        if before:
            if before[0].header.request_hmac != given.request_hmac:
                raise Refused(
                    Why.CONFLICT,
                    "this idempotency key was used with another request",
                    "repeat the same request, or choose a new key",
                    field="idempotency_key",
                )
            return Verdict(Kind.REPEATED, tuple(before))
        evolved, copies = self._decide_fresh(given, document, context)
        if evolved:
            if given.keeps:
                document.keeps = {**document.keeps, **given.keeps} if document.keeps else given.keeps
            if given.drops:
                document.drops = {*document.drops, *given.drops}
        self._take(evolved, copies, document)
        return Verdict(Kind.APPLIED, tuple(fact for fact, _, _ in evolved))

    def _decide_fresh(
        self, given: Command, document: Document[S], context: Context
    ) -> tuple[list[Evolved[S]], Sequence[Copy]]:
        """Decide, unless the caller decided on an older state; who may not know of the referral never learns that."""
        current = document.length(self._decider.writer)
        stale = given.seen_sequence is not None and given.seen_sequence != current
        decided: tuple[list[Evolved[S]], Sequence[Copy]] = [], ()
        try:
            decided = self._decide(document.state, given, given.actor, document, context, given.request_hmac)
        except Refused as refused:
            if not stale or refused.why is not Why.ILLEGAL:
                raise
        if stale:
            raise Refused(
                Why.STALE,
                f"the referral has moved on: sequence {given.seen_sequence} is not the last",
                f"read it again and name sequence {current}",
                field="seen_sequence",
            )
        return decided

    def _once(self, given: PartnerReply | ClockRanOut, document: Document[S], context: Context) -> Verdict:
        before = document.caused_by(given.cause_id)
        if before:
            return REPEATED
        evolved, copies = self._decide(document.state, given, given.actor, document, context)
        self._take(evolved, copies, document)
        return APPLIED

    def _decide(
        self, state: S, given: Input, actor: Actor, document: Document[S], context: Context, hmac: bytes = b""
    ) -> tuple[list[Evolved[S]], Sequence[Copy]]:
        """Each fact with its bytes and the state after it; nothing is taken in yet, so a failure leaves no trace."""
        decided: Sequence[Any] = self._decider.decide(state, given, context)
        if not decided:
            return [], ()
        writer = self._decider.writer
        stamp(decided, document.id, document.length(writer), context.now, actor, given.cause_id, hmac)
        known = document.event_ids.get(writer)
        if known and any(fact.header.event_id in known for fact in decided):
            # Decided before, and the input came again by another way, as after a rebuild.
            return [], ()
        copies = self._copier.copies(state, decided, context) if self._copier else ()
        # Of what follows from a fact the header holds only what was in that fact's, which was checked as it came.
        must_keep_rules(decided, headers=not isinstance(given, Upstream))
        evolved = []
        for fact in decided:
            state = self._decider.evolve(state, writer, fact)
            evolved.append((fact, serialized(fact), state))
        must_fit([*(raw for _, raw, _ in evolved), *(copy.value for copy in copies)], document.id)
        return evolved, copies

    def _take(self, evolved: list[Evolved[S]], copies: Sequence[Copy], document: Document[S]) -> None:
        for fact, raw, state in evolved:
            document.append_own(self._decider.writer, fact, raw, state)
        if copies:
            document.copies = [*document.copies, *copies]


def _out_of_order(given: Upstream, known: Sequence[str]) -> Verdict:
    """A fact that is not the next of its writer: `known` are the ids of those that were applied."""
    if given.sequence > len(known):
        return Verdict(Kind.HELD)
    if known[given.sequence - 1] == given.cause_id:
        return REPEATED
    return Verdict(Kind.PARKED, parked=ParkedClass.PARKED_CLASS_FORK)


def must_keep_rules(facts: Sequence[Any], *, headers: bool) -> None:
    """Raise MadeWrong for a fact that its readers would park, so that it is never stored and never acknowledged."""
    for fact in facts:
        kind = fact.WhichOneof("fact")
        wrong = violations(fact if headers else getattr(fact, kind))
        if wrong:
            fields = ", ".join(f"{each.field}: {each.right}" for each in wrong[:MOST_NAMED])
            log.error("fact_breaks_its_rules", referral_id=fact.header.referral_id, fact=kind, fields=fields)
            raise MadeWrong(f"{kind} breaks its rules at {fields}")


def must_fit(values: Iterable[bytes], referral_id: str) -> None:
    """Raise MadeWrong for a record's value that no broker takes, before it is stored."""
    longest = max(map(len, values))
    if longest > MOST_BYTES:
        log.error("record_too_long", referral_id=referral_id, bytes=longest)
        raise MadeWrong(f"a record of {longest:,} bytes is longer than {MOST_BYTES:,}")


def pseudonymous(given: PartnerReply, referral_id: str, wrong: str) -> PartnerReply:
    """The same reply, to be refused on a record of its own: it names what is not the partner's."""
    return PartnerReply(referral_id, given.cause_id, given.actor, given.partner_id, given.reply, wrong)
