"""Ends a process that reads nothing while there is something to read, as Faust's consumers have been seen to.

The broker itself is asked, through a client of another make, so that nothing here trusts what may be stuck.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.chassis.kafka_in.offsets import Progress
from services.chassis.kafka_in.offsets import TopicPartition as Place
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.spans import spans_of

log = logging.getLogger(__name__)

EXIT_STUCK = 70
STUCK_SECONDS = 60.0
LOOK_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a partition: the broker's end and commit, and how far the process says it is."""

    end: int
    committed: int
    handled: int
    committable: int

    @property
    def behind(self) -> bool:
        """Whether there is something to read, or to commit. Held records alone are neither."""
        return self.end > self.handled or self.committable > self.committed


@dataclass(frozen=True, slots=True)
class Look:
    """One look at all partitions. `readings` is None when the broker did not answer."""

    at: float
    paused: bool
    readings: Mapping[Place, Reading] | None


def quiet_since(before: float | None, last: Look | None, now: Look) -> float | None:
    """Return since when (in `Look.at`) nothing has moved that should have; None while all is well.

    `before` is what the look before this one, `last`, led to. A pause, a broker that does not answer, a
    change of partitions and any progress begin the count again.
    """
    if now.paused or not now.readings or not any(reading.behind for reading in now.readings.values()):
        return None
    if last is None or not last.readings or last.readings.keys() != now.readings.keys():
        return now.at
    moved = any(
        (reading.handled, reading.committed) != (last.readings[place].handled, last.readings[place].committed)
        for place, reading in now.readings.items()
    )
    return now.at if moved or before is None else before


class Watched(Protocol):
    """What the watchdog asks of KafkaIn."""

    @property
    def paused(self) -> bool: ...
    @property
    def assigned(self) -> frozenset[Place]: ...
    @property
    def last_commit_time(self) -> float | None: ...
    def progress(self) -> dict[Place, Progress]: ...


def end_process() -> None:
    """End this process at once; its supervisor starts it again from the committed offsets."""
    os._exit(EXIT_STUCK)


class Watchdog:
    """Looks every 5 s, on a thread of its own; after 60 s without progress logs so and calls `bite`, once.

    A commit that the broker has confirmed since is progress: then nobody is asked, which would cost a busy process
    milliseconds at a time. Progress that cannot be asked of the process (its loop hangs) counts as none.
    """

    def __init__(
        self, access: KafkaAccess, group: str, watched: Watched, *, bite: Callable[[], None] = end_process
    ) -> None:
        self._settings = access.consumer(f"{group}-watchdog", group)
        self._watched = watched
        self._bite = bite
        self._stopping = threading.Event()
        self._consumer: KafkaConsumer | None = None
        self._thread = threading.Thread(target=self._run, name=f"watchdog-{group}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Waits for a look under way, at most about 20 s."""
        self._stopping.set()
        self._thread.join(20)

    def _run(self) -> None:
        last: Look | None = None
        since: float | None = None
        looked = time.monotonic()
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            before, looked = looked, time.monotonic()
            if (self._watched.last_commit_time or 0.0) > before:
                since = last = None
                continue
            now = self.look()
            since, last = quiet_since(since, last, now), now
            if since is not None and now.at - since >= STUCK_SECONDS:
                log.critical("kafka_in_stuck seconds=%.0f", now.at - since)
                self._bite()
                return
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def look(self) -> Look:
        """Ask the broker and the process. Not from two threads at once."""
        paused = self._watched.paused
        try:
            readings = {} if paused else self._read(self._watched.assigned, self._progress())
        except KafkaError as error:
            log.info("watchdog_broker_away error=%s", type(error).__name__)
            return Look(time.monotonic(), paused, None)
        return Look(time.monotonic(), paused, readings)

    def _progress(self) -> Mapping[Place, Progress]:
        try:
            return self._watched.progress()
        except TimeoutError:
            return {}

    def _read(self, assigned: frozenset[Place], progress: Mapping[Place, Progress]) -> dict[Place, Reading]:
        if not assigned:
            return {}
        if self._consumer is None:
            self._consumer = KafkaConsumer(**self._settings)
        partitions = {place: TopicPartition(*place) for place in sorted(assigned)}
        spans = spans_of(self._consumer, list(partitions.values()))
        readings = {}
        for place, partition in partitions.items():
            committed = self._consumer.committed(partition)
            start, end = spans[partition]
            from_here = start if committed is None else max(committed, start)
            known = progress.get(place, Progress(committable=from_here, handled=from_here))
            readings[place] = Reading(end, from_here, known.handled, known.committable)
        return readings
