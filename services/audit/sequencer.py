"""Reads every partition of every topic into the log and the index, once; a plain thread with one consumer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import OffsetOutOfRangeError

from services.audit.broker import Described, topics_of
from services.audit.entries import Entry, entry_of, leaf_of
from services.audit.index import Index
from services.audit.indexer import Indexer
from services.audit.indexing import bring_up
from services.audit.log.leaf import Gap, Leaf, batch_of
from services.audit.log.writer import Writer
from services.audit.patience import Patience, Stopping
from services.chassis import logs
from services.chassis.kafka_in.chunk import record_of
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.metrics import METRICS, Metrics
from services.chassis.spans import spans_of

T = TypeVar("T")
log = logs.get(__name__)

LOOK_EVERY_SECONDS = 4.0
"""New topics are looked for this often: with the look itself, they are read within 10 s."""
POLL_MS = 500
MOST_TOGETHER = 2_000
"""Records that are appended at once: a checkpoint costs as much for one as for all."""
CLOSE_MS = 5_000
STUCK_SECONDS = 60.0
EXIT_BROKEN = 70
EXPIRED, MISSING = "expired-unread", "missing-on-topic"
"""Why there is a gap."""
CLIENT = "audit-sequencer"

Logged = tuple[Leaf | Gap, Entry | None]
"""What goes to the log, and what of it goes to the index."""


class LogAhead(Exception):
    """The log holds records that the broker no longer has at a partition's end: the broker was put back."""


class Stuck(Exception):
    """The broker answers and has more, but nothing arrives: a consumer that does not recover by itself."""


def end_process(error: BaseException) -> None:
    """End this process at once; its supervisor starts it again from the log."""
    log.critical("sequencer_broken", why=type(error).__name__, exc_info=error)
    os._exit(EXIT_BROKEN)


