"""What each input is told after its turn: an answer, a commit, a place among the held, or a replay."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from services.chassis.deciding import PartnerReply, Refused, Upstream, Why
from services.chassis.engine.document import Document
from services.chassis.engine.gaps import Gaps
from services.chassis.engine.items import Item, replay_item
from services.chassis.engine.judge import Kind, Verdict, pseudonymous
from services.chassis.engine.publishing import Saved
from services.chassis.engine.wiring import Answer, Wiring

S = TypeVar("S")


class Settling(Generic[S]):
    """Tells, on the engine's thread; `again` puts inputs into the queue."""

    def __init__(
        self, wiring: Wiring[S], gaps: Gaps, counts: Counter[str], again: Callable[[list[Item]], None]
    ) -> None:
        self._w = wiring
        self._gaps = gaps
        self._counts = counts
        self._again = again

    def settle(self, turn: Saved[S]) -> None:
        """Tell every input of the turn but those that are taken again."""
        self._counts.update([verdict.kind for _, verdict, _ in turn.settled])
        for item, verdict, document in turn.settled:
            if item.answer is not None:
                self._answer(item, verdict, document)
            elif item.record is not None:
                self._record(item, verdict, document)
        for parking in turn.parked:
            self._counts["parked"] += 1
            self._finish(parking.item, took_effect=False)

    def _answer(self, item: Item, verdict: Verdict, document: Document[S]) -> None:
        answer = item.answer
        if answer is None or answer.done():
            return
        if verdict.error is not None:
            answer.set_exception(verdict.error)
        else:
            answer.set_result(Answer(verdict.facts, document.state, document.length(self._w.decider.writer)))

    def _record(self, item: Item, verdict: Verdict, document: Document[S]) -> None:
        if verdict.kind is Kind.HELD:
            self._hold(item)
        elif verdict.kind is Kind.REFUSED:
            self._refuse(item, verdict)
        else:
            self._finish(item, took_effect=True)
            if self._gaps or self._w.parked:
                self._heal(item, document)

    def _hold(self, item: Item) -> None:
        self._gaps.hold(item, time.monotonic())
        if item.chunk is not None and not item.held:
            item.held = True
            item.chunk.hold(item.place)

    def _refuse(self, item: Item, verdict: Verdict) -> None:
        """A reply that names what is not the partner's is refused on a record of its own; a fact is never refused."""
        given, refused = item.given, verdict.error
        if not isinstance(given, PartnerReply) or not isinstance(refused, Refused) or refused.why is not Why.UNKNOWN:
            raise RuntimeError("a decider refused a fact, or its own refusal") from refused
        item.given = pseudonymous(given, given.cause_id, refused.wrong)
        item.referral_id = given.cause_id
        self._again([item])

    def _finish(self, item: Item, *, took_effect: bool) -> None:
        if item.replay is not None:
            if took_effect:
                self._w.parked.replayed(item.place)
            else:
                self._w.parked.failed_again(item.place)
            item.replay(took_effect)
        elif item.held:
            self._w.release(item.place)
        elif item.chunk is not None:
            item.chunk.done()

    def _heal(self, item: Item, document: Document[S]) -> None:
        """The missing fact came: what waited behind it goes on, held in memory or parked."""
        if not isinstance(item.given, Upstream) or item.record is None:
            return
        ready = self._gaps.ready(document.id, item.given.writer, document.length(item.given.writer) + 1)
        behind = self._w.parked.behind(item.record)
        if behind and not self._w.parked.forked(item.record):  # of a fork nothing goes on by itself
            ready += [replay_item(record, _nobody) for record in self._w.parked.records(behind)]
        if ready:
            self._again(ready)


def _nobody(took_effect: bool) -> None:
    """Nobody asked for this replay; what came of it shows in what is parked."""
