"""One input against one document: applied, repeated, held, refused or parked. In memory only."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis import logs
from services.chassis.deciding import Command, Context, Decider, Input, PartnerReply, Refused, Upstream, Why
from services.chassis.engine.document import Copy, Document, serialized, stamp
from services.chassis.engine.items import Item

S = TypeVar("S")
Seen = TypeVar("Seen", contravariant=True)
log = logs.get(__name__)


class Kind(Enum):
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
            return Verdict(Kind.APPLIED)
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
        header = item.fact.header
        ids = document.event_ids.get(given.writer, ())
        if header.sequence <= len(ids):
            if ids[header.sequence - 1] == header.event_id:
                return Verdict(Kind.REPEATED)
            return Verdict(Kind.PARKED, parked=ParkedClass.PARKED_CLASS_FORK)
        if header.sequence > len(ids) + 1:
            return Verdict(Kind.HELD)
        raw = item.record.value if item.record else None
        if raw is None:
            raise ValueError("an upstream fact without its record")
        state = self._decider.evolve(document.state, given.writer, item.fact)
        facts, copies = self._decide(state, given, document, context, b"")
        evolved = self._evolved(facts, state)
        document.append(self._decider, given.writer, item.fact, raw, state)
        self._take(evolved, copies, document)
        return Verdict(Kind.APPLIED, tuple(facts))

    def _command(self, given: Command, document: Document[S], context: Context) -> Verdict:
        before = document.causes.get(given.cause_id)
        if before:
            if before[0].header.request_hmac != given.request_hmac:
                raise Refused(
                    Why.CONFLICT,
                    "this idempotency key was used with another request",
                    "repeat the same request, or choose a new key",
                    field="idempotency_key",
                )
            return Verdict(Kind.REPEATED, tuple(before))
        facts, copies = self._decide_fresh(given, document, context)
        if facts:
            document.keeps.update(given.keeps)
            document.drops.update(given.drops)
        self._take(self._evolved(facts, document.state), copies, document)
        return Verdict(Kind.APPLIED, tuple(facts))

    def _decide_fresh(self, given: Command, document: Document[S], context: Context) -> tuple[list[Any], list[Copy]]:
        """Decide, unless the caller decided on an older state; who may not know of the referral never learns that."""
        current = document.length(self._decider.writer)
        stale = given.seen_sequence is not None and given.seen_sequence != current
        try:
            decided = self._decide(document.state, given, document, context, given.request_hmac)
        except Refused as refused:
            if not stale or refused.why is not Why.ILLEGAL:
                raise
            decided = [], []
        if stale:
            raise Refused(
                Why.STALE,
                f"the referral has moved on: sequence {given.seen_sequence} is not the last",
                f"read it again and name sequence {current}",
                field="seen_sequence",
            )
        return decided

    def _once(self, given: Input, document: Document[S], context: Context) -> Verdict:
        before = document.causes.get(given.cause_id)
        if before:
            return Verdict(Kind.REPEATED, tuple(before))
        facts, copies = self._decide(document.state, given, document, context, b"")
        self._take(self._evolved(facts, document.state), copies, document)
        return Verdict(Kind.APPLIED, tuple(facts))

    def _decide(
        self, state: S, given: Input, document: Document[S], context: Context, hmac: bytes
    ) -> tuple[list[Any], list[Copy]]:
        decided = self._decider.decide(state, given, context)
        if not decided:
            return [], []
        facts = stamp(
            decided,
            document.id,
            document.length(self._decider.writer),
            context.now,
            # Nobody's act leads to what follows from a fact: the service decided it by its rules.
            context.service if isinstance(given, Upstream) else given.actor,
            given.cause_id,
            hmac,
        )
        known = document.event_ids.get(self._decider.writer)
        if known and any(fact.header.event_id in known for fact in facts):
            # Decided before, and the input came again by another way, as after a rebuild.
            return [], []
        return facts, self._copier.copies(state, facts, context) if self._copier else []

    def _evolved(self, facts: list[Any], state: S) -> list[tuple[Any, bytes, S]]:
        """Each fact with its bytes and the state after it; nothing is taken in yet, so a failure leaves no trace."""
        evolved = []
        for fact in facts:
            state = self._decider.evolve(state, self._decider.writer, fact)
            evolved.append((fact, serialized(fact), state))
        return evolved

    def _take(self, evolved: list[tuple[Any, bytes, S]], copies: list[Copy], document: Document[S]) -> None:
        for fact, raw, state in evolved:
            document.append(self._decider, self._decider.writer, fact, raw, state)
        document.copies.extend(copies)


def pseudonymous(given: PartnerReply, referral_id: str, wrong: str) -> PartnerReply:
    """The same reply, to be refused on a record of its own: it names what is not the partner's."""
    return PartnerReply(referral_id, given.cause_id, given.actor, given.partner_id, given.reply, wrong)
