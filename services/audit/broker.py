"""What the broker has: every topic with its id, and the records between two offsets."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from services.chassis.kafka_in.chunk import Record, record_of
from services.chassis.spans import Span, spans_of

INTERNAL = "__"
"""Topics of Kafka's own begin with this."""
POLL_MS = 500
PATIENCE_SECONDS = 30.0
"""The longest silence of a broker that has more to give."""
LEADERS_KNOW_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Pauses between asking again for partitions that their leader does not know yet."""


@dataclass(frozen=True, slots=True)
class Described:
    """One topic. A topic that was made again under its old name has another id."""

    id: str
    partitions: tuple[int, ...]


def topics_of(admin: KafkaAdminClient) -> dict[str, Described]:
    """Every topic that audit may see, as the broker says now. Raises KafkaError."""
    return {
        found["name"]: Described(
            str(uuid.UUID(str(found["topic_id"]))), tuple(part["partition_index"] for part in found["partitions"])
        )
        for found in admin.describe_topics()
        if not found["error_code"] and not found["name"].startswith(INTERNAL)
    }


def _spans_soon(consumer: KafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, Span]:
    """`spans_of` a broker that has just started, whose leaders may need a moment to know their partitions."""
    for pause in LEADERS_KNOW_SECONDS:
        try:
            return spans_of(consumer, places)
        except UnknownTopicOrPartitionError:
            time.sleep(pause)
    return spans_of(consumer, places)


def records_between(consumer: KafkaConsumer, spans: Mapping[TopicPartition, Span]) -> Iterator[Record]:
    """What the broker still keeps of these offsets, each partition's records in order; of a consumer of one's own.

    Raises KafkaError, KafkaTimeoutError too where the broker gives nothing for long.
    """
    bounds = _spans_soon(consumer, list(spans))
    wanted = {
        place: (max(first, bounds[place][0]), min(end, bounds[place][1])) for place, (first, end) in spans.items()
    }
    left = {place for place, (first, end) in wanted.items() if first < end}
    consumer.assign([])  # nothing of an earlier span counts
    consumer.assign(sorted(left))
    for place in left:
        consumer.seek(place, wanted[place][0])
    heard = time.monotonic()
    while left:
        for place, raws in consumer.poll(timeout_ms=POLL_MS).items():
            heard = time.monotonic()
            yield from (record_of(raw) for raw in raws if raw.offset < wanted[place][1])
        done = {place for place in left if consumer.position(place) >= wanted[place][1]}
        if done:
            left -= done
            # Not paused: kafka-python (3.0.12) keeps a partition paused over `assign`, and one that was paused with
            # fetched records in hand it may never fetch again.
            consumer.assign(sorted(left))
        if time.monotonic() - heard > PATIENCE_SECONDS:
            raise KafkaTimeoutError(f"nothing came for {PATIENCE_SECONDS:.0f} s")
