"""Our Faust transport: one fetch of all partitions is one event, and commits obey our own rule of offsets.

Stock Faust hands on record by record, acknowledges what an agent failed at, and can commit past a record in
flight. Here an acknowledgement by Faust means nothing: only `finished` and `release` move a commit.

One thread: aiokafka (loop_consumer.py), its rebalances and everything else run on the loop of the app. What was fetched
carries the assignment it was fetched under, because a fetch that began before a rebalance may return afterwards.
"""

import asyncio
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust import App
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import get_logger
from yarl import URL

from services.chassis.kafka_in.chunk import Chunk, Held, Position, record_of
from services.chassis.kafka_in.loop_consumer import Fetched, LoopConsumer
from services.chassis.kafka_in.offsets import Offsets

log = get_logger(__name__)

IN_FLIGHT: Final = 2  # one chunk in the engine, one waiting at its door
REVOKE_SECONDS: Final = 8.0  # the engine answers within seconds; a rebalance must not wait for one that does not
BEHIND: Final = 100  # records of one fetch: who gets as many has more to read, and rests for no lull
RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last repeats for as long as the broker is away


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Whom the transport tells; all are called on the app's loop and must not block."""

    assigned: Callable[[frozenset[tuple[str, int]]], None]
    committed: Callable[[], None]
    take_answers: Callable[[], None]
    fatal: Callable[[BaseException], None]


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


class Consumer(driver.Consumer):
    """Faust's consumer with our fetch loop, our commits and our rebalances."""

    _thread: LoopConsumer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.offsets = Offsets()
        self._current: object = None  # the assignment whose records may be handed on
        self._in_flight: dict[Chunk, bool] = {}  # True once the agent has given it to the engine
        self._paused = False
        self._may_fetch = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._waiting = 0
        super().__init__(*args, **kwargs)
        transport = cast(Transport, self.transport)
        self._unhurried, self._lull = transport.unhurried, transport.lull

    @property
    def callbacks(self) -> Callbacks:
        """Return whom to tell."""
        return cast(Transport, self.transport).callbacks

    def _new_consumer_thread(self) -> LoopConsumer:
        return LoopConsumer(self, loop=self.loop, beacon=self.beacon)

    @property
    def waits_for_answers(self) -> bool:
        """Return whether something goes on only with an answer of the engine's. From any thread."""
        return self._waiting > 0

    @contextmanager
    def _awaiting_answers(self) -> Generator[None]:
        """Be woken by answers; those that came just before are taken now."""
        self._waiting += 1
        try:
            self.callbacks.take_answers()
            yield
        finally:
            self._waiting -= 1

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
            with self._awaiting_answers():
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
        parked: Fetched | None = None  # records of an assignment that this loop has not yet heard of
        while not (self.should_stop or fetcher.should_stop):
            self.callbacks.take_answers()
            if not self._may_fetch.is_set():
                with self._awaiting_answers():
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
            # At once, before aiokafka asks for more: nothing is awaited between the records' return and this.
            if self._unhurried and self._may_rest(fetched):
                self._thread.rest(self._unhurried, self._lull)
            parked = await self._hand_on(fetched)

    def _may_rest(self, fetched: Fetched) -> bool:
        few = sum(map(len, fetched.records.values())) < BEHIND
        return few and any(partition.topic in self._unhurried for partition in fetched.records)

    async def _hand_on(self, fetched: Fetched) -> Fetched | None:
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
        self.callbacks.take_answers()
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
            self.callbacks.take_answers()
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

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: Faust's stall detector measures what we do not do; chassis/watchdog.py has ours."""


class Transport(driver.Transport):
    """The transport itself. Set as `app.transport`, so it needs no entry point and no URL scheme.

    `settings` are those of aiokafka's consumer (KafkaAccess.aiokafka_consumer), `unhurried` and `lull` are KafkaIn's.
    """

    Consumer = Consumer

    def __init__(
        self, app: Any, *, settings: dict[str, Any], callbacks: Callbacks, unhurried: Collection[str], lull: float
    ) -> None:
        servers = [URL(f"kafka://{server}") for server in settings["bootstrap_servers"]]
        super().__init__(servers, app, app.loop)
        self.settings = settings
        self.callbacks = callbacks
        self.unhurried = unhurried
        self.lull = lull
