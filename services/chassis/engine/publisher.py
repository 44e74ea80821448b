"""The publishers: batches out, all acknowledged or none counted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.chassis.engine.away import Away
from services.chassis.engine.sessions import END_SECONDS, GaveUp, OfCaller, OfItsOwn, Session, Tell
from services.chassis.records import OutRecord

# TimeoutError is an OSError.
_ENDS = (KafkaError, OSError, CancelledError, RuntimeError)

Kind = TypeVar("Kind", bound=Session)


class Sending(Protocol):
    """Records on their way to the broker, which move while `wait` is under way."""

    def wait(self, tell: Tell | None = None) -> bool:
        """Wait until the broker has acknowledged all; False where `tell` said before that something else is to be done.

        Raises Away after a refused write, or when the time for it has been waited for, in all waits together; then any
        of the records may be on their topics or not.
        """
        ...


class Publisher(Protocol):
    """What the engine asks of a publisher."""

    def begin(self, records: Sequence[OutRecord], timeout: float) -> Sending:
        """Send all, at least one, in order; only once what was begun before has ended. Raises as `Sending.wait`.

        `timeout` is in seconds, spent in waits for it.
        """
        ...

    def close(self) -> None:
        """Let go of the broker."""
        ...


class _Publisher(Generic[Kind]):
    """aiokafka's idempotent producer, given whole batches (docs/decisions/0009).

    After an error the producer is ended: its session may hold batches whose fate is unknown, and a new one must
    send what is unpublished before anything later. `make` builds a producer, with our safe settings; it is called
    on the event loop that the producer lives on.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer], kind: type[Kind]) -> None:
        self._make = make
        self._kind = kind
        self._session: Kind | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the broker."""
        session = self._session
        if session is not None:
            self.discard(session)
            session.join(END_SECONDS)

    def current(self) -> Kind:
        """The session that has met no error, made where there is none."""
        with self._lock:
            if self._session is None or self._session.failed:
                self._session = self._kind(self._make)
            return self._session

    def discard(self, session: Kind) -> None:
        """End it. Nobody waits, since a broker may be away; other calls on it learn that their outcome is unknown."""
        with self._lock:
            if session is self._session:
                self._session = None
            session.end()

    @contextmanager
    def ended_by_errors(self, session: Kind) -> Iterator[None]:
        """Whatever the client raises ends the session, and is Away to who asked."""
        try:
            yield
        except _ENDS as error:
            self.discard(session)
            raise Away("broker", type(error).__name__) from error


class SharedPublisher(_Publisher[OfItsOwn]):
    """For many threads, on a thread of its own.

    One of them may give up early: that ends its own wait and nobody else's, since it says nothing of the broker.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        super().__init__(make, OfItsOwn)

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """Send all in order and wait until the broker has acknowledged all.

        Raises Away after `timeout` seconds or a refused write; then any of them may be on their topics or not.
        """
        if not records:
            return
        session = self.current()
        with self.ended_by_errors(session):
            try:
                session.publish(records, timeout)
            except GaveUp:
                raise Away("broker", "TimeoutError") from None


class OwnPublisher(_Publisher[OfCaller]):
    """For one thread, on that thread, while it waits: that saves two hand-overs between threads a batch."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        super().__init__(make, OfCaller)

    def begin(self, records: Sequence[OutRecord], timeout: float) -> Sending:
        """See Publisher."""
        session = self.current()
        with self.ended_by_errors(session):
            sent = session.begin(records)
        return _OwnSending(self, session, sent, timeout)


class _OwnSending:
    """What one thread sends."""

    def __init__(self, publisher: OwnPublisher, session: OfCaller, sent: asyncio.Task[None], timeout: float) -> None:
        self._publisher = publisher
        self._session = session
        self._sent = sent
        self._left = timeout

    def wait(self, tell: Tell | None = None) -> bool:
        """See Sending."""
        began = time.monotonic()
        try:
            with self._publisher.ended_by_errors(self._session):
                return self._session.wait(self._sent, self._left, tell)
        finally:
            self._left -= time.monotonic() - began
