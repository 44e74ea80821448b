"""What the topics themselves say: each referral's facts in order, and audit's index without a hole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from kafka import KafkaConsumer, TopicPartition
from pymongo import MongoClient

from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.parked_pb2 import ParkedRecord
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics
from services.chassis.kafka_in.chunk import Position
from services.cli.local.stack import Stack

FACTS: Mapping[str, type[Message]] = {
    topics.INTAKE.name: IntakeFact,
    topics.TRIAGE.name: TriageFact,
    topics.ROUTING.name: RoutingFact,
}
INTERNAL = "__"
AT_ONCE = 1_000


@dataclass
class Facts:
    """Every fact of the three topics, read by the administrator."""

    count: int = 0
    repeated: int = 0
    duplicated: list[str] = field(default_factory=list)
    """Sequences that lie there with two contents, and event ids that lie there under two sequences."""
    out_of_order: list[str] = field(default_factory=list)
    """First occurrences that do not follow on the one before."""
    referrals: set[str] = field(default_factory=set)
    """Those that intake raised."""


def facts(stack: Stack, but: Collection[Position] = ()) -> Facts:
    """Read the three topics from their beginning to their present end, but for what is poison."""
    found = Facts()
    seen: dict[tuple[str, str], dict[int, bytes]] = {}
    events: set[bytes] = set()
    for record in records(stack, list(FACTS)):
        if Position(record.topic, record.partition, record.offset) in but:
            continue
        fact: Any = FACTS[record.topic].FromString(record.value)
        header = fact.header
        own = seen.setdefault((record.topic, header.referral_id), {})
        named = f"{record.topic} {header.referral_id} fact {header.sequence}"
        event = _digest(header.event_id.encode())
        known, this = own.get(header.sequence), event + _digest(record.value)
        if known is not None:
            if known == this:
                found.repeated += 1
            else:
                found.duplicated.append(f"{named} has two contents")
            continue
        if header.sequence != len(own) + 1:
            found.out_of_order.append(f"{named} follows {len(own)} others")
        if event in events:
            found.duplicated.append(f"event {header.event_id} is {named} and another")
        events.add(event)
        own[header.sequence] = this
        found.count += 1
        if record.topic == topics.INTAKE.name:
            found.referrals.add(header.referral_id)
    return found


def _digest(content: bytes) -> bytes:
    """Short, since there are millions of facts in a full-size run."""
    return hashlib.sha256(content).digest()[:16]


def parked(stack: Stack) -> dict[str, set[Position]]:
    """What each service has parked and not handled since."""
    found: dict[str, set[Position]] = {}
    for service in topics.SERVICES:
        places = found[service] = set()
        for record in records(stack, [topics.parked_topic(service).name]):
            said = ParkedRecord.FromString(record.value)
            if said.HasField("replayed"):
                places.discard(Position(said.replayed.topic, said.replayed.partition, said.replayed.offset))
            else:
                places.add(Position(said.parked.topic, said.parked.partition, said.parked.offset))
    return found


def timeline_holes(stack: Stack, seconds: float) -> list[str]:
    """Offsets that audit's index lacks, of all partitions of all topics; waits until there are none, or `seconds`."""
    ends = _ends(stack)
    missing = {f"{topic}/{partition}/{offset}" for (topic, partition), end in ends.items() for offset in range(end)}
    read = 0
    deadline = time.monotonic() + seconds
    with MongoClient[dict[str, Any]](stack.mongo_url) as client:
        entries = client["audit"]["entries"]
        while True:
            # By their places in the log, which follow on each other: all at once would be gigabytes of a full-size run.
            while found := list(entries.find({"_id": {"$in": list(range(read, read + AT_ONCE))}}, {"entry": 1})):
                for entry in (TimelineEntry.FromString(document["entry"]) for document in found):
                    missing.discard(f"{entry.topic}/{entry.partition}/{entry.offset}")
                read += len(found)
                if len(found) < AT_ONCE:
                    break
            if not missing or time.monotonic() > deadline:
                return sorted(missing)
            time.sleep(1)


def _ends(stack: Stack) -> dict[tuple[str, int], int]:
    consumer = KafkaConsumer(**stack.kafka_login())
    try:
        names = [name for name in consumer.topics() if not name.startswith(INTERNAL)]
        places = [TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name)]
        return {(place.topic, place.partition): end for place, end in consumer.end_offsets(places).items()}
    finally:
        consumer.close(autocommit=False)


def records(stack: Stack, names: list[str]) -> Iterator[Any]:
    """Every record of these topics, up to their present end, in order within each partition."""
    consumer = KafkaConsumer(
        **stack.kafka_login(), enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=5_000
    )
    try:
        places = [TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name)]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        while any(consumer.position(place) < end for place, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                yield from batch
    finally:
        consumer.close(autocommit=False)
