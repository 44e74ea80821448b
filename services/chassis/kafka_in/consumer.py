"""Faust, embedded: one agent gives chunks to the engine, on a thread and an event loop of its own."""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, cast

import faust
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy

from services.chassis.kafka_in.chunk import Chunk, Handle, Held, Position
from services.chassis.kafka_in.offsets import Progress, TopicPartition
from services.chassis.kafka_in.transport import Callbacks, Consumer, Transport
from services.chassis.kafka_settings import FETCH_MAX_RECORDS, KafkaAccess

log = logging.getLogger(__name__)

EXIT_BROKEN = 70
COMMIT_EVERY_SECONDS = 1.0
BROKER_RETRY_SECONDS = 1.0
ANSWER_SECONDS = 5.0
LULL_SECONDS = 0.25

T = TypeVar("T")


def end_process(error: BaseException) -> None:
    """End this process at once, so that its supervisor starts it again from the committed offsets."""
    log.critical("kafka_in_broken error=%s", type(error).__name__, exc_info=error)
    os._exit(EXIT_BROKEN)


class KafkaIn:
    """Reads `topics` as member of `group` and gives every fetch to `handle` as one chunk.

    Delivery is at least once, in order within a partition. At most two chunks are in flight, given in order.
    A chunk has at most `max_records` records, and some 8 MB. After records of a topic in `unhurried`, if they are few,
    no more of these topics is asked for during `lull` seconds, and what comes meanwhile goes together: nobody waits for
    what they lead to, and each alone would cost a fetch, a turn and a save.
    An offset is committed (each second, on a rebalance and on `stop`) only when its record and all before it
    are done. Which partitions are read is the group's to say; every rebalance first lets the engine finish
    for up to 8 s, and what it finishes later is repeated elsewhere.

    `handle` is called on KafkaIn's thread and must not block. `on_assigned` is called there with all
    partitions now held, before any of their records. `on_fatal` is called once, there too, with what cannot
    be mended (a chunk that failed, a bug, Faust crashed); by default it ends the process with status 70.
    A broker that is away, at start or later, is waited for and is never fatal.
    """

    def __init__(
        self,
        access: KafkaAccess,
        topics: Collection[str],
        group: str,
        handle: Handle,
        *,
        max_records: int = FETCH_MAX_RECORDS,
        unhurried: Collection[str] = (),
        lull: float = LULL_SECONDS,
        on_assigned: Callable[[frozenset[TopicPartition]], None] = lambda _: None,
        on_fatal: Callable[[BaseException], None] = end_process,
    ) -> None:
        self._settings = access.aiokafka_consumer(f"{group}-in", group) | {"max_poll_records": max_records}
        self._topics = sorted(topics)
        self._group = group
        self._handle = handle
        self._unhurried, self._lull = frozenset(unhurried), lull
        self._on_assigned = on_assigned
        self._on_fatal = on_fatal
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: _App | None = None
        self._consumer: Consumer | None = None
        self._answers: deque[tuple[Chunk, Future[Held]]] = deque()
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._last_commit: float | None = None
        self._paused = False
        self._stopped = False
        self._stop_seconds = 0.0
        self._stopping: asyncio.Event | None = None
        self._failed = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kafka-in-{group}", daemon=True)

    # -- from any thread -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to consume, and return at once; a broker that is away is waited for."""
        self._thread.start()
        self._ready.wait()

    def stop(self, seconds: float = 15.0) -> bool:
        """Take no more, let the engine finish what is in flight, commit, leave the group.

        Waits up to `seconds` for the engine, and about as long again for Faust. True when everything was
        finished and committed; False means that the rest will be read again. Not from KafkaIn's own thread.
        """
        if self._thread.ident is None:
            return True  # never started
        self._stop_seconds = seconds
        self._stopped = True
        self._post(lambda: self._stopping.set() if self._stopping else None)
        self._thread.join(seconds * 2 + 10)
        return not self._thread.is_alive() and not self._failed and not self.unfinished

    def pause(self) -> None:
        """Hand out nothing more until `resume`: the store or the broker is away. Chunks in flight go on."""
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        self._set_paused(paused=False)

    def release(self, topic: str, partition: int, offset: int) -> None:
        """Let commits pass a record that `handle` had reported as held. Unknown records are ignored."""
        self._on_consumer(lambda consumer: consumer.release(Position(topic, partition, offset)))

    @property
    def paused(self) -> bool:
        """Whether consumption is paused."""
        return self._paused

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions now read by this process."""
        return self._assigned

    @property
    def last_commit_time(self) -> float | None:
        """When the broker last confirmed a commit (time.monotonic), or None."""
        return self._last_commit

    @property
    def unfinished(self) -> int:
        """How many records were fetched and are not done, held ones included."""
        return self._consumer.offsets.unfinished() if self._consumer else 0

    def progress(self) -> dict[TopicPartition, Progress]:
        """Return how far each partition is of which anything was read since it was assigned.

        Raises TimeoutError when KafkaIn's thread hangs. Not from that thread.
        """
        return self._ask(lambda consumer: consumer.offsets.progress(), {})

    def lag(self) -> int:
        """Return how many records wait to be handled, as far as the last fetches tell; held ones do not.

        For metrics: it is 0, too, while no broker has answered. Raises TimeoutError when KafkaIn hangs.
        """
        return self._ask(lambda consumer: consumer.lag(), 0)

    def _ask(self, question: Callable[[Consumer], T], without: T) -> T:
        async def ask() -> T:
            self._take_answers()
            return question(self._consumer) if self._consumer else without

        loop = self._loop
        if loop is None or loop.is_closed():
            return without
        return asyncio.run_coroutine_threadsafe(ask(), loop).result(ANSWER_SECONDS)

    # -- KafkaIn's own thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to; the process must end
            self._fatal(error)
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._stopping = asyncio.Event()
        self._ready.set()
        if self._stopped or not await self._broker_answers(self._stopping):
            return
        app = self._app = _App(self._group, self._fatal)
        app.transport = Transport(
            app,
            settings=self._settings,
            callbacks=Callbacks(self._took_over, self._committed, self._take_answers, self._fatal),
            unhurried=self._unhurried,
            lull=self._lull,
        )
        app.agent(app.topic(*self._topics, value_type=bytes, value_serializer="raw", key_serializer="raw"))(self._take)
        app.finalize()
        consumer = self._consumer = cast(Consumer, app.consumer)
        consumer.pause(paused=self._paused)
        await app.start()
        await self._stopping.wait()
        consumer.pause(paused=True)
        if not await consumer.settle(self._stop_seconds):
            log.warning("kafka_in_stopped_in_flight records=%d", consumer.offsets.unfinished())
        await app.stop()

    async def _broker_answers(self, stopping: asyncio.Event) -> bool:
        """Wait until a broker lets us in: Faust itself would crash. False when stopped meanwhile."""
        names = ("bootstrap_servers", "client_id", "security_protocol", "ssl_context", "sasl_mechanism",
                 "sasl_plain_username", "sasl_plain_password", "request_timeout_ms")  # fmt: skip
        while not stopping.is_set():
            client = AIOKafkaClient(**{name: self._settings[name] for name in names if name in self._settings})
            try:
                await client.bootstrap()
            except (KafkaError, OSError) as error:
                log.warning("kafka_away error=%s", type(error).__name__)
                await _wait(stopping, BROKER_RETRY_SECONDS)
            else:
                return True
            finally:
                await client.close()
        return False

    async def _take(self, stream: Any) -> None:
        """The agent: gives each chunk to the engine and goes on; the answer comes through `_answered`."""
        async for event in stream.events():
            chunk: Chunk = event.message.chunk
            if self._consumer is None or not self._consumer.take(chunk):
                continue
            try:
                answer = self._handle(chunk)
            except Exception as error:  # noqa: BLE001 - Faust would acknowledge the event and go on
                self._fatal(error)
                return
            answer.add_done_callback(partial(self._answered, chunk))

    def _answered(self, chunk: Chunk, answer: Future[Held]) -> None:
        """Called on the engine's thread. Our loop is woken only where it waits for this: else it takes it with a commit
        or with the next fetch."""
        self._answers.append((chunk, answer))
        consumer = self._consumer
        if consumer is None or consumer.waits_for_answers or answer.cancelled() or answer.exception() is not None:
            self._post(self._take_answers)

    def _take_answers(self) -> None:
        while self._answers:
            self._finish(*self._answers.popleft())

    def _finish(self, chunk: Chunk, answer: Future[Held]) -> None:
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        if error is not None:
            self._fatal(error)
        elif self._consumer is not None and not self._failed:
            self._consumer.finished(chunk, answer.result())

    def _took_over(self, assigned: frozenset[TopicPartition]) -> None:
        self._assigned = assigned
        self._on_assigned(assigned)

    def _committed(self) -> None:
        self._last_commit = time.monotonic()

    def _fatal(self, error: BaseException) -> None:
        if self._failed or self._stopped:
            return  # told already, or Faust complains of being stopped
        self._failed = True
        if self._consumer is not None:
            self._consumer.pause(paused=True)
        self._on_fatal(error)

    def _set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        self._on_consumer(lambda consumer: consumer.pause(paused=paused))

    def _on_consumer(self, act: Callable[[Consumer], None]) -> None:
        def on_loop() -> None:
            self._take_answers()  # a `release` must not overtake the answer by which its record is held
            if self._consumer is not None:
                act(self._consumer)

        self._post(on_loop)

    def _post(self, act: Callable[[], object]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop is closed: stopped, and nothing is committed any more
            log.info("kafka_in_stopped_already group=%s", self._group)


class _ConsumerOnly(BootStrategy):
    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    """Faust without what we do not use: files of its own, a producer, tables, a web server."""

    BootStrategy = _ConsumerOnly

    def __init__(self, group: str, fatal: Callable[[BaseException], None]) -> None:
        self._tell_fatal = fatal
        super().__init__(
            group,
            loop=asyncio.get_running_loop(),
            autodiscover=False,
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=True,
            broker_commit_interval=COMMIT_EVERY_SECONDS,
            store="memory://",
        )

    async def crash(self, reason: BaseException) -> None:
        """Tell, since nobody awaits an embedded app."""
        self._tell_fatal(reason)
        await super().crash(reason)

    def _create_directories(self) -> None:
        """Make none: they are for tables."""

    async def _wait_for_table_recovery_completed(self) -> bool:
        return False  # there are none, and our transport leaves their manager out of rebalances


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
