"""A hop that does nothing: every record is forwarded as it is, by aiokafka, committed once a second.

Told of a database, it keeps each record first, one insert a fetch: what any service must that publishes nothing that it
could lose.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import AsyncMongoClient

from tests.performance.arms.told import aiokafka_login, told


async def work() -> None:
    """Work until ended."""
    consumer = AIOKafkaConsumer(
        told()["source"],
        **aiokafka_login(),
        group_id=told()["group"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(**aiokafka_login(), acks="all", enable_idempotence=True)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(told()["mongo_url"])
    kept = client[told()["database"]]["kept"] if told().get("database") else None
    await consumer.start()
    await producer.start()
    committed = time.monotonic()
    while True:
        fetched = [record for records in (await consumer.getmany(timeout_ms=500)).values() for record in records]
        if kept is not None and fetched:
            await kept.insert_many([{"_id": record.key.decode(), "fact": record.value} for record in fetched])
        sent = [await producer.send(told()["sink"], record.value, key=record.key) for record in fetched]
        await asyncio.gather(*sent)
        if time.monotonic() - committed >= 1:
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    asyncio.run(work())
