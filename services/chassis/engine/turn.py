"""One turn: read, load, judge, save, and begin to publish; one round trip each, however many inputs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis import logs
from services.chassis.deciding import Command, Context, Upstream
from services.chassis.engine.clockwatch import ClockWatch
from services.chassis.engine.document import Document, fold, new, view_of
from services.chassis.engine.gathering import gathered
from services.chassis.engine.items import Item
from services.chassis.engine.judge import Judge, Kind, Verdict
from services.chassis.engine.publishing import Parking, Publishing, Saved
from services.chassis.engine.reading import Unreadable
from services.chassis.engine.recent import Recent
from services.chassis.engine.standing import Standing
from services.chassis.engine.wiring import Wiring
from services.chassis.sealing import forget_ciphers

S = TypeVar("S")
log = logs.get(__name__)

_AS_EVER = frozenset((Kind.APPLIED, Kind.REPEATED, Kind.REFUSED))
_PARKS = frozenset((Kind.PARKED, Kind.FAILED))
BEHIND = Verdict(Kind.PARKED, parked=ParkedClass.PARKED_CLASS_BEHIND)


class Turns(Generic[S]):
    """Takes turns, on the engine's thread."""

    def __init__(
        self,
        wiring: Wiring[S],
        clocks: ClockWatch,
        standing: Standing,
        counts: Counter[str],
        settle: Callable[[Saved[S]], None],
    ) -> None:
        """`settle` gets each turn once what it saved is acknowledged, in their order."""
        self._w = wiring
        self._judge = Judge(wiring.decider, wiring.copier)
        self._recent: Recent[S] = Recent()
        self.publishing = Publishing(wiring, self._recent, standing, counts, settle)
        self._clocks = clocks
        self._counts = counts

    def take(self, items: list[Item]) -> list[Item]:
        """One turn, until it is saved; what it publishes may still be under way. Returns what is to be taken again,
        since someone else saved its document first.

        Raises Away where load, gather or save met something that does not answer.
        """
        self._counts["turns"] += 1
        turn: Saved[S] = Saved(items)
        readable = [item for item in items if self._read(item, turn.parked)]
        if self.publishing.under_way and any(self.publishing.has(item.referral_id) for item in readable):
            self.publishing.finish(items)
        documents = self._load(readable)
        found, failed = self._gather(readable, documents)
        context = Context(self._w.clock(), self._w.rules(), found, self._w.actor)
        verdicts = self._judged(readable, documents, context, failed)
        self._park_behind(readable, verdicts, turn.parked)
        lost = self._save(documents)
        again = []
        for item, verdict in zip(readable, verdicts, strict=True):
            if item.referral_id in lost:
                item.must_load = True
                again.append(item)
            elif verdict.kind in _PARKS and item.record is not None:
                error = type(verdict.error).__name__ if verdict.error else ""
                turn.parked.append(Parking(item, verdict.parked, error))
            else:
                turn.settled.append((item, verdict, documents[item.referral_id]))
        for referral_id in lost:
            del documents[referral_id]
        turn.documents = documents
        self.publishing.begin(turn)
        return again

    def flush(self) -> None:
        """Raise `published` in the store for what Kafka has acknowledged."""
        self._w.store.save((), {}, self._w.outbox.raises(()))
        self._w.outbox.raised((), time.monotonic())

    def read(self, items: Sequence[Item]) -> None:
        """Give records their inputs ahead of their turn, which parks those that have none."""
        for item in items:
            self._read(item, [])

    def _read(self, item: Item, parked: list[Parking]) -> bool:
        """Give a record its input; False where it is parked instead."""
        record = item.record
        if record is None or item.given is not None:
            return True
        try:
            if item.replay is None and self._w.parked.forked(record):
                raise Unreadable(ParkedClass.PARKED_CLASS_BEHIND, "Behind")
            given = item.given = self._w.readers[record.topic](record)
        except Unreadable as unreadable:
            parked.append(Parking(item, unreadable.parked, unreadable.error))
            return False
        except Exception as error:  # noqa: BLE001 - a bug in a reader parks its own record and keeps no other waiting
            log.error("reader_failed", topic=record.topic, error=type(error).__name__)
            parked.append(Parking(item, ParkedClass.PARKED_CLASS_BUG, type(error).__name__))
            return False
        item.referral_id = given.referral_id
        return True

    def _gather(
        self, items: Sequence[Item], documents: Mapping[str, Document[S]]
    ) -> tuple[Mapping[str, Any], Mapping[str, Exception]]:
        """See gathered."""
        if self._w.gather is None:
            return {}, {}
        work = [
            (item.referral_id, (documents[item.referral_id].state, item.given))
            for item in items
            if item.given is not None
        ]
        return gathered(self._w.gather, work)

    def _load(self, items: Sequence[Item]) -> dict[str, Document[S]]:
        documents: dict[str, Document[S]] = {}
        wanted: list[str] = []
        decider, opened_by = self._w.decider, self._w.decider.opened_by
        for item in items:
            id = item.referral_id
            if id not in documents:
                documents[id] = new(decider, id)
                if not _may_be_first(item, opened_by):
                    wanted.append(id)
        if wanted:
            remembered = self._recent.take(wanted, items)
            if remembered:
                documents.update(remembered)
                wanted = [id for id in wanted if id not in remembered]
        if wanted:
            self._counts["loads"] += 1
            began = time.perf_counter()
            found = self._w.store.load(wanted)
            self._w.observer.stored("load", time.perf_counter() - began)
            for stored in found:
                document = fold(self._w.decider, stored)
                self._w.outbox.recall(document)
                documents[document.id] = document
        return documents

    def _judged(
        self,
        items: Sequence[Item],
        documents: Mapping[str, Document[S]],
        context: Context,
        failed: Mapping[str, Exception],
    ) -> list[Verdict]:
        """Judge one after the other. What comes behind a fork is not judged, also where both come in one turn, or where
        the fork was parked after this one was read: nobody knows which branch it is of. Whoever replays
        says so: that is judged."""
        verdicts = []
        forked: set[tuple[str, bytes | None]] = set()
        parked = self._w.parked
        some = len(parked) > 0
        for item in items:
            record = item.record if item.replay is None else None
            if record and ((forked and record.lane in forked) or (some and parked.forked(record))):
                verdicts.append(BEHIND)
                continue
            if failed and item.given is not None and item.referral_id in failed:
                bug = failed[item.referral_id]
                verdicts.append(Verdict(Kind.FAILED, error=bug, parked=ParkedClass.PARKED_CLASS_BUG))
                continue
            verdict = self._judge.judge(item, documents[item.referral_id], context)
            if record and verdict.parked == ParkedClass.PARKED_CLASS_FORK:
                forked.add(record.lane)
            verdicts.append(verdict)
        return verdicts

    def _park_behind(self, items: Sequence[Item], verdicts: list[Verdict], parked: Sequence[Parking]) -> None:
        """A gap is held, unless what is missing is parked, or was waited for too long: then it is parked too."""
        if {verdict.kind for verdict in verdicts} <= _AS_EVER:
            return
        lanes = {parking.item.record.lane for parking in parked if parking.item.record}
        for place, (item, verdict) in enumerate(zip(items, verdicts, strict=True)):
            if item.record is None:
                continue
            if verdict.kind in _PARKS:
                lanes.add(item.record.lane)
            elif verdict.kind is Kind.HELD and (item.record.lane in lanes or self._w.parked.blocks(item.record)):
                verdicts[place] = BEHIND
            elif verdict.kind is Kind.HELD and (item.overdue or item.replay):
                verdicts[place] = Verdict(Kind.PARKED, parked=ParkedClass.PARKED_CLASS_GAP)

    def _save(self, documents: Mapping[str, Document[S]]) -> set[str]:
        """Save what changed, and raise `published` of earlier turns on the way; the ids that others saved first."""
        changed = [document for document in documents.values() if document.changed]
        due = self._w.outbox.raise_due(time.monotonic())
        if not changed and not due:
            return set()
        views = {document.id: view_of(self._w.decider, document.state) for document in changed}
        self._counts["saves"] += 1
        began = time.perf_counter()
        # Only when due: until then what this process knows to be acknowledged serves it as well as the store.
        raises = self._w.outbox.raises(views.keys()) if due else ()
        lost = self._w.store.save(changed, views, raises)
        self._w.observer.stored("save", time.perf_counter() - began)
        self._w.outbox.saved(views.keys() - lost)
        if due:
            self._w.outbox.raised(lost, time.monotonic())
        for document in changed:
            if document.id not in lost:
                if document.drops:  # wrapped keys that are destroyed: nothing of them stays in memory either
                    forget_ciphers()
                self._clocks.watch(document.id, views[document.id].get("clocks", ()))
        return lost


def _may_be_first(item: Item, opened_by: str) -> bool:
    """A referral's first input needs no read; should it not be the first, the insert meets a conflict."""
    given = item.given
    if item.must_load:
        return False
    if isinstance(given, Upstream):
        return given.sequence == 1 and given.writer == opened_by
    return isinstance(given, Command) and given.creates
