"""The same rules in a bare loop: whole batches read, decided, inserted and published; what no service can save.

There are no repeats, no order, no documents that go on, no field rules, headers, traces, metrics or room.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import MongoClient

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact
from services.chassis import garbage
from services.chassis.deciding import Context, Upstream
from services.chassis.engine.document import stamp
from services.chassis.partitions import partition_of
from services.triage.area import Area
from services.triage.domain import TriageDecider
from tests.performance.arms.told import access, told


class Rules:
    """Decides, and remembers nothing."""

    def __init__(self) -> None:
        self._decider = TriageDecider()
        self._area = Area(Path(told()["environment"]["TRIAGE_AREA"]))
        self._actor = Actor(role=ROLE_SERVICE, id="triage")

    def decided(self, raw: bytes, now: datetime) -> tuple[dict[str, Any], list[bytes]]:
        """The document, and the facts."""
        fact, decider = IntakeFact.FromString(raw), self._decider
        id, cause = fact.header.referral_id, fact.header.event_id
        state = decider.evolve(decider.initial(), "intake", fact)
        given = Upstream(id, cause, fact.header.actor, "intake", fact)
        facts = decider.decide(state, given, Context(now, self._area, {}, self._actor))
        stamp(facts, id, 0, now, self._actor, cause)
        for one in facts:
            state = decider.evolve(state, "triage", one)
        raws = [one.SerializeToString() for one in facts]
        return {"_id": id, "facts": {"intake": [raw], "triage": raws}, "view": decider.view(state)}, raws


async def work() -> None:
    """Work until ended."""
    consumer = AIOKafkaConsumer(told()["source"], **access().aiokafka_consumer("bench", told()["group"]))
    producer = AIOKafkaProducer(**access().batch_producer("bench"))
    client: MongoClient[dict[str, Any]] = MongoClient(told()["mongo_url"])
    referrals = client[told()["environment"]["TRIAGE_MONGO_DATABASE"]]["floor"]
    await consumer.start()
    await producer.start()
    garbage.look_seldom()
    [sink], rules, committed = told()["sinks"], Rules(), time.monotonic()
    count = len(await producer.partitions_for(sink))
    while True:
        fetched = await consumer.getmany(timeout_ms=500, max_records=500)
        records, now = [record for records in fetched.values() for record in records], datetime.now(UTC)
        made = [(record.key, *rules.decided(record.value, now)) for record in records]
        if made:
            referrals.insert_many([document for _, document, _ in made])
        batches: dict[int, Any] = defaultdict(producer.create_batch)
        sent = []
        for key, _, raws in made:
            place = partition_of(key, count)
            for raw in raws:
                if batches[place].append(key=key, value=raw, timestamp=None) is None:
                    sent.append(await producer.send_batch(batches.pop(place), sink, partition=place))
                    batches[place].append(key=key, value=raw, timestamp=None)
        for place, batch in batches.items():
            sent.append(await producer.send_batch(batch, sink, partition=place))
        await asyncio.gather(*sent)
        if time.monotonic() - committed >= 1:
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    asyncio.run(work())
