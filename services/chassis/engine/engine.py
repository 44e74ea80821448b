"""The engine: takes what waits, in turns; each turn is one read, one save, one wait for the broker."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis import logs
from services.chassis.deciding import Command, Context, Decider, PartnerReply, Refused, Upstream, Why
from services.chassis.engine.away import Away, Busy
from services.chassis.engine.clockwatch import ClockWatch
from services.chassis.engine.document import Document, fold, new, view_of
from services.chassis.engine.fair_queue import FairQueue
from services.chassis.engine.gaps import Gaps
from services.chassis.engine.items import CLOCK_SIZE, ChunkWork, Item
from services.chassis.engine.judge import Copier, Judge, Kind, Verdict, pseudonymous
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.publisher import Publisher
from services.chassis.engine.reading import Reader, Unreadable
from services.chassis.engine.store import Store
from services.chassis.kafka_in.chunk import Chunk, Held, Position
from services.chassis.parked import ParkedRecords

S = TypeVar("S")
log = logs.get(__name__)

MOST_INPUTS = 500
MOST_BYTES = 8 * 1024 * 1024
MOST_WAITING = 10_000
PUBLISH_TIMEOUT = 5.0
LONGEST_WAIT = 5.0
SCAN_EVERY = 30.0
CONFLICTS_BEFORE_GIVING_UP = 100
UNMENDABLE = 70


class _Stopped(Exception):
    """The engine was told to stop while something was away; what it had taken is not acknowledged, and comes again."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[S]):
    """What a command led to: its facts, and the state and sequence after the turn that it was part of."""

    facts: tuple[Any, ...]
    state: S
    sequence: int


@dataclass(slots=True)
class Wiring(Generic[S]):
    """What an engine stands on. `gather` reads, for a whole batch, what decisions need beyond the referral itself;
    it gets (state, input) pairs and may raise Away. `rules` gives the area's rules as they are now."""

    decider: Decider[S]
    store: Store
    publisher: Publisher
    outbox: Outbox
    parked: ParkedRecords
    actor: Actor
    readers: Mapping[str, Reader] = field(default_factory=dict)
    copier: Copier[S] | None = None
    gather: Callable[[Sequence[tuple[S, Any]]], Mapping[str, Any]] = lambda work: {}
    rules: Callable[[], Any] = lambda: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    release: Callable[[Position], None] = lambda position: None
    """Tells Kafka in that a held record is done."""
    standing: Callable[[str, bool], None] = lambda what, ready: None
    """Tells health whether the store, the broker and the keys answer."""
    fatal: Callable[[], None] = lambda: os._exit(UNMENDABLE)


