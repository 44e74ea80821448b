"""A hop that does nothing: every record is forwarded as it is, by aiokafka, committed once a second."""

from __future__ import annotations

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

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
    await consumer.start()
    await producer.start()
    committed = time.monotonic()
    while True:
        fetched = await consumer.getmany(timeout_ms=500)
        sent = [
            await producer.send(told()["sink"], record.value, key=record.key)
            for records in fetched.values()
            for record in records
        ]
        await asyncio.gather(*sent)
        if time.monotonic() - committed >= 1:
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    asyncio.run(work())
