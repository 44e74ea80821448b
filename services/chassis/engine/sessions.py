"""One producer's life, on an event loop of its own: on a thread of its own, or on its caller's."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, wait
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.chassis.loops import cancel_others
from services.chassis.partitions import partition_of
from services.chassis.records import OutRecord

R = TypeVar("R")

END_SECONDS = 1.0
"""How long a producer may take to let go of its connections."""
LONG_STILL = 60.0
PATIENCE = 5.0
"""Seconds that a shared session waits for the broker, however soon a caller gives up."""
CATCH_UP = 0.005
"""Seconds: what has not moved for so long is first given a moment, in which it learns that a connection was closed."""
STEPS = 8
"""Of the loop, in which the producer's own tasks bring a batch from hand to hand and write the request. What has not
left by then leaves while its caller waits."""

Tell = Callable[[Callable[[], object] | None], None]
"""Takes what is to be called, once and from any thread, when something else is to be done; at once where something is
already. None takes it back."""


class GaveUp(Exception):
    """A caller of a shared session waits no longer; what it gave may still be sent."""


class Session(ABC):
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


class OfItsOwn(Session):
    """On a thread of its own."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        super().__init__(make)
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """Send all and wait for all.

        Raises what the client raises, TimeoutError, or CancelledError where the session ended; GaveUp where only this
        caller's time is over.
        """
        sending = self._send_within_patience(records)
        try:
            sent = asyncio.run_coroutine_threadsafe(sending, self._loop)
        except RuntimeError:  # the loop is closed: someone else met an error
            sending.close()
            raise
        if not wait([sent], timeout).done:
            raise GaveUp  # it goes on: what is cut off in the middle would end the session for everybody
        sent.result()

    def end(self) -> None:
        """See Session."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._ended.set)

    def join(self, timeout: float) -> None:
        """See Session."""
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


class OfCaller(Session):
    """On the thread that publishes, while it does; between two batches nothing moves."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        super().__init__(make)
        self._turn = threading.Lock()
        self._ending: threading.Thread | None = None
        self._moved_at = time.monotonic()

    def begin(self, records: Sequence[OutRecord]) -> asyncio.Task[None]:
        """Send all; goes on while `wait` is under way. Raises CancelledError where the session ended."""
        return self._run(self._begun(records))

    def wait(self, sent: asyncio.Task[None], timeout: float, tell: Tell | None) -> bool:
        """True once all of it is acknowledged; False where `tell` said before that something else is to be done.

        Raises what the client raises, TimeoutError, or CancelledError where the session ended.
        """
        return self._run(self._acknowledged(sent, timeout, tell))

    def end(self) -> None:
        """See Session."""
        if self._ending is None:
            self._ending = threading.Thread(target=self._end, name="publisher-ends", daemon=True)
            self._ending.start()

    def join(self, timeout: float) -> None:
        """See Session."""
        if self._ending is not None:
            self._ending.join(timeout)

    def _end(self) -> None:
        with self._turn:
            try:
                self._loop.run_until_complete(self._let_go())
            finally:
                self._loop.close()

    def _run(self, work: Coroutine[Any, Any, R]) -> R:
        with self._turn:
            if self._ending is not None:
                work.close()
                raise CancelledError
            try:
                return self._loop.run_until_complete(work)
            except asyncio.CancelledError as error:  # no fault of who publishes, and not for their thread to die of
                raise CancelledError from error
            finally:
                self._moved_at = time.monotonic()

    async def _begun(self, records: Sequence[OutRecord]) -> asyncio.Task[None]:
        if time.monotonic() - self._moved_at > LONG_STILL:
            await asyncio.sleep(CATCH_UP)
        sent = asyncio.create_task(self._send(records))
        for _ in range(STEPS):
            await asyncio.sleep(0)
        return sent

    async def _acknowledged(self, sent: asyncio.Task[None], timeout: float, tell: Tell | None) -> bool:
        told: asyncio.Future[None] = self._loop.create_future()
        if tell is not None:
            tell(partial(self._loop.call_soon_threadsafe, told.set_result, None))
        try:
            await asyncio.wait({sent, told}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if tell is not None:
                tell(None)
        if sent.done():
            sent.result()
            return True
        if told.done():
            return False
        sent.cancel()
        sent.add_done_callback(_looked_at)
        raise TimeoutError


def _looked_at(sent: asyncio.Task[None]) -> None:
    """Whatever it ended with: its time was over."""
    if not sent.cancelled():
        sent.exception()
