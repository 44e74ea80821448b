"""What a turn publishes, while the next one is read, decided and saved: one turn's at a time, and in order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from services.chassis.engine.away import Away
from services.chassis.engine.document import Document
from services.chassis.engine.items import Item
from services.chassis.engine.judge import Verdict
from services.chassis.engine.publisher import Sending
from services.chassis.engine.recent import LARGEST_TURN, Recent
from services.chassis.engine.sessions import Tell
from services.chassis.engine.standing import Standing
from services.chassis.engine.wiring import Wiring
from services.chassis.kafka_in.chunk import Record
from services.chassis.records import OutRecord

S = TypeVar("S")

PUBLISH_TIMEOUT = 5.0
LONGEST_WAIT_FOR_BROKER = 2.0


@dataclass(slots=True)
class Parking:
    """A record that a turn parks, and why."""

    item: Item
    kind: int
    error: str


@dataclass(slots=True)
class Saved(Generic[S]):
    """A turn, from when it is taken; once it is saved, what it came to."""

    items: Sequence[Item] = ()
    documents: Mapping[str, Document[S]] = field(default_factory=dict)
    """By referral: what the turn looked at, whether it changed it or not."""
    settled: list[tuple[Item, Verdict, Document[S]]] = field(default_factory=list)
    parked: list[Parking] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)


@dataclass(slots=True)
class _Publication(Generic[S]):
    """What is under way of a turn."""

    turn: Saved[S]
    parks: Sequence[tuple[Parking, Record]]
    """What it parks for the first time."""
    markers: Sequence[OutRecord]
    """What it says of parked records that took effect."""
    records: Sequence[OutRecord]
    """All that it publishes."""
    at: datetime
    sending: Sending | None = None
    waited: float = 0.0
    """Seconds, for the present attempt."""


class Publishing(Generic[S]):
    """Publishes what turns saved, and has their inputs settled; used by the engine's thread alone.

    The next turn may be saved meanwhile, where nothing that this one changes matters to it: it is of other referrals,
    and nothing is parked.
    """

    def __init__(
        self,
        wiring: Wiring[S],
        recent: Recent[S],
        standing: Standing,
        counts: Counter[str],
        settle: Callable[[Saved[S]], None],
    ) -> None:
        self._w = wiring
        self._recent = recent
        self._standing = standing
        self._counts = counts
        self._settle = settle
        self._under_way: _Publication[S] | None = None

    @property
    def under_way(self) -> bool:
        """True until the last turn is acknowledged and settled."""
        return self._under_way is not None

    def begin(self, turn: Saved[S]) -> None:
        """Publish what is past `published` in order, what is parked and what was replayed, once the turn before is
        acknowledged.

        Here too a broker that is away is waited for: commands are told that the outcome is unknown, records keep
        waiting.
        """
        self.finish(turn.items)
        parked, now = self._w.parked, self._w.clock()
        records = [record for document in turn.documents.values() for record in self._w.outbox.unsent(document)]
        parks = [(p, p.item.record) for p in turn.parked if p.item.replay is None and p.item.record is not None]
        markers = parked.markers()
        records += [parked.parking(record, parking.kind, parking.error, now) for parking, record in parks]
        records += markers
        self._under_way = _Publication(turn, parks, markers, records, now)
        self._go_on(_at_once)  # which also settles what has nothing to publish
        if turn.parked or markers or any(item.replay for item in turn.items):
            self.finish()  # what is parked changes as this turn is settled, and whatever is read next depends on it

    def has(self, referral_id: str) -> bool:
        """True where a turn that is under way looked at this referral."""
        return self._under_way is not None and referral_id in self._under_way.turn.documents

    def wait(self, tell: Tell) -> None:
        """Wait until what is under way is acknowledged, or `tell` says that something else is to be done."""
        self._go_on(tell)

    def finish(self, others: Sequence[Item] = ()) -> None:
        """Wait until what is under way is acknowledged; `others` are told too where the broker is away."""
        self._go_on(None, others)

    def _go_on(self, tell: Tell | None, others: Sequence[Item] = ()) -> None:
        publication = self._under_way
        if publication is None:
            return
        waits = self._standing.waits(LONGEST_WAIT_FOR_BROKER)
        while publication.records:
            try:
                if self._send_or_wait(publication, tell):
                    break
                return
            except Away as away:
                publication.sending, tell = None, None
                self._standing.lost(away)
                for item in (*publication.turn.items, *others):
                    if item.answer is not None and not item.answer.done():
                        item.answer.set_exception(away)
                next(waits)
        self._under_way = None
        self._conclude(publication)

    def _send_or_wait(self, publication: _Publication[S], tell: Tell | None) -> bool:
        began = time.perf_counter()
        if publication.sending is None:
            self._counts["publications"] += 1
            publication.waited = 0.0
            publication.sending = self._w.publisher.begin(publication.records, PUBLISH_TIMEOUT)
        try:
            return publication.sending.wait(tell)
        finally:
            publication.waited += time.perf_counter() - began

    def _conclude(self, publication: _Publication[S]) -> None:
        turn = publication.turn
        if publication.records:
            self._w.observer.published(len(publication.records), publication.waited)
        self._standing.found("broker")
        self._w.parked.published(publication.markers)
        for parking, record in publication.parks:
            self._w.parked.took(record, parking.kind, parking.error, publication.at)
        remember = len(turn.items) <= LARGEST_TURN and bool(self._w.decider.upstream_types)
        for document in turn.documents.values():
            self._w.outbox.acknowledged(document)
            if remember and document.changed:
                self._recent.keep(document)
        if turn.items:
            self._w.observer.turned(len(turn.items), time.perf_counter() - turn.began)
        self._settle(turn)


def _at_once(tell: Callable[[], object] | None) -> None:
    """A Tell: something else is always to be done."""
    if tell is not None:
        tell()
