"""The hop as a bare loop that does only what the engine's events cannot do without: what no Python around it can save.

Each fact is read, parsed and held against its field rules; a fact of our own is built, named by a hash of its cause,
serialised, and written to the partition that a hash of its key gives. There are no headers, no document, no state, no
order, no repeats, no offsets of single records, no second thread: nothing of what the engine is for.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor, FactHeader
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD, NoFurtherActionTaken, TriageFact
from services.chassis import garbage
from services.chassis.engine.document import event_id
from services.chassis.partitions import partition_of
from services.chassis.surely import surely_right
from tests.performance.arms.told import access, told
from tests.performance.choosing import chosen

ACTOR = Actor(role=ROLE_SERVICE, id="triage")


def fact_of(fact: IntakeFact, now: Timestamp | None = None) -> TriageFact:
    """The fact that the engine's decider of the hop decides, stamped as the engine does."""
    header = fact.header
    id, cause = header.referral_id, header.event_id
    stamped = FactHeader(
        event_id=event_id(id, cause, "no_further_action//1"),
        referral_id=id,
        sequence=1,
        occurred_at=now,
        actor=ACTOR,
        cause_id=cause,
    )
    taken = NoFurtherActionTaken(reason=NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD, note=fact.raised.parts[0])
    return TriageFact(header=stamped, no_further_action=taken)


def _bytes(fact: IntakeFact, now: Timestamp) -> bytes:
    return fact_of(fact, now).SerializeToString(deterministic=True)


async def work() -> None:
    """Work until ended."""
    consumer = AIOKafkaConsumer(told()["source"], **access().aiokafka_consumer("bench", told()["group"]))
    producer = AIOKafkaProducer(**access().batch_producer("bench"))
    await consumer.start()
    await producer.start()
    garbage.look_seldom()
    sinks, committed, now = told()["sinks"], time.monotonic(), Timestamp()
    count = len(await producer.partitions_for(sinks[0]))
    while True:
        fetched = await consumer.getmany(timeout_ms=500, max_records=2_000)
        batches: dict[tuple[str, int], Any] = defaultdict(producer.create_batch)
        sent = []
        now.GetCurrentTime()
        for records in fetched.values():
            for record in records:
                fact = IntakeFact.FromString(record.value)
                if not surely_right(fact):
                    raise ValueError(f"a fact of the hop is wrong, at offset {record.offset}")
                place, value = (sinks[chosen(fact)], partition_of(record.key, count)), _bytes(fact, now)
                if batches[place].append(key=record.key, value=value, timestamp=None) is None:
                    sent.append(await producer.send_batch(batches.pop(place), place[0], partition=place[1]))
                    batches[place].append(key=record.key, value=value, timestamp=None)
        for (topic, partition), batch in batches.items():
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)
        if time.monotonic() - committed >= 1:
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    asyncio.run(work())