class Sequencer:
    """Starts where the log says. Store, broker or disk away is waited for, and told by `standing`.

    `standing(condition, ready)` hears of store, broker, log and stream. What cannot be mended goes to `on_fatal`,
    once: another writer of the log, a log or a broker that went back.
    """

    def __init__(
        self,
        access: KafkaAccess,
        index: Index,
        open_log: Callable[[], Writer],
        standing: Callable[[str, bool], None],
        *,
        on_fatal: Callable[[BaseException], None] = end_process,
        metrics: Metrics = METRICS,
    ) -> None:
        # Nothing may be skipped in silence: an offset that the broker does not have is an error to look at.
        self._settings = {**access.consumer(CLIENT), "auto_offset_reset": "none", "max_poll_records": MOST_TOGETHER}
        self._access = access
        self._index = index
        self._open_log = open_log
        self._standing = standing
        self._on_fatal = on_fatal
        self._metrics = metrics
        self._next: dict[TopicPartition, int] = {}
        self._ids: dict[str, str] = {}
        self._jumped: dict[TopicPartition, int] = {}
        self._moved = time.monotonic()
        self._look_at = float("-inf")
        self._stopping = threading.Event()
        self._patiently = Patience(standing, self._stopping)
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
            with self._patiently("log", self._open_log) as self._writer:
                self._admin = self._broker(lambda: KafkaAdminClient(**self._access.admin(CLIENT)))
                try:
                    self._bring_up_index()
                    with Indexer(self._index, self._patiently) as self._indexer:
                        self._read_all()
                finally:
                    self._admin.close()
        except Stopping:
            log.info("sequencer_stopped")
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the process must end
            self._on_fatal(error)

    def _bring_up_index(self) -> None:
        """The log is written first: what a crash kept from the index comes now."""
        consumer = self._broker(lambda: KafkaConsumer(**self._access.consumer(f"{CLIENT}-again")))
        try:
            again = self._broker(lambda: bring_up(self._index, self._writer.reader(), consumer, topics_of(self._admin)))
        finally:
            consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
        log.info("log_opened", size=self._writer.tree.size, indexed_again=again)

    def _read_all(self) -> None:
        consumer = self._broker(lambda: KafkaConsumer(**self._settings))
        try:
            while not self._stopping.is_set():
                if time.monotonic() >= self._look_at:
                    self._store(self._index.ping)
                    self._broker(lambda: self._look(consumer))
                    self._look_at = time.monotonic() + LOOK_EVERY_SECONDS
                batches = self._broker(lambda: self._poll(consumer))
                self._indexer.look()
                if batches:
                    self._keep(consumer, batches)
                else:
                    self._patiently("log", self._writer.tidy)
        finally:
            consumer.close(autocommit=False, timeout_ms=CLOSE_MS)

    def _look(self, consumer: KafkaConsumer) -> None:
        """See which topics there are now, and how far behind we are."""
        seen = topics_of(self._admin)
        again = self._made_again(seen)
        if not again:  # before new topics are assigned, whose leaders may not know of them yet
            self._measure(consumer)
        self._ids |= {name: topic.id for name, topic in seen.items()}
        found = {TopicPartition(name, number) for name, topic in seen.items() for number in topic.partitions}
        if again or found != consumer.assignment():
            consumer.assign([])  # what was fetched of a topic that is gone must not count as of the next
            consumer.assign(sorted(found))
            logged = self._writer.positions
            for partition in found:
                start = logged.get((self._ids[partition.topic], partition.partition), 0)
                consumer.seek(partition, self._next.setdefault(partition, start))
            log.info("partitions_assigned", topics=len(seen), partitions=len(found))
        self._standing("stream", bool(found))

    def _made_again(self, seen: Mapping[str, Described]) -> list[str]:
        """Topics that are others under their old names: their records have places of their own in the log."""
        again = [name for name, topic in seen.items() if self._ids.get(name, topic.id) != topic.id]
        for name in again:
            log.error("topic_made_again", topic=name, was=self._ids[name], now=seen[name].id)
            for partition in [partition for partition in self._next if partition.topic == name]:
                del self._next[partition]
                self._jumped.pop(partition, None)
        return again

    def _measure(self, consumer: KafkaConsumer) -> None:
        # Bounded, unlike the request for topics: a broker that hangs is noticed here.
        ends = {partition: span[1] for partition, span in spans_of(consumer, sorted(consumer.assignment())).items()}
        for partition, end in ends.items():
            behind = max(0, end - self._next[partition])
            self._metrics.lag.labels(partition.topic, str(partition.partition)).set(behind)
        now = time.monotonic()
        if all(end <= self._next[partition] for partition, end in ends.items()):
            self._moved = now
        elif now - self._moved > STUCK_SECONDS:
            raise Stuck(f"nothing arrived for {STUCK_SECONDS:.0f} s, though the broker answers and has more")
        ahead = [partition for partition, end in ends.items() if end < self._next[partition]]
        if ahead and self._is_same(ahead[0].topic):
            raise self._ahead(ahead[0], ends[ahead[0]])

    def _ahead(self, partition: TopicPartition, end: int) -> LogAhead:
        return LogAhead(
            f"{partition.topic}/{partition.partition} ends at offset {end}, but the log holds it up to "
            f"{self._next[partition]}: the broker was put back. Put its newest copy back; nothing is logged until then"
        )

    def _is_same(self, topic: str) -> bool:
        """Whether the broker still has the topic that we read; if not, look at all of them at once."""
        seen = topics_of(self._admin).get(topic)
        same = seen is not None and seen.id == self._ids[topic]
        if not same:
            self._look_at = float("-inf")
        return same

    def _poll(self, consumer: KafkaConsumer) -> Mapping[TopicPartition, Sequence[Any]]:
        try:
            batches: Mapping[TopicPartition, Sequence[Any]] = consumer.poll(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                if self._is_same(partition.topic):
                    self._go_on_from_beginning(consumer, partition)
            return {}
        return batches

    def _go_on_from_beginning(self, consumer: KafkaConsumer, partition: TopicPartition) -> None:
        """Records of partners' topics expire; what expired before it was read is gone, and is said loudly."""
        wanted = self._next[partition]
        beginning, end = spans_of(consumer, [partition])[partition]
        if beginning <= wanted:
            raise self._ahead(partition, end)
        log.error(
            "records_expired_unread",
            topic=partition.topic,
            partition=partition.partition,
            first=wanted,
            count=beginning - wanted,
        )
        self._log([(self._gap(partition, wanted, beginning, EXPIRED), None)])
        self._next[partition] = beginning
        consumer.seek(partition, beginning)

    def _gap(self, partition: TopicPartition, first: int, until: int, why: str) -> Gap:
        place = (partition.topic, self._ids[partition.topic], partition.partition)
        return Gap(*place, first, until, time.time_ns() // 1_000_000, why)

    def _keep(self, consumer: KafkaConsumer, batches: Mapping[TopicPartition, Sequence[Any]]) -> None:
        # Ids are asked for after the fetch: one that is as it was before it is that of the records.
        seen = self._broker(lambda: topics_of(self._admin))
        logged: list[Logged] = []
        reached: dict[TopicPartition, int] = {}
        for partition, raws in batches.items():
            topic = seen.get(partition.topic)
            if topic is None or topic.id != self._ids[partition.topic]:
                consumer.seek(partition, self._next[partition])
                self._look_at = float("-inf")
                continue
            found = self._joined(consumer, partition, raws)
            if found:
                logged += found
                reached[partition] = found[-1][0].until
        if logged:
            self._log(logged)
            self._next.update(reached)
            self._moved = time.monotonic()

    def _joined(self, consumer: KafkaConsumer, partition: TopicPartition, raws: Sequence[Any]) -> list[Logged]:
        """What follows on the last record without a hole. From a hole on it is fetched again, once: the client may
        have dropped some on an error; what is then still missing is not on the topic."""
        expected = self._next[partition]
        found: list[Logged] = []
        for raw in raws:
            if raw.offset != expected:
                if self._jumped.get(partition) != expected:
                    self._jumped[partition] = expected
                    consumer.seek(partition, expected)
                    break
                log.error("offsets_missing", topic=partition.topic, partition=partition.partition, first=expected)
                found.append((self._gap(partition, expected, raw.offset, MISSING), None))
            record = record_of(raw)
            entry = entry_of(record)
            found.append((leaf_of(record, entry, self._ids[partition.topic]), entry))
            expected = raw.offset + 1
        return found

    def _log(self, logged: Sequence[Logged]) -> None:
        """To the log, which makes it last and signs it; then to the index, which follows and can be made again."""
        batch = batch_of(leaf for leaf, _ in logged)
        appended = self._patiently("log", lambda: self._writer.append(batch))
        placed = [(place, entry) for place, (_, entry) in enumerate(logged, appended.first) if entry is not None]
        self._indexer.save(placed, appended.tree.size)

    def _store(self, action: Callable[[], T]) -> T:
        return self._patiently("store", action)

    def _broker(self, action: Callable[[], T]) -> T:
        return self._patiently("broker", action)
