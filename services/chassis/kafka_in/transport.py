"""Our Faust transport: one fetch of all partitions is one event, and commits obey our own rule of offsets.

Stock Faust hands on record by record, acknowledges what an agent failed at, and can commit past a record in
flight. Here an acknowledgement by Faust means nothing: only `finished` and `release` move a commit.

Two threads: Faust's own consumer thread runs aiokafka and its rebalances; everything else here runs on the
loop of the app. What was fetched carries the assignment it was fetched under, because a fetch that began
before a rebalance may return afterwards.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust import App
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import get_logger
from yarl import URL

from services.chassis.kafka_in.chunk import Chunk, Held, Position, record_of
from services.chassis.kafka_in.offsets import Offsets

log = get_logger(__name__)

IN_FLIGHT: Final = 2  # one chunk in the engine, one waiting at its door
FETCH_SECONDS: Final = 1.0
COMMIT_SECONDS: Final = 5.0
REVOKE_SECONDS: Final = 8.0  # the engine answers within seconds; a rebalance must not wait for one that does not
BEHIND: Final = 100  # records of one fetch: who gets as many has more to read, and waits for no lull
RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last repeats for as long as the broker is away


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Whom the transport tells; all are called on the app's loop and must not block."""

    assigned: Callable[[frozenset[tuple[str, int]]], None]
    committed: Callable[[], None]
    fatal: Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class _Fetched:
    assignment: object
    records: dict[TP, list[Any]]


class ChunkMessage(ConsumerMessage):
    """Faust's envelope of one chunk. It names the first record's place, which only Faust looks at."""

    __slots__ = ("chunk",)

    def __init__(self, chunk: Chunk, generation: int) -> None:
        first = chunk.records[0]
        place = TP(first.topic, first.partition)
        super().__init__(
            *place, first.offset, first.timestamp_ms / 1000, 0, None, None, b"", None,
            tp=place, generation_id=generation,
        )  # fmt: skip
        self.chunk = chunk


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread of aiokafka: our settings, and fetches that know their assignment."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        settings = cast(Transport, transport).settings
        return aiokafka.AIOKafkaConsumer(partition_assignment_strategy=[RoundRobinPartitionAssignor], **settings)

    def assignment_token(self) -> object:
        """Return what changes with every assignment and with nothing else; None while there is none."""
        subscription = self._ensure_consumer()._subscription.subscription
        return subscription.assignment if subscription is not None else None

    async def fetch(self) -> _Fetched:
        """Wait up to a second for records of any assigned partition. Raises KafkaError."""
        fetched: _Fetched = await self.call_thread(self._fetch)
        return fetched

    async def _fetch(self) -> _Fetched:
        consumer = self._ensure_consumer()
        if consumer._closed or consumer._fetcher._closed:
            raise ConsumerStoppedError
        with consumer._subscription.fetch_context():
            records = await consumer._fetcher.fetched_records(
                (), timeout=FETCH_SECONDS, max_records=consumer._max_poll_records
            )
        # Nothing is awaited between the records' return and this line: they belong to this assignment.
        return _Fetched(self.assignment_token(), records)

    async def commit_offsets(self, offsets: dict[tuple[str, int], int]) -> None:
        """Commit, in the generation that this member is in. Raises KafkaError or TimeoutError."""
        await self.call_thread(self._commit_offsets, offsets)

    async def _commit_offsets(self, offsets: dict[tuple[str, int], int]) -> None:
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        # aiokafka repeats for ever while the broker is away, perhaps into another generation: bounded here.
        await asyncio.wait_for(self._ensure_consumer().commit(wanted), COMMIT_SECONDS)


