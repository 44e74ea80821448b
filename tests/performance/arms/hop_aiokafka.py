"""The hop as a bare loop over aiokafka: whole batches in, whole batches out, committed once a second."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from safeguarding.v1.intake_pb2 import IntakeFact
from tests.performance.arms.told import aiokafka_login, told
from tests.performance.choosing import chosen


async def work() -> None:
    """Work until ended. A record's partition is its source's: all topics have the same number, and the same keys."""
    consumer = AIOKafkaConsumer(
        told()["source"],
        **aiokafka_login(),
        group_id=told()["group"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(**aiokafka_login(), acks="all", enable_idempotence=True, max_batch_size=256 * 1024)
    await consumer.start()
    await producer.start()
    sinks, committed = told()["sinks"], time.monotonic()
    while True:
        fetched = await consumer.getmany(timeout_ms=500, max_records=2_000)
        batches: dict[tuple[str, int], Any] = defaultdict(producer.create_batch)
        sent = []
        for records in fetched.values():
            for record in records:
                place = sinks[chosen(IntakeFact.FromString(record.value))], record.partition
                if batches[place].append(key=record.key, value=record.value, timestamp=None) is None:
                    sent.append(await producer.send_batch(batches.pop(place), place[0], partition=place[1]))
                    batches[place].append(key=record.key, value=record.value, timestamp=None)
        for (topic, partition), batch in batches.items():
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)
        if time.monotonic() - committed >= 1:
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    asyncio.run(work())
