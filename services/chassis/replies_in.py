"""Partners' replies in: topics found by pattern, which Faust cannot do, read by kafka-python."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from services.chassis.kafka_in.chunk import Chunk, Handle, Held, Record
from services.chassis.kafka_in.consumer import end_process
from services.chassis.kafka_in.offsets import Offsets
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.pulse import Pulse

log = logging.getLogger(__name__)

REPLIES = r"^partner\..*\.replies\.v1$"
NEW_TOPICS_WITHIN_MS = 5_000
POLL_MS = 500
COMMIT_MS = 5_000
CLOSE_MS = 5_000
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last repeats for as long as the broker is away
# While a chunk is in the engine, or reading is paused, nothing polls; past this the group goes on without us
# and what we had is repeated.
AWAY_MS = 300_000


class RepliesIn:
    """Reads every topic that matches `pattern` and gives each fetch to `handle`, one chunk at a time.

    At least once, in order within a partition; a topic made later is found within 10 s. A rebalance happens
    only between chunks, so none is ever in flight when a partition goes. Offsets are committed when their
    records are done. A broker that is away is waited for; what cannot be mended goes to `on_fatal`, once,
    which by default ends the process with status 70. `handle` is called on RepliesIn's thread.
    """

    def __init__(
        self,
        access: KafkaAccess,
        group: str,
        handle: Handle,
        *,
        pattern: str = REPLIES,
        on_fatal: Callable[[BaseException], None] = end_process,
    ) -> None:
        self._settings = {
            **access.consumer(f"{group}-replies-in", group),
            "metadata_max_age_ms": NEW_TOPICS_WITHIN_MS,
            "max_poll_interval_ms": AWAY_MS,
        }
        self._pattern = pattern
        self._handle = handle
        self._on_fatal = on_fatal
        self._offsets = Offsets()
        self._released: queue.SimpleQueue[tuple[str, int, int]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._last_commit: float | None = None
        self._clean = False
        self._thread = threading.Thread(target=self._run, name=f"replies-in-{group}", daemon=True)

    def start(self) -> None:
        """Begin to read, and return at once."""
        self._thread.start()

    def stop(self, seconds: float = 15.0) -> bool:
        """Let the chunk in flight finish, commit, leave the group. False when it did not within `seconds`."""
        self._stopping.set()
        self._running.set()
        self._thread.join(seconds)
        return not self._thread.is_alive() and self._clean

    def pause(self) -> None:
        """Read nothing more until `resume`: the store or the broker is away."""
        self._running.clear()

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        self._running.set()

    def release(self, topic: str, partition: int, offset: int) -> None:
        """Let commits pass a record that `handle` had reported as held. From any thread."""
        self._released.put((topic, partition, offset))

    @property
    def last_commit_time(self) -> float | None:
        """When the broker last confirmed a commit (time.monotonic), or None."""
        return self._last_commit

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                consumer = self._connect()
                if consumer is None:
                    self._clean = True
                    return
                try:
                    self._read(consumer)
                    self._clean = self._commit(consumer)
                finally:
                    consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
                    self._offsets.forget()
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the process must end
            self._on_fatal(error)

    def _connect(self) -> KafkaConsumer | None:
        failures = 0
        while not self._stopping.is_set():
            try:
                consumer = KafkaConsumer(**self._settings)
            except KafkaError as error:
                failures = self._wait_for_broker("connect", error, failures)
            else:
                consumer.subscribe(pattern=self._pattern, listener=_Rebalance(self, consumer))
                return consumer
        return None

    def _read(self, consumer: KafkaConsumer) -> None:
        """Read until told to stop, or until the consumer has no pulse any more and another must take its place."""
        failures = 0
        pulse = Pulse(consumer)
        while not self._stopping.is_set():
            self._running.wait()
            if why := pulse.missing():
                log.warning("replies_consumer_replaced why=%s", why)
                return
            try:
                batches = consumer.poll(timeout_ms=POLL_MS)
            except KafkaError as error:
                failures = self._wait_for_broker("poll", error, failures)
                continue
            failures = 0
            if batches:
                pulse.read()
                self._through_the_door(batches)
            self._commit(consumer)

    def _through_the_door(self, batches: Mapping[TopicPartition, list[Any]]) -> None:
        for partition, raws in batches.items():
            self._offsets.fetched((partition.topic, partition.partition), [raw.offset for raw in raws])
        chunk = Chunk([_record(raw) for raws in batches.values() for raw in raws])
        held: Held = self._handle(chunk).result()
        waiting = set(held)
        for record in chunk.records:
            settle = self._offsets.hold if record.position in waiting else self._offsets.done
            settle((record.topic, record.partition), record.offset)

    def _commit(self, consumer: KafkaConsumer) -> bool:
        """Commit what is done. False when the broker did not confirm: tried again after the next poll."""
        while not self._released.empty():
            topic, partition, offset = self._released.get()
            self._offsets.done((topic, partition), offset)
        offsets = self._offsets.committable()
        if not offsets:
            return True
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
        try:
            consumer.commit(wanted, timeout_ms=COMMIT_MS)
        except KafkaError as error:
            log.warning("replies_commit_failed error=%s", type(error).__name__)
            return False
        self._offsets.committed(offsets)
        self._last_commit = time.monotonic()
        return True

    def _wait_for_broker(self, doing: str, error: KafkaError, failures: int) -> int:
        delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
        log.warning("replies_%s_failed error=%s retry_in=%.1f", doing, type(error).__name__, delay)
        self._stopping.wait(delay)
        return failures + 1

    def revoked(self, consumer: KafkaConsumer, partitions: Collection[TopicPartition], *, ours: bool) -> None:
        """Commit what is done of partitions that go, unless they are gone already, and forget them."""
        if ours:
            self._commit(consumer)
        self._offsets.forget([(partition.topic, partition.partition) for partition in partitions])


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python ships no types
    def __init__(self, replies: RepliesIn, consumer: KafkaConsumer) -> None:
        self._replies = replies
        self._consumer = consumer

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._replies.revoked(self._consumer, revoked, ours=True)

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        self._replies.revoked(self._consumer, lost, ours=False)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Nothing: each partition starts at its committed offset."""


def _record(raw: Any) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))
