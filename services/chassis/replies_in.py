"""Partners' replies in: topics found by pattern, which Faust cannot do, read by aiokafka itself."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from services.chassis.kafka_in.chunk import Chunk, Handle, Held, record_of
from services.chassis.kafka_in.consumer import end_process
from services.chassis.kafka_in.offsets import Offsets
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.loops import cancel_others
from services.topics import REPLIES_PATTERN

log = logging.getLogger(__name__)

NEW_TOPICS_WITHIN_MS = 3_000
FETCH_MS = 500
START_SECONDS = 15.0
COMMIT_SECONDS = 5.0
REVOKE_SECONDS = 8.0  # a rebalance must not wait for an engine that does not answer
CLOSE_SECONDS = 5.0
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last repeats for as long as the broker is away
# While a chunk is in the engine, or reading is paused, nothing is fetched; past this the group goes on without us
# and what we had is repeated.
AWAY_MS = 300_000


class RepliesIn:
    """Reads every topic that matches `pattern` and gives each fetch to `handle`, one chunk at a time.

    At least once, in order within a partition; a topic made later is found within 10 s. A rebalance waits for the
    chunk in flight, for up to 8 s, and what is finished later is repeated. Offsets are committed when their records
    are done. A broker that is away is waited for; what cannot be mended goes to `on_fatal`, once, which by default
    ends the process with status 70. `handle` is called on RepliesIn's thread.
    """

    def __init__(
        self,
        access: KafkaAccess,
        group: str,
        handle: Handle,
        *,
        pattern: str = REPLIES_PATTERN,
        on_fatal: Callable[[BaseException], None] = end_process,
    ) -> None:
        self._settings = {
            **access.aiokafka_consumer(f"{group}-in", group),
            "metadata_max_age_ms": NEW_TOPICS_WITHIN_MS,
            "max_poll_interval_ms": AWAY_MS,
        }
        self._pattern = pattern
        self._handle = handle
        self._on_fatal = on_fatal
        self._offsets = Offsets()
        self._last_commit: float | None = None
        self._clean = True
        self._failures = 0
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._running = asyncio.Event()
        self._running.set()
        self._rebalancing = True  # until the first partitions are ours
        self._one_chunk = asyncio.Lock()
        self._thread = threading.Thread(target=self._run, name=f"replies-in-{group}", daemon=True)

    # -- from any thread -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read, and return at once."""
        self._thread.start()

    def stop(self, seconds: float = 15.0) -> bool:
        """Let the chunk in flight finish, commit, leave the group. False when it did not within `seconds`."""
        self._post(self._stopping.set)
        self._post(self._running.set)
        self._thread.join(seconds)
        return not self._thread.is_alive() and self._clean

    def pause(self) -> None:
        """Read nothing more until `resume`: the store or the broker is away."""
        self._post(self._running.clear)

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        self._post(self._running.set)

    def release(self, topic: str, partition: int, offset: int) -> None:
        """Let commits pass a record that `handle` had reported as held."""
        self._post(lambda: self._offsets.done((topic, partition), [offset]))

    @property
    def last_commit_time(self) -> float | None:
        """When the broker last confirmed a commit (time.monotonic), or None."""
        return self._last_commit

    def _post(self, change: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # it has ended, and there is nothing left to change
            self._loop.call_soon_threadsafe(change)

    # -- on its own thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._until_stopped())
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the process must end
            self._clean = False
            self._on_fatal(error)
        finally:
            self._loop.close()

    async def _until_stopped(self) -> None:
        while not self._stopping.is_set():
            consumer = AIOKafkaConsumer(**self._settings)
            consumer.subscribe(pattern=self._pattern, listener=_Rebalance(self, consumer))
            try:
                error = await self._start(consumer) or await self._read(consumer)
            finally:
                await self._end(consumer)
            if error is not None:
                await self._wait_for_broker(error)

    async def _start(self, consumer: AIOKafkaConsumer) -> Exception | None:
        """Connect. The error where that failed."""
        try:
            await asyncio.wait_for(consumer.start(), START_SECONDS)
        except (KafkaError, TimeoutError) as error:
            return error
        return None

    async def _read(self, consumer: AIOKafkaConsumer) -> Exception | None:
        """Read until told to stop, or until an error after which aiokafka's consumer may have ended inside."""
        while not self._stopping.is_set():
            await self._running.wait()
            try:
                batches = await consumer.getmany(timeout_ms=FETCH_MS)
            except KafkaError as error:
                return cast(Exception, error)
            self._failures = 0
            # Nothing is awaited between the fetch and this line. While partitions change hands nothing is taken:
            # what comes then is fetched again by whoever gets them.
            if not self._rebalancing:
                async with self._one_chunk:
                    if batches:
                        await self._through_the_door(batches)
                    self._clean = await self._commit(consumer)
        return None

    async def _through_the_door(self, batches: Mapping[TopicPartition, list[Any]]) -> None:
        for partition, raws in batches.items():
            self._offsets.fetched((partition.topic, partition.partition), [raw.offset for raw in raws])
        chunk = Chunk([record_of(raw) for raws in batches.values() for raw in raws])
        held: Held = await asyncio.wrap_future(self._handle(chunk))
        self._offsets.answered(chunk, held)

    async def _commit(self, consumer: AIOKafkaConsumer) -> bool:
        """Commit what is done. False when the broker did not confirm: tried again after the next fetch."""
        offsets = self._offsets.committable()
        if not offsets:
            return True
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        try:
            # aiokafka repeats for ever while the broker is away.
            await asyncio.wait_for(consumer.commit(wanted), COMMIT_SECONDS)
        except (KafkaError, TimeoutError) as error:
            log.warning("replies_commit_failed error=%s", type(error).__name__)
            return False
        self._offsets.committed(offsets)
        self._last_commit = time.monotonic()
        return True

    async def _wait_for_broker(self, error: Exception) -> None:
        delay = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        log.warning("replies_consumer_failed error=%s another_in=%.1f", type(error).__name__, delay)
        await _within(delay, self._stopping.wait())

    async def _end(self, consumer: AIOKafkaConsumer) -> None:
        self._rebalancing = True
        if not await _within(CLOSE_SECONDS, consumer.stop()):
            log.warning("replies_consumer_did_not_close")
        await cancel_others(CLOSE_SECONDS)  # a heartbeat that went on would keep the partitions from its successor
        self._offsets.forget()

    # -- what the group says ---------------------------------------------------------------------------------------

    async def revoked(self, consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> None:
        """Let the chunk in flight finish, commit what is done of partitions that go, and forget them."""
        self._rebalancing = True
        if partitions and await _within(REVOKE_SECONDS, self._one_chunk.acquire()):
            try:
                await self._commit(consumer)
            finally:
                self._one_chunk.release()
        self._offsets.forget([(partition.topic, partition.partition) for partition in partitions])

    def assigned(self) -> None:
        """Read on; each partition starts at its committed offset."""
        self._rebalancing = False


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, replies: RepliesIn, consumer: AIOKafkaConsumer) -> None:
        self._replies = replies
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._replies.revoked(self._consumer, revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._replies.assigned()


async def _within(seconds: float, doing: Coroutine[Any, Any, Any]) -> bool:
    """Whether it ended well in time."""
    try:
        await asyncio.wait_for(doing, seconds)
    except (KafkaError, TimeoutError):
        return False
    return True