class Consumer(driver.Consumer):
    """Faust's consumer with our fetch loop, our commits and our rebalances."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.offsets = Offsets()
        self._current: object = None  # the assignment whose records may be handed on
        self._in_flight: dict[Chunk, bool] = {}  # True once the agent has given it to the engine
        self._paused = False
        self._may_fetch = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        super().__init__(*args, **kwargs)
        self._lull = cast(Transport, self.transport).lull

    @property
    def callbacks(self) -> Callbacks:
        """Return whom to tell."""
        return cast(Transport, self.transport).callbacks

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- what the engine says ------------------------------------------------------------------------------

    def take(self, chunk: Chunk) -> bool:
        """Return whether the agent may give the chunk to the engine: not once its partitions were revoked."""
        if chunk not in self._in_flight:
            return False
        self._in_flight[chunk] = True
        return True

    def finished(self, chunk: Chunk, held: Held) -> None:
        """Take the engine's answer: every record of the chunk is done, except those held."""
        self.offsets.answered(chunk, held)
        self._in_flight.pop(chunk, None)
        self._consider()

    def release(self, position: Position) -> None:
        """Let commits pass a record that was held."""
        self.offsets.done((position.topic, position.partition), [position.offset])

    def pause(self, *, paused: bool) -> None:
        """Stop or go on handing out chunks; chunks in flight finish, the membership stays."""
        self._paused = paused
        self._consider()

    async def settle(self, seconds: float) -> bool:
        """Wait until no chunk is in flight, then commit. Return False if the time ran out first."""
        try:
            await asyncio.wait_for(self._drained.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            await self.force_commit()
        return True

    def lag(self) -> int:
        """Return how many records of our partitions the last fetches saw beyond what is handled."""
        assignment = cast(Any, self._thread.assignment_token())
        known = self.offsets.progress()
        waiting = 0
        for partition in assignment.tps if assignment is not None else ():
            state = assignment.state_value(partition)
            if state.highwater is not None and state.has_valid_position:
                progress = known.get((partition.topic, partition.partition))
                waiting += max(0, state.highwater - (progress.handled if progress else state.position))
        return waiting

    # -- fetching ------------------------------------------------------------------------------------------

    def _consider(self) -> None:
        free = self.flow_active and not self._paused and len(self._in_flight) < IN_FLIGHT
        (self._may_fetch.set if free and self._current is not None else self._may_fetch.clear)()
        (self._drained.clear if self._in_flight else self._drained.set)()

    def stop_flow(self) -> None:
        """Hand on nothing more."""
        super().stop_flow()
        self._consider()

    def resume_flow(self) -> None:
        """Hand on again."""
        super().resume_flow()
        self._consider()

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch for as long as Faust's fetcher runs; a broker that is away is waited for."""
        failures = 0
        parked: _Fetched | None = None  # records of an assignment that this loop has not yet heard of
        while not (self.should_stop or fetcher.should_stop):
            if await fetcher.wait_for_stopped(self._may_fetch):
                return
            try:
                fetched = parked or await self._thread.fetch()
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("kafka_fetch_failed error=%s retry_in=%.1f", type(error).__name__, delay)
                await fetcher.sleep(delay)
                continue
            failures = 0
            if self._lull and 0 < sum(map(len, fetched.records.values())) < BEHIND:
                await fetcher.sleep(self._lull)
            parked = await self._hand_on(fetched)

    async def _hand_on(self, fetched: _Fetched) -> _Fetched | None:
        if fetched.assignment is not self._current or not self.flow_active:
            # Of an older assignment: whoever has the partition now reads from the commit. Of a newer one:
            # its position has moved past these records, so they must be kept until we hear of it.
            return fetched if fetched.assignment is self._thread.assignment_token() else None
        records = [record_of(raw) for batch in fetched.records.values() for raw in batch]
        if not records:
            return None
        for partition, batch in fetched.records.items():
            self.offsets.fetched((partition.topic, partition.partition), [raw.offset for raw in batch])
        chunk = Chunk(records)
        self._in_flight[chunk] = False
        self._consider()
        await self.callback(ChunkMessage(chunk, self.app.consumer_generation_id))
        return None

    # -- committing ----------------------------------------------------------------------------------------

    def ack(self, message: Any) -> bool:
        """Note that Faust has done with the envelope. This says nothing of the records: no offset moves."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        return self.offsets.committable().get((tp.topic, tp.partition))

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what is done and in order. False when nothing was: it is tried again."""
        offsets = self.offsets.committable()
        if not offsets:
            return False
        try:
            await self._thread.commit_offsets(offsets)
        except (KafkaError, TimeoutError) as error:
            # Tried again a second later, or read again by whoever has the partition then.
            log.warning("kafka_commit_failed error=%s", type(error).__name__)
            return False
        self.offsets.committed(offsets)
        self.callbacks.committed()
        return True

    # -- rebalances ----------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish what is in flight, commit, and forget everything: every rebalance revokes all."""
        try:
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
            self._current = None
            # Faust's queues were cleared of the chunks that the agent had not taken.
            self._in_flight = {chunk: taken for chunk, taken in self._in_flight.items() if taken}
            self._consider()
            if revoked and not await self.settle(REVOKE_SECONDS):
                log.warning("kafka_revoked_in_flight chunks=%d", len(self._in_flight))
            self.offsets.forget()
            self._in_flight.clear()
            self._consider()
        except Exception as error:  # noqa: BLE001 - aiokafka would swallow it and go on half-stopped
            self.callbacks.fatal(error)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Go on from the committed offsets of the new assignment."""
        try:
            await self.app.topics.maybe_wait_for_subscriptions()
            await self.app.topics.on_partitions_assigned(assigned)
            self._set_active_tps(assigned)
            self.callbacks.assigned(frozenset((tp.topic, tp.partition) for tp in assigned))
            self._current = self._thread.assignment_token()
            self.app.flow_control.resume()
            self.resume_flow()
            await cast(App, self.app)._fetcher.maybe_start()
            self.app.on_rebalance_return()
            self.app.on_rebalance_end()
        except Exception as error:  # noqa: BLE001 - aiokafka would swallow it and go on half-started
            self.callbacks.fatal(error)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's stall detector measures what we do not do; chassis/watchdog.py has ours."""


class Transport(driver.Transport):
    """The transport itself. Set as `app.transport`, so it needs no entry point and no URL scheme.

    `settings` are those of aiokafka's consumer (KafkaAccess.aiokafka_consumer), `lull` is KafkaIn's.
    """

    Consumer = Consumer

    def __init__(self, app: Any, *, settings: dict[str, Any], callbacks: Callbacks, lull: float = 0.0) -> None:
        servers = [URL(f"kafka://{server}") for server in settings["bootstrap_servers"]]
        super().__init__(servers, app, app.loop)
        self.settings = settings
        self.callbacks = callbacks
        self.lull = lull
