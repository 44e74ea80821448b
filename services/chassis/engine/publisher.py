"""The one publisher: batches out, all acknowledged or none counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError

from services.chassis.engine.away import Away
from services.chassis.records import OutRecord


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
    """kafka-python's idempotent producer. Thread-safe.

    After an error the producer is closed: its session may hold batches whose fate is unknown, and a new one must
    send what is unpublished before anything later. `make` builds a producer, with our safe settings.
    """

    def __init__(self, make: Callable[[], KafkaProducer]) -> None:
        self._make = make
        self._producer: KafkaProducer | None = None
        self._lock = threading.Lock()

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See Publisher."""
        if not records:
            return
        producer: KafkaProducer | None = None
        try:
            producer = self._current()
            deadline = time.monotonic() + timeout
            sent = [
                producer.send(topic, key=key, value=value, headers=headers) for topic, key, value, headers in records
            ]
            producer.flush(timeout=timeout)
            for future in sent:
                future.get(timeout=max(0.001, deadline - time.monotonic()))
        except (KafkaError, TimeoutError, RuntimeError) as error:
            self._discard(producer)
            raise Away("broker", type(error).__name__) from error

    def close(self) -> None:
        """See Publisher."""
        self._discard(self._producer)

    def _current(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None:
                self._producer = self._make()
            return self._producer

    def _discard(self, producer: Any) -> None:
        with self._lock:
            if producer is None or producer is not self._producer:
                return
            self._producer = None
        # Elsewhere, since closing may wait for a broker that is away, and nothing depends on it.
        closing = threading.Thread(target=_close, args=(producer,), name="close-producer", daemon=True)
        closing.start()


def _close(producer: Any) -> None:
    producer.close(timeout=1)
