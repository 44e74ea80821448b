"""Another client under the engine's publisher: aiokafka, which is under Faust already, with batches built by hand.

A measurement first: it says what the engine would cost with it. It keeps the Publisher's promise (all acknowledged,
or Away), and closes its producer after an error, as the product's own does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from functools import lru_cache
from struct import unpack
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.chassis.engine.away import Away
from services.chassis.records import OutRecord
from tests.performance.arms.told import aiokafka_login

BATCH_BYTES = 256 * 1024


class BatchPublisher:
    """See Publisher. `publish` is called by one thread; the producer lives on an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._producer: Any = None
        threading.Thread(target=self._loop.run_forever, name="publisher", daemon=True).start()

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See Publisher."""
        sending = asyncio.run_coroutine_threadsafe(asyncio.wait_for(self._publish(records), timeout), self._loop)
        try:
            sending.result()
        except (KafkaError, TimeoutError) as error:
            asyncio.run_coroutine_threadsafe(self._discard(), self._loop).result()
            raise Away("broker", type(error).__name__) from error

    def close(self) -> None:
        """See Publisher."""
        asyncio.run_coroutine_threadsafe(self._discard(), self._loop).result()

    async def _publish(self, records: Sequence[OutRecord]) -> None:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **aiokafka_login(), acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
            )
            await producer.start()
            self._producer = producer
        batches: dict[tuple[str, int], Any] = {}
        sent = []
        for topic, key, value, headers in records:
            place = topic, _partition(key, len(await self._producer.partitions_for(topic)))
            batch = batches.get(place) or self._producer.create_batch()
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                sent.append(await self._producer.send_batch(batch, topic, partition=place[1]))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
            batches[place] = batch
        for (topic, partition), batch in batches.items():
            sent.append(await self._producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Elsewhere, since a producer that stops waits for a broker that may be away.
            self._stopping = asyncio.create_task(producer.stop())


@lru_cache(maxsize=50_000)
def _partition(key: bytes, partitions: int) -> int:
    """As every Kafka client chooses it (murmur2)."""
    m, length = 0x5BD1E995, len(key)
    whole = length // 4 * 4
    found = 0x9747B28C ^ length
    for word in unpack(f"<{whole // 4}I", key[:whole]):
        word = word * m & 0xFFFFFFFF
        found = (found * m & 0xFFFFFFFF) ^ ((word ^ (word >> 24)) * m & 0xFFFFFFFF)
    rest = key[whole:]
    if rest:
        found = (found ^ int.from_bytes(rest, "little")) * m & 0xFFFFFFFF
    found = (found ^ (found >> 13)) * m & 0xFFFFFFFF
    return ((found ^ (found >> 15)) & 0x7FFFFFFF) % partitions
