"""Arm: triage's store made again from its topics: as `referrals rebuild triage` does, or in a bare loop that does only
what no rebuild can do without; or the topics read and dropped."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient

from safeguarding.v1.intake_pb2 import IntakeFact
from services import topics
from services.chassis import garbage
from services.chassis.engine.document import view_of
from services.chassis.rebuild import BATCH, Sources, rebuild
from services.chassis.surely import surely_right
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


def limit() -> int:
    """A bare loop: each fact parsed once, held against its rules and folded as it comes; each document stored.

    It leaves out what a rebuild is for beyond that: forks and gaps, facts beyond memory, what the service parked or
    has not handled, a store that holds something, a service that runs.
    """
    garbage.look_seldom(clear=False)
    decider = TriageDecider()
    types: dict[str, tuple[str, Any]] = {
        told()["own"]: (decider.writer, decider.fact_type),
        told()["upstream"]: ("intake", IntakeFact),
    }
    states: dict[str, Any] = {}
    facts: dict[str, dict[str, list[bytes]]] = {}

    def take(place: TopicPartition, records: Sequence[Any]) -> None:
        writer, fact_type = types[place.topic]
        for record in records:
            fact: Any = fact_type.FromString(record.value)
            if not surely_right(fact):
                raise ValueError(f"a fact of the rebuild is wrong, at offset {record.offset}")
            referral_id = fact.header.referral_id
            states[referral_id] = decider.evolve(states.get(referral_id) or decider.initial(), writer, fact)
            facts.setdefault(referral_id, {}).setdefault(writer, []).append(record.value)

    count = asyncio.run(_drained(take))
    token = secrets.token_hex(8)
    with MongoClient[dict[str, Any]](told()["mongo_url"], tz_aware=True) as client:
        documents = (_document(decider, id, token, facts[id], state) for id, state in states.items())
        while batch := list(islice(documents, BATCH)):
            client[told()["database"]]["referrals"].insert_many(batch, ordered=False)
    if len(states) != told()["referrals"]:
        raise RuntimeError(f"not what was loaded: {len(states)} referrals")
    return count


def _document(decider: TriageDecider, id: str, token: str, facts: Any, state: Any) -> dict[str, Any]:
    published = len(facts.get(decider.writer, ()))
    view = view_of(decider, state)
    return {"_id": id, "revision": token, "facts": facts, "published": published, "copies": [], "view": view}


def drain() -> int:
    """Every record of both topics, read by the client that the rebuild reads by, and let go."""
    return asyncio.run(_drained(lambda place, records: None))


async def _drained(take: Callable[[TopicPartition, Sequence[Any]], None]) -> int:
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
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                read += len(records)
                take(place, records)
        return read
    finally:
        await consumer.stop()


def main() -> None:
    """Do it once, and say what it took."""
    work = {"rebuild": again, "drain": drain, "limit": limit}[told()["kind"]]
    cpu, began = time.process_time(), time.monotonic()
    records = work()
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    found = {"per_second": records / wall, "per_cpu": records / cpu, "memory": most_resident()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
