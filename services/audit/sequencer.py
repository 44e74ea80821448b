"""Reads every partition of every topic and keeps each record once; a plain thread with one consumer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from services.audit.entries import entry_of
from services.audit.index import Index, Place
from services.chassis import logs
from services.chassis.engine.away import Away
from services.chassis.kafka_in.chunk import Record
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.metrics import METRICS, Metrics

T = TypeVar("T")
log = logs.get(__name__)

LOOK_EVERY_SECONDS = 4.0
"""New topics are looked for this often: with the look itself, they are read within 10 s."""
POLL_MS = 500
ASK_MS = 5_000
CLOSE_MS = 5_000
STUCK_SECONDS = 60.0
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last repeats for as long as the store or the broker is away
EXIT_BROKEN = 70
INTERNAL = "__"
"""Topics of Kafka's own begin with this."""


class IndexAhead(Exception):
    """The index holds records that the broker no longer has at its end: it was put back, or a topic made again."""


class Stuck(Exception):
    """The broker answers and has more, but nothing arrives: a consumer that does not recover by itself."""


class _Stopping(Exception):
    """Told to stop while waiting."""


def end_process(error: BaseException) -> None:
    """End this process at once; its supervisor starts it again from the positions."""
    log.critical("sequencer_broken", exc_info=error)
    os._exit(EXIT_BROKEN)


class Sequencer:
    """Starts where the index's positions say. The store or the broker away is waited for, and told by `standing`.

    `standing(condition, ready)` hears of store, broker and stream. What cannot be mended goes to `on_fatal`, once.
    """

    def __init__(
        self,
        access: KafkaAccess,
        index: Index,
        standing: Callable[[str, bool], None],
        *,
        on_fatal: Callable[[BaseException], None] = end_process,
        metrics: Metrics = METRICS,
    ) -> None:
        # Nothing may be skipped in silence: an offset that the broker does not have is an error to look at.
        self._settings = {**access.consumer("audit-sequencer"), "auto_offset_reset": "none"}
        self._index = index
        self._standing = standing
        self._on_fatal = on_fatal
        self._metrics = metrics
        self._next: dict[TopicPartition, int] = {}
        self._kept: Mapping[Place, int] = {}
        self._jumped: dict[TopicPartition, int] = {}
        self._moved = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def start(self) -> None:
        """Begin to read, and return at once."""
        self._thread.start()

    def stop(self, seconds: float = 15.0) -> bool:
        """Keep what was fetched and end. False where that took longer; it is read again then."""
        self._stopping.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._store(self._index.prepare)
            self._kept = self._store(self._index.positions)
            consumer = self._broker(lambda: KafkaConsumer(**self._settings))
            try:
                self._read(consumer)
            finally:
                consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
        except _Stopping:
            log.info("sequencer_stopped")
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the process must end
            self._on_fatal(error)

    def _read(self, consumer: KafkaConsumer) -> None:
        looked = float("-inf")
        while not self._stopping.is_set():
            if time.monotonic() - looked >= LOOK_EVERY_SECONDS:
                self._store(self._index.ping)
                self._broker(lambda: self._look(consumer))
                looked = time.monotonic()
            batches = self._broker(lambda: self._poll(consumer))
            if batches:
                self._keep(consumer, batches)

    def _look(self, consumer: KafkaConsumer) -> None:
        """See how far behind we are, and which topics there are now."""
        self._measure(consumer)
        names = [name for name in consumer.topics() if not name.startswith(INTERNAL)]
        found = {TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name)}
        if found != consumer.assignment():
            consumer.assign(sorted(found))
            for partition in found:
                start = self._kept.get((partition.topic, partition.partition), 0)
                consumer.seek(partition, self._next.setdefault(partition, start))
            log.info("partitions_assigned", topics=len(names), partitions=len(found))
        self._standing("stream", bool(found))

    def _measure(self, consumer: KafkaConsumer) -> None:
        # Bounded, unlike the request for topics: a broker that hangs is noticed here.
        ends = consumer.end_offsets(sorted(consumer.assignment()), timeout_ms=ASK_MS)
        for partition, end in ends.items():
            behind = max(0, end - self._next[partition])
            self._metrics.lag.labels(partition.topic, str(partition.partition)).set(behind)
        now = time.monotonic()
        if all(end <= self._next[partition] for partition, end in ends.items()):
            self._moved = now
        elif now - self._moved > STUCK_SECONDS:
            raise Stuck(f"nothing arrived for {STUCK_SECONDS:.0f} s, though the broker answers and has more")

    def _poll(self, consumer: KafkaConsumer) -> Mapping[TopicPartition, Sequence[Any]]:
        try:
            batches: Mapping[TopicPartition, Sequence[Any]] = consumer.poll(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                self._go_on_from_beginning(consumer, partition)
            return {}
        return batches

    def _go_on_from_beginning(self, consumer: KafkaConsumer, partition: TopicPartition) -> None:
        """Records of partners' topics expire; what expired before it was read is gone, and is said loudly."""
        wanted = self._next[partition]
        beginning = consumer.beginning_offsets([partition], timeout_ms=ASK_MS)[partition]
        if beginning <= wanted:
            raise IndexAhead(
                f"{partition.topic}/{partition.partition} ends before offset {wanted}, up to which it was read: the "
                "broker was put back, or the topic was made again; run `referrals rebuild audit`"
            )
        log.error(
            "records_expired_unread",
            topic=partition.topic,
            partition=partition.partition,
            first=wanted,
            count=beginning - wanted,
        )
        self._next[partition] = beginning
        consumer.seek(partition, beginning)

    def _keep(self, consumer: KafkaConsumer, batches: Mapping[TopicPartition, Sequence[Any]]) -> None:
        whole = {partition: raws for partition, raws in batches.items() if self._joins(consumer, partition, raws)}
        if not whole:
            return
        entries = [entry_of(_record(raw)) for raws in whole.values() for raw in raws]
        reached = {partition: raws[-1].offset + 1 for partition, raws in whole.items()}
        positions = {(partition.topic, partition.partition): offset for partition, offset in reached.items()}
        self._store(lambda: self._index.save(entries, positions))
        self._next.update(reached)
        self._moved = time.monotonic()

    def _joins(self, consumer: KafkaConsumer, partition: TopicPartition, raws: Sequence[Any]) -> bool:
        """Whether the records follow on the last ones. If not they are fetched again, once: the client may have
        dropped some on an error; what is then still missing is not on the topic."""
        expected, first = self._next[partition], raws[0].offset
        if first == expected:
            return True
        if self._jumped.get(partition) == expected:
            log.error("offsets_missing", topic=partition.topic, partition=partition.partition, first=expected)
            return True
        self._jumped[partition] = expected
        consumer.seek(partition, expected)
        return False

    def _store(self, action: Callable[[], T]) -> T:
        return self._patiently("store", action)

    def _broker(self, action: Callable[[], T]) -> T:
        return self._patiently("broker", action)

    def _patiently(self, what: str, action: Callable[[], T]) -> T:
        """Repeat until it is done, however long that takes: nothing is skipped. Raises _Stopping when told to stop."""
        failures = 0
        while True:
            try:
                done = action()
            except (Away, KafkaError) as error:
                self._standing(what, False)
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                log.warning("sequencer_waits", away=what, error=type(error).__name__, retry_in=delay)
                failures += 1
                if self._stopping.wait(delay):
                    raise _Stopping from error
            else:
                self._standing(what, True)
                return done


def _record(raw: Any) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))
