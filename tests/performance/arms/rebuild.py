"""Arm: triage's store made again from its topics as `referrals rebuild triage` does, or the topics read and dropped."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient

from services import topics
from services.chassis.rebuild import Sources, rebuild
from services.triage.domain import TriageDecider
from tests.performance.arms.told import access, told
from tests.performance.process import most_resident


def again() -> int:
    """The rebuild; returns how many records it read."""
    own = replace(topics.TRIAGE, name=told()["own"])
    upstream = replace(topics.INTAKE, name=told()["upstream"])
    sources = Sources(TriageDecider(), own, {"intake": upstream})
    with (
        tempfile.TemporaryDirectory() as folder,
        MongoClient[dict[str, Any]](told()["mongo_url"], tz_aware=True) as client,
    ):
        done = rebuild(sources, access(), client[told()["database"]]["referrals"], folder=Path(folder))
    if done.referrals != told()["referrals"] or done.unreadable:
        raise RuntimeError(f"not what was loaded: {done}")
    return done.records


def drain() -> int:
    """Every record of both topics, read by the client that the rebuild reads by, and let go."""
    return asyncio.run(_drained())


async def _drained() -> int:
    consumer = AIOKafkaConsumer(**access().aiokafka_consumer("bench-drain", None))
    await consumer.start()
    try:
        places = [
            TopicPartition(topic, number)
            for topic in (told()["own"], told()["upstream"])
            for number in range(told()["partitions"])
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        total, read = sum((await consumer.end_offsets(places)).values()), 0
        while read < total:
            read += sum(map(len, (await consumer.getmany(timeout_ms=500)).values()))
        return read
    finally:
        await consumer.stop()


def main() -> None:
    """Do it once, and say what it took."""
    work = {"rebuild": again, "drain": drain}[told()["kind"]]
    cpu, began = time.process_time(), time.monotonic()
    records = work()
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    found = {"per_second": records / wall, "per_cpu": records / cpu, "memory": most_resident()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
