"""The one publisher: batches out, all acknowledged or none counted."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, wait
from contextlib import suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.chassis.engine.away import Away
from services.chassis.loops import cancel_others
from services.chassis.partitions import partition_of
from services.chassis.records import OutRecord

END_SECONDS = 1.0
"""How long a producer may take to let go of its connections."""
LONG_STILL = 60.0
PATIENCE = 5.0
"""Seconds that a shared session waits for the broker, however soon a caller gives up."""
CATCH_UP = 0.005
"""Seconds: what has not moved for so long is first given a moment, in which it learns that a connection was closed."""


class Publisher(Protocol):
    """What the engine asks of a publisher."""

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """Send all in order and wait until the broker has acknowledged all.

        Raises Away after `timeout` seconds or a refused write; then any of them may be on their topics or not.
        """
        ...

    def close(self) -> None:
        """Let go of the broker."""
        ...


class KafkaPublisher:
    """aiokafka's idempotent producer, given whole batches (docs/decisions/0009). Thread-safe.

    After an error the producer is ended: its session may hold batches whose fate is unknown, and a new one must
    send what is unpublished before anything later. `make` builds a producer, with our safe settings; it is called
    on the event loop that the producer lives on. `alone` is for a publisher that one thread uses: the loop runs on that
    thread while it waits, which saves two hand-overs between threads a batch; others would wait for each other. Of many
    threads one may give up early: that ends its own wait and nobody else's, since it says nothing of the broker.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer], *, alone: bool = False) -> None:
        self._make = make
        self._kind: type[_Session] = _OfCaller if alone else _OfItsOwn
        self._session: _Session | None = None
        self._lock = threading.Lock()

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See Publisher."""
        if not records:
            return
        session = self._current()
        try:
            session.publish(records, timeout)
        except _GaveUp:
            raise Away("broker", "TimeoutError") from None
        except (KafkaError, OSError, CancelledError, RuntimeError) as error:  # TimeoutError is an OSError
            self._discard(session)
            raise Away("broker", type(error).__name__) from error

    def close(self) -> None:
        """See Publisher."""
        session = self._session
        if session is not None:
            self._discard(session)
            session.join(END_SECONDS)

    def _current(self) -> _Session:
        with self._lock:
            if self._session is None or self._session.failed:
                self._session = self._kind(self._make)
            return self._session

    def _discard(self, session: _Session) -> None:
        """End it. Nobody waits, since a broker may be away; other calls on it learn that their outcome is unknown."""
        with self._lock:
            if session is self._session:
                self._session = None
        session.end()


class _GaveUp(Exception):
    """A caller of a shared session waits no longer; what it gave may still be sent."""


class _Session(ABC):
    """One producer, on an event loop of its own, from its first batch to its end."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self.failed = False
        """True where it ended itself."""
        self._producer: Any = None
        self._starting = asyncio.Lock()
        self._loop = asyncio.new_event_loop()

    # -- from any thread -----------------------------------------------------------------------------------

    @abstractmethod
    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See Publisher; raises what the client raises, TimeoutError, or CancelledError where the session ended.

        Raises _GaveUp where only this caller's time is over.
        """

    @abstractmethod
    def end(self) -> None:
        """Stop at once whatever is under way. A second call changes nothing."""

    @abstractmethod
    def join(self, timeout: float) -> None:
        """Wait for its end."""

    # -- on its loop ---------------------------------------------------------------------------------------

    async def _let_go(self) -> None:
        # The tasks first: a sender that still ran would connect again and send what a newer producer sends.
        await cancel_others(END_SECONDS)
        if self._producer is not None:
            with suppress(KafkaError, OSError):  # its connections were cut, whatever it says of that
                await asyncio.wait_for(self._producer.stop(), END_SECONDS)
        await cancel_others(END_SECONDS)

    async def _send(self, records: Sequence[OutRecord]) -> None:
        producer = await self._started()
        batches: dict[tuple[str, int], Any] = {}
        counts: dict[str, int] = {}
        sent = []
        place, of_key = ("", -1), b""
        for topic, key, value, headers in records:
            if key != of_key or topic != place[0]:  # a referral's records follow each other
                count = counts.get(topic)
                if count is None:
                    count = counts[topic] = len(await producer.partitions_for(topic))
                place, of_key = (topic, partition_of(key, count)), key
            batch = batches.get(place)
            if batch is None:
                batch = batches[place] = producer.create_batch()
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:  # it is full
                # Waits until the one before it has left, so that a partition's batches stay in order.
                sent.append(await producer.send_batch(batch, topic, partition=place[1]))
                batch = batches[place] = producer.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=headers)  # a new one takes any size
        for (topic, partition), batch in batches.items():
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)

    async def _started(self) -> Any:
        if self._producer is not None:
            return self._producer
        async with self._starting:
            if self._producer is None:
                producer = self._make()
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer


class _OfItsOwn(_Session):
    """On a thread of its own."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        super().__init__(make)
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See _Session."""
        sending = self._send_within_patience(records)
        try:
            sent = asyncio.run_coroutine_threadsafe(sending, self._loop)
        except RuntimeError:  # the loop is closed: someone else met an error
            sending.close()
            raise
        if not wait([sent], timeout).done:
            raise _GaveUp  # it goes on: what is cut off in the middle would end the session for everybody
        sent.result()

    def end(self) -> None:
        """See _Session."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._ended.set)

    def join(self, timeout: float) -> None:
        """See _Session."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._until_ended())
        finally:
            self._loop.close()

    async def _send_within_patience(self, records: Sequence[OutRecord]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(records)
        except (KafkaError, OSError):  # TimeoutError is an OSError
            # Here and not by who called: they may have given up by now.
            self.failed = True
            self._ended.set()
            raise

    async def _until_ended(self) -> None:
        await self._ended.wait()
        await self._let_go()


class _OfCaller(_Session):
    """On the thread that publishes, while it does; between two batches nothing moves."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        super().__init__(make)
        self._turn = threading.Lock()
        self._ending: threading.Thread | None = None
        self._moved_at = time.monotonic()

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See _Session."""
        with self._turn:
            if self._ending is not None:
                raise CancelledError
            try:
                self._loop.run_until_complete(self._send_within(records, timeout))
            except asyncio.CancelledError as error:  # no fault of who publishes, and not for their thread to die of
                raise CancelledError from error
            self._moved_at = time.monotonic()

    def end(self) -> None:
        """See _Session."""
        if self._ending is None:
            self._ending = threading.Thread(target=self._end, name="publisher-ends", daemon=True)
            self._ending.start()

    def join(self, timeout: float) -> None:
        """See _Session."""
        if self._ending is not None:
            self._ending.join(timeout)

    def _end(self) -> None:
        with self._turn:
            try:
                self._loop.run_until_complete(self._let_go())
            finally:
                self._loop.close()

    async def _send_within(self, records: Sequence[OutRecord], timeout: float) -> None:
        if time.monotonic() - self._moved_at > LONG_STILL:
            await asyncio.sleep(CATCH_UP)
        async with asyncio.timeout(timeout):
            await self._send(records)
