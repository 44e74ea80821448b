"""The engine: three doors, one plain thread, and what time brings."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Generic, TypeVar

from services.chassis import logs
from services.chassis.deciding import Command
from services.chassis.engine.away import Away, Busy
from services.chassis.engine.clockwatch import ClockWatch
from services.chassis.engine.fair_queue import FairQueue
from services.chassis.engine.forerunners import Forerunners
from services.chassis.engine.gaps import Gaps
from services.chassis.engine.items import CLOCK_SIZE, ChunkWork, Item, replay_item
from services.chassis.engine.publishing import Saved
from services.chassis.engine.settling import Settling
from services.chassis.engine.standing import Standing, Stopped
from services.chassis.engine.turn import Turns
from services.chassis.engine.wiring import Answer, Wiring
from services.chassis.kafka_in.chunk import Chunk, Held, Position

S = TypeVar("S")
log = logs.get(__name__)

MOST_INPUTS = 500
MOST_BYTES = 8 * 1024 * 1024
MOST_WAITING = 10_000
LONGEST_IDLE = 1.0
SCAN_EVERY = 30.0
CLOCKS_AHEAD = timedelta(hours=1)
"""How far ahead clocks lie in memory. The others wait in the store: each referral has some that run for months."""
GATHER_SECONDS = 0.03
GATHERS_FROM = 8
"""Commands in a turn, from which on the next one begins so long after it began. A turn of few costs a save and a
publication as one of many does, and in a flood takes what the threads need that refuse (docs/decisions/0012). From
four on it went on at 160 calls a second, where nobody is refused and everybody waited for it."""
CONFLICTS_BEFORE_GIVING_UP = 100


class Engine(Generic[S]):
    """Runs a decider. Doors may be used from any thread; everything else happens on the engine's own."""

    def __init__(self, wiring: Wiring[S]) -> None:
        self._w = wiring
        self.counts: Counter[str] = Counter()
        """Inputs by what became of them, and turns, loads, saves and publications; read by metrics."""
        self._queue: FairQueue[Item] = FairQueue()
        self._clocks = ClockWatch(wiring.actor)
        self._gaps = Gaps()
        self._forerunners = Forerunners(wiring.early) if wiring.early else None
        self._standing = Standing(wiring.standing, self.counts)
        settling = Settling(wiring, self._gaps, self.counts, self._queue.put)
        self._turns = Turns(wiring, self._clocks, self._standing, self.counts, settling.settle)
        self._publishing = self._turns.publishing
        self._finished = threading.Event()
        self._scan_due = 0.0
        self._gathers_until = 0.0
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to take turns; the first scan finds what an earlier process left unpublished."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Refuse new commands, finish what waits, raise what is published; False where `timeout` was too short."""
        self._standing.stop()
        self._queue.wake()
        return self._finished.wait(timeout)

    @property
    def waiting(self) -> int:
        """Inputs in the queue."""
        return len(self._queue)

    @property
    def away(self) -> str | None:
        """What does not answer, or None."""
        return self._standing.away

    def submit(self, commands: Sequence[Command]) -> list[Future[Answer[S]]]:
        """Take commands of one sender.

        Each future gives an Answer once its facts are stored and acknowledged, or raises Refused, Away (unknown:
        repeat with the same key) or the bug that it met. Raises Away or Busy at once where waiting is of no use.
        """
        if self._standing.stopping:
            raise Away("engine", "stopping")
        if self._standing.away:
            raise Away(self._standing.away)
        if len(self._queue) + len(commands) > MOST_WAITING:
            raise Busy(1.0)
        futures: list[Future[Answer[S]]] = [Future() for _ in commands]
        self._queue.put(
            [
                Item(
                    f"{command.actor.role}/{command.actor.id}",
                    command.body.ByteSize() + CLOCK_SIZE,
                    given=command,
                    referral_id=command.referral_id,
                    answer=future,
                )
                for command, future in zip(commands, futures, strict=True)
            ]
        )
        return futures

    def handle(self, chunk: Chunk) -> Future[Held]:
        """Take a fetch from Kafka, facts or replies; see kafka_in.chunk.Handle."""
        future: Future[Held] = Future()
        work = ChunkWork(len(chunk.records), future)
        self._queue.put([Item("kafka", len(r.value or b"") + CLOCK_SIZE, record=r, chunk=work) for r in chunk.records])
        return future

    def replay(self, positions: Sequence[Position] | None = None) -> list[Future[bool]]:
        """Handle parked records again, in order; all where None. Each future tells whether its record took effect."""
        wanted = self._w.parked.records(positions)
        futures: list[Future[bool]] = [Future() for _ in wanted]
        self._queue.put(
            [replay_item(record, future.set_result) for record, future in zip(wanted, futures, strict=True)]
        )
        return futures

    def rescan(self) -> None:
        """Look at once for what other processes left unpublished, as after an assignment of partitions."""
        self._scan_due = 0.0
        self._queue.wake()

    def _run(self) -> None:
        try:
            while not (self._standing.stopping and self._idle):
                self._tick()
                self._until_done(self._together(self._taken()))
            self._turns.flush()
        except (Stopped, Away):
            log.info("engine_stopped_waiting", waiting=len(self._queue))
        except BaseException as error:
            log.critical("engine_died", error=type(error).__name__, exc_info=True)
            self._w.fatal()
            raise
        finally:
            self._finished.set()

    def _taken(self) -> list[Item]:
        """What waits, or comes meanwhile. Where commands come quickly, they first gather for a moment."""
        if self._gathers_until > time.monotonic():
            self._publishing.finish()
            if not self._standing.stopping:
                time.sleep(max(0.0, self._gathers_until - time.monotonic()))
        self._publishing.wait(self._queue.tell)
        items = self._queue.take(MOST_INPUTS, MOST_BYTES, self._idle_for())
        if sum(item.answer is not None for item in items) >= GATHERS_FROM:
            self._gathers_until = time.monotonic() + GATHER_SECONDS
        return items

    def _together(self, items: list[Item]) -> list[Item]:
        """What is handled now; the rest waits a moment for what follows it."""
        if self._forerunners is None or not items:
            return items
        self._turns.read(items)
        return self._forerunners.together(items, time.monotonic())

    def _idle_for(self) -> float:
        if self._standing.stopping:
            return 0.0
        until_next = self._clocks.seconds_until_next(self._w.clock())
        if self._forerunners is not None:
            until_next = min(until_next, self._forerunners.seconds_until_next(time.monotonic()))
        return max(0.0, min(LONGEST_IDLE, until_next))

    def _tick(self) -> None:
        """What time brings: clocks, gaps that nobody healed, scans, and what idleness leaves room for."""
        now = time.monotonic()
        self._scan_in_time(now)
        due = self._clocks.due(self._w.clock())
        if due:
            self._queue.put([Item("clock", CLOCK_SIZE, given=given, referral_id=given.referral_id) for given in due])
        if self._forerunners is not None:
            self._until_done(self._forerunners.overdue(now))
        overdue = self._gaps.overdue(now)
        if overdue:
            self.counts["gaps_overdue"] += len(overdue)
            log.error("gap_overdue", referral_ids=sorted({item.referral_id for item in overdue})[:20])
            self._until_done(overdue)
        try:
            if self._w.outbox.raise_due(now) and self._idle:
                self._turns.flush()
                self._standing.found("store")
        except Away as away:
            self._standing.lost(away)
        if self._w.parked.markers() and self._idle:
            self._publishing.begin(Saved())

    @property
    def _idle(self) -> bool:
        return not len(self._queue) and not self._publishing.under_way

    def _scan_in_time(self, now: float) -> None:
        outran = self._w.clock() >= self._clocks.until  # a system's clock that was put forward leaves clocks unseen
        if self._standing.stopping or (now < self._scan_due and not outran):
            return
        try:
            self._scan()
        except Away as away:
            self._standing.lost(away)
        else:
            self._scan_due = now + SCAN_EVERY
            self._standing.found("store")

    def _scan(self) -> None:
        """Find what is unpublished, and the clocks that run out soon."""
        until = self._w.clock() + CLOCKS_AHEAD
        waiting = self._w.store.waiting(until)
        self._clocks.until = until
        unsent = []
        for document in waiting:
            self._clocks.watch(document["_id"], document.get("view", {}).get("clocks", ()))
            known = self._w.outbox.is_known(document["_id"]) or self._publishing.has(document["_id"])
            if document.get("pending") and not known:
                unsent.append(Item("scan", CLOCK_SIZE, referral_id=document["_id"]))
        self._queue.put(unsent)

    def _until_done(self, items: list[Item]) -> None:
        """Repeat turns until each item is saved. Who waits at a command is told at once when something is away."""
        if not items:
            return  # which says nothing of what we stand on
        waits = self._standing.waits()
        asked, conflicts = self._asked_of_store, 0
        while items:
            try:
                items = self._turns.take(items)
            except Away as away:
                items = _without_commands(items, away)
                self._publishing.finish()  # before the rest: a broker that is away too, and answers, says nothing of it
                self._standing.lost(away)
                next(waits)
                continue
            if items:
                conflicts += 1
                self.counts["conflicts"] += 1
                if conflicts > CONFLICTS_BEFORE_GIVING_UP:
                    raise RuntimeError("a save met a conflict a hundred times; something writes without end")
        if self._standing.away != "store" or self._asked_of_store > asked:
            self._standing.found()  # a turn of records that nobody can read asks nothing of a store

    @property
    def _asked_of_store(self) -> int:
        return self.counts["loads"] + self.counts["saves"]


def _without_commands(items: list[Item], away: Away) -> list[Item]:
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
