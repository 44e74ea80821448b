"""Reads partitions once, from their first record up to given ends, for who rebuilds: as fast as a client can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.chassis.kafka_in.chunk import Record
from services.chassis.kafka_settings import KafkaAccess

FETCH_MS = 1_000
PATIENCE_SECONDS = 30.0
"""Longest silence of a broker that has more to give."""
Ends = Mapping[tuple[str, int], int]
"""By topic and partition the offset at which reading ends."""


class BrokerFailed(Exception):
    """It has more to give, and refused it or gave nothing for too long; the text names the error's class."""


def records_before(ends: Ends, kafka: KafkaAccess, client_id: str) -> Iterator[Record]:
    """Every record before the ends, fetch by fetch, without its headers. Raises BrokerFailed.

    By aiokafka, whose records are parsed in C at a third of kafka-python's cost, on a loop of the caller's thread.
    """
    with asyncio.Runner() as runner:
        drain = _Drain(ends, kafka.aiokafka_consumer(client_id, None))
        try:
            if drain.left:
                runner.run(drain.begin())
            while drain.left:
                for place, raws in runner.run(drain.fetch()).items():
                    topic, number, end = place.topic, place.partition, ends[place]
                    for raw in raws:
                        if raw.offset < end:
                            yield Record(topic, number, raw.offset, raw.timestamp, raw.key, raw.value, ())
        except KafkaError as error:
            raise BrokerFailed(type(error).__name__) from error
        finally:
            runner.run(drain.end())


class _Drain:
    """A consumer of partitions of our own choice; those that are at their end are asked for no more."""

    def __init__(self, ends: Ends, settings: Mapping[str, Any]) -> None:
        self.left = {TopicPartition(*place) for place, end in ends.items() if end}
        self._ends = ends
        self._settings = settings
        self._consumer: Any = None
        self._heard = time.monotonic()

    async def begin(self) -> None:
        """Connect, and stand at the first records."""
        self._consumer = AIOKafkaConsumer(**self._settings)
        await self._consumer.start()
        self._consumer.assign(self.left)

    async def fetch(self) -> Mapping[TopicPartition, list[Any]]:
        """What one fetch gives."""
        found: Mapping[TopicPartition, list[Any]] = await self._consumer.getmany(timeout_ms=FETCH_MS)
        finished = [place for place in found if await self._consumer.position(place) >= self._ends[place]]
        if finished:
            self.left.difference_update(finished)
            self._consumer.pause(*finished)
        if found:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > PATIENCE_SECONDS:
            raise BrokerFailed("Silence")
        return found

    async def end(self) -> None:
        """Let go of the broker."""
        if self._consumer is not None:
            await self._consumer.stop()