class Engine(Generic[S]):
    """Three doors, one thread. Doors may be used from any thread; everything else happens on the engine's own."""

    def __init__(self, wiring: Wiring[S]) -> None:
        self._w = wiring
        self._judge = Judge(wiring.decider, wiring.copier)
        self._queue: FairQueue[Item] = FairQueue()
        self._clocks = ClockWatch(wiring.actor)
        self._gaps = Gaps()
        self._away: str | None = None
        self._stopping = threading.Event()
        self._finished = threading.Event()
        self._scan_due = 0.0
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.counts: Counter[str] = Counter()
        """Inputs by what became of them, and turns, saves and publications; read by metrics."""

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take turns; the first scan finds what an earlier process left unpublished."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Refuse new commands, finish the turn under way, raise what is published; False where `timeout` was short."""
        self._stopping.set()
        self._queue.wake()
        return self._finished.wait(timeout)

    @property
    def waiting(self) -> int:
        """Inputs in the queue."""
        return len(self._queue)

    @property
    def away(self) -> str | None:
        """What does not answer, or None."""
        return self._away

    # -- doors -----------------------------------------------------------------------------------------------------

    def submit(self, commands: Sequence[Command]) -> list[Future[Answer[S]]]:
        """Commands of one sender. Each future gives an Answer once its facts are stored and acknowledged, or raises
        Refused, Away (unknown: repeat with the same key) or the bug that it met. Raises Away or Busy at once."""
        if self._stopping.is_set():
            raise Away("engine", "stopping")
        if self._away:
            raise Away(self._away)
        if len(self._queue) + len(commands) > MOST_WAITING:
            raise Busy(1.0)
        items = [
            Item(
                f"{c.actor.role}/{c.actor.id}",
                c.body.ByteSize() + CLOCK_SIZE,
                given=c,
                referral_id=c.referral_id,
                answer=Future(),
            )
            for c in commands
        ]
        self._queue.put(items)
        return [item.answer for item in items if item.answer is not None]

    def handle(self, chunk: Chunk) -> Future[Held]:
        """A fetch from Kafka, facts or replies; see kafka_in.chunk.Handle."""
        future: Future[Held] = Future()
        work = ChunkWork(len(chunk.records), future)
        self._queue.put([Item("kafka", len(r.value or b"") + CLOCK_SIZE, record=r, chunk=work) for r in chunk.records])
        return future

    def rescan(self) -> None:
        """Look at once for what other processes left unpublished, as after an assignment of partitions."""
        self._scan_due = 0.0
        self._queue.wake()

    def replay(self, positions: Sequence[Position] | None = None) -> list[Future[bool]]:
        """Handle parked records again, in order; all where None. Each future tells whether its record took effect."""
        wanted = self._w.parked.records(positions)
        futures: list[Future[bool]] = []
        items = []
        for record in wanted:
            future: Future[bool] = Future()
            futures.append(future)
            items.append(Item("replay", len(record.value or b"") + CLOCK_SIZE, record=record, replay=future.set_result))
        self._queue.put(items)
        return futures

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not (self._stopping.is_set() and not len(self._queue)):
                self._tick()
                items = self._queue.take(MOST_INPUTS, MOST_BYTES, self._idle_for())
                self._until_done(items)
            self._flush()
        except _Stopped:
            log.info("engine_stopped_waiting", waiting=len(self._queue))
        except BaseException as error:
            log.critical("engine_died", error=type(error).__name__, exc_info=True)
            self._w.fatal()
            raise
        finally:
            self._finished.set()

    def _idle_for(self) -> float:
        soonest = self._clocks.seconds_until_next(self._w.clock())
        return max(0.0, min(1.0, soonest)) if not self._stopping.is_set() else 0.0

    def _tick(self) -> None:
        """What time brings: clocks, gaps that nobody healed, the scan, raising what is published."""
        now = time.monotonic()
        due = self._clocks.due(self._w.clock())
        if due:
            self._queue.put([Item("clock", CLOCK_SIZE, given=given, referral_id=given.referral_id) for given in due])
        overdue = self._gaps.overdue(now)
        if overdue:
            self.counts["gaps_overdue"] += len(overdue)
            self._until_done(overdue)
        if now >= self._scan_due and not self._stopping.is_set():
            self._scan()
            self._scan_due = now + SCAN_EVERY
        if self._w.outbox.raise_due(now) and not len(self._queue):
            self._flush()
        if self._w.parked.markers() and not len(self._queue):
            self._publish((), (), [])

    def _scan(self) -> None:
        try:
            found = self._w.store.waiting(self._w.clock() + timedelta(days=3650))
        except Away as away:
            self._stand(away)
            return
        unsent = []
        for document in found:
            self._clocks.watch(document["_id"], document.get("view", {}).get("clocks", ()))
            if document["pending"] and not self._w.outbox.is_known(document["_id"]):
                unsent.append(Item("scan", CLOCK_SIZE, referral_id=document["_id"]))
        self._queue.put(unsent)

    def _flush(self) -> None:
        try:
            self._w.store.save((), {}, self._w.outbox.raises(()))
            self._w.outbox.raised((), time.monotonic())
        except Away as away:
            self._stand(away)

    def _until_done(self, items: list[Item]) -> None:
        """Repeat turns until each item is settled. Who waits at a command is told at once when something is away."""
        wait = 0.05
        conflicts = 0
        while items:
            try:
                items = self._turn(items)
                wait = 0.05
                if items:
                    conflicts += 1
                    self.counts["conflicts"] += 1
                    if conflicts > CONFLICTS_BEFORE_GIVING_UP:
                        raise RuntimeError("a save met a conflict a hundred times; something writes without end")
            except Away as away:
                self._stand(away)
                items = self._without_commands(items, away)
                self._sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
        if self._away:
            self._stand(None)

    def _without_commands(self, items: list[Item], away: Away) -> list[Item]:
        """Fail the commands as unknown; their facts, should the save have happened, are still to be published."""
        left: list[Item] = []
        for item in items:
            if item.answer is None:
                left.append(item)
                continue
            if not item.answer.done():
                item.answer.set_exception(away)
            left.append(Item("scan", CLOCK_SIZE, referral_id=item.referral_id))
        return left

    def _stand(self, away: Away | None) -> None:
        if away is None:
            if self._away:
                self._w.standing(self._away, True)
                log.info("engine_resumed", was_away=self._away)
            self._away = None
            return
        if self._away != away.what:
            if self._away:
                self._w.standing(self._away, True)
            log.warning("engine_waits", away=away.what)
            self._w.standing(away.what, False)
            self._away = away.what
        self.counts[f"away_{away.what}"] += 1

    def _sleep(self, seconds: float) -> None:
        """Back off; a stop ends the wait, since records are not acknowledged and come again."""
        if self._stopping.wait(seconds):
            raise _Stopped

    # -- one turn --------------------------------------------------------------------------------------------------

    def _turn(self, items: list[Item]) -> list[Item]:
        """One turn; returns the items to repeat, those whose documents someone else saved first."""
        self.counts["turns"] += 1
        parked: list[tuple[Item, int, str]] = []
        readable = [item for item in items if self._read(item, parked)]
        documents = self._load(readable)
        work = [(documents[item.referral_id].state, item.given) for item in readable if item.given is not None]
        context = Context(self._w.clock(), self._w.rules(), self._w.gather(work) if work else {})
        verdicts = [self._judge.judge(item, documents[item.referral_id], context) for item in readable]
        lost = self._save(documents)
        self._waits_behind(readable, verdicts, parked)
        for item, verdict in zip(readable, verdicts, strict=True):
            if verdict.kind in (Kind.PARKED, Kind.FAILED) and item.record and item.referral_id not in lost:
                error = type(verdict.error).__name__ if verdict.error else ""
                parked.append((item, verdict.parked, error))
        self._publish([d for d in documents.values() if d.id not in lost], items, parked)
        again: list[Item] = []
        for item, verdict in zip(readable, verdicts, strict=True):
            if item.referral_id in lost:
                item.must_load = True
                again.append(item)
            else:
                self._settle(item, verdict, documents[item.referral_id])
        for item, _, _ in parked:
            self.counts["parked"] += 1
            self._record_done(item, took_effect=False)
        return again

    def _read(self, item: Item, parked: list[tuple[Item, int, str]]) -> bool:
        """Give a record its input; False where it is parked instead."""
        record = item.record
        if record is None or item.given is not None:
            return True
        try:
            if item.replay is None and self._w.parked.forked(record):
                raise Unreadable(ParkedClass.PARKED_CLASS_BEHIND, "Behind")
            item.given, item.fact = self._w.readers[record.topic](record)
        except Unreadable as unreadable:
            parked.append((item, unreadable.parked, unreadable.error))
            return False
        item.referral_id = item.given.referral_id
        return True

    def _waits_behind(
        self, items: Sequence[Item], verdicts: list[Verdict], parked: list[tuple[Item, int, str]]
    ) -> None:
        """A gap is held, unless what is missing is parked, or was waited for too long: then it is parked too."""
        lanes = {item.record.lane for item, _, _ in parked if item.record}
        for place, (item, verdict) in enumerate(zip(items, verdicts, strict=True)):
            if item.record is None:
                continue
            if verdict.kind in (Kind.PARKED, Kind.FAILED):
                lanes.add(item.record.lane)
            elif verdict.kind is Kind.HELD and (item.record.lane in lanes or self._w.parked.blocks(item.record)):
                verdicts[place] = Verdict(Kind.PARKED, parked=ParkedClass.PARKED_CLASS_BEHIND)
            elif verdict.kind is Kind.HELD and (item.overdue or item.replay):
                verdicts[place] = Verdict(Kind.PARKED, parked=ParkedClass.PARKED_CLASS_GAP)

    def _load(self, items: Sequence[Item]) -> dict[str, Document[S]]:
        documents: dict[str, Document[S]] = {}
        wanted: list[str] = []
        for item in items:
            if item.referral_id in documents:
                continue
            documents[item.referral_id] = new(self._w.decider, item.referral_id)
            if not self._may_be_first(item):
                wanted.append(item.referral_id)
        if wanted:
            self.counts["loads"] += 1
            for stored in self._w.store.load(wanted):
                document = fold(self._w.decider, stored)
                self._w.outbox.recall(document)
                documents[document.id] = document
        return documents

    def _may_be_first(self, item: Item) -> bool:
        """A referral's first input needs no read; should it not be the first, the insert meets a conflict."""
        if item.given is None or item.must_load:
            return False
        if isinstance(item.given, Command):
            return item.given.creates
        if not isinstance(item.given, Upstream):
            return False
        return item.fact.header.sequence == 1 and item.given.writer == self._w.decider.opened_by

    def _save(self, documents: Mapping[str, Document[S]]) -> set[str]:
        changed = [d for d in documents.values() if d.changed]
        raises = self._w.outbox.raises({d.id for d in changed})
        if not changed and not self._w.outbox.raise_due(time.monotonic()):
            return set()
        views = {d.id: view_of(self._w.decider, d.state) for d in changed}
        self.counts["saves"] += 1
        lost = self._w.store.save(changed, views, raises)
        self._w.outbox.raised(lost, time.monotonic())
        for document in changed:
            if document.id not in lost:
                self._clocks.watch(document.id, views[document.id].get("clocks", ()))
        return lost

    def _publish(
        self, documents: Sequence[Document[S]], items: Sequence[Item], parked: list[tuple[Item, int, str]]
    ) -> None:
        """Publish what is past `published`, in order, and wait; a broker that is away is waited for here, since the
        turn is saved: its commands are told that the outcome is unknown, its records keep waiting."""
        records = [record for document in documents for record in self._w.outbox.unsent(document)]
        parkings = [
            self._w.parked.parking(item.record, kind, error, self._w.clock())
            for item, kind, error in parked
            if item.record is not None and item.replay is None
        ]
        markers = self._w.parked.markers()
        records += parkings + markers
        wait = 0.05
        while records:
            try:
                self.counts["publications"] += 1
                self._w.publisher.publish(records, PUBLISH_TIMEOUT)
                break
            except Away as away:
                self._stand(away)
                for item in items:
                    if item.answer is not None and not item.answer.done():
                        item.answer.set_exception(away)
                self._sleep(wait)
                wait = min(2.0, wait * 2)
        if self._away == "broker":
            self._stand(None)
        self._w.parked.published(markers)
        for document in documents:
            self._w.outbox.acknowledged(document)
        for item, kind, error in parked:
            if item.record is not None and item.replay is None:
                self._w.parked.took(item.record, kind, error, self._w.clock())

    # -- answers ---------------------------------------------------------------------------------------------------

    def _settle(self, item: Item, verdict: Verdict, document: Document[S]) -> None:
        self.counts[verdict.kind.value] += 1
        if item.answer is not None:
            self._reply(item, verdict, document)
        elif item.record is None:
            return
        elif verdict.kind is Kind.HELD:
            self._hold(item)
        elif verdict.kind is Kind.REFUSED:
            self._refuse_record(item, verdict)
        elif verdict.kind not in (Kind.PARKED, Kind.FAILED):
            self._record_done(item, took_effect=True)
            self._heal(item, document)

    def _reply(self, item: Item, verdict: Verdict, document: Document[S]) -> None:
        assert item.answer is not None  # noqa: S101 - only commands come here
        if item.answer.done():
            return
        if verdict.error is not None:
            item.answer.set_exception(verdict.error)
        else:
            item.answer.set_result(Answer(verdict.facts, document.state, document.length(self._w.decider.writer)))

    def _refuse_record(self, item: Item, verdict: Verdict) -> None:
        """A reply that names what is not the partner's is refused on a record of its own; a fact is never refused."""
        refused = verdict.error
        if isinstance(item.given, PartnerReply) and isinstance(refused, Refused) and refused.why is Why.UNKNOWN:
            item.given = pseudonymous(item.given, item.given.cause_id, refused.wrong)
            item.referral_id = item.given.referral_id
            self._queue.put([item])
            return
        raise RuntimeError("a decider refused a fact or its own refusal") from refused

    def _hold(self, item: Item) -> None:
        self._gaps.hold(item, time.monotonic())
        if item.chunk is not None and not item.held:
            item.held = True
            item.chunk.done(item.place, held=True)

    def _record_done(self, item: Item, *, took_effect: bool) -> None:
        if item.replay is not None:
            if took_effect:
                self._w.parked.replayed(item.place)
            else:
                self._w.parked.failed_again(item.place)
            item.replay(took_effect)
        elif item.held:
            self._w.release(item.place)
        elif item.chunk is not None:
            item.chunk.done(item.place)

    def _heal(self, item: Item, document: Document[S]) -> None:
        """The missing fact came: what waited behind it goes on, held in memory or parked."""
        if not isinstance(item.given, Upstream) or item.record is None:
            return
        next_sequence = document.length(item.given.writer) + 1
        ready = self._gaps.ready(document.id, item.given.writer, next_sequence)
        if ready:
            self._queue.put(ready)
        behind = self._w.parked.behind(item.record)
        if behind:
            self.replay(behind)
