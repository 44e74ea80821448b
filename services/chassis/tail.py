"""The check at start that a writer's own topics are not ahead of its store, as after an old backup was put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from services.chassis import logs
from services.chassis.engine.reading import FactReader, Unreadable
from services.chassis.engine.store import Store
from services.chassis.spans import spans_of

log = logs.get(__name__)

TAIL = 50
"""Records looked at, at the end of each partition."""


class StoreBehind(Exception):
    """The topic holds facts that the store does not; deciding on would fork referrals."""


def check(topic: str, service: str, read: FactReader, store: Store, connect: Callable[[], KafkaConsumer]) -> None:
    """Raise StoreBehind where any of the last facts on the service's own topic is not in its store.

    `read` is how its readers read the topic: what they would park is no fact.
    """
    newest = _newest_sequences(topic, read, connect)
    stored: dict[str, Mapping[str, Any]] = {}
    ids = list(newest)
    for start in range(0, len(ids), 500):
        stored.update({document["_id"]: document for document in store.load(ids[start : start + 500])})
    missing = [
        referral_id
        for referral_id, sequence in newest.items()
        if len(stored.get(referral_id, {}).get("facts", {}).get(service, ())) < sequence
    ]
    if missing:
        raise StoreBehind(
            f"{topic} is ahead of the store of {service}: {len(missing)} of the last {len(newest)} referrals on the "
            f"topic have facts that the store lacks, as after an old backup was put back; "
            f"run `referrals rebuild {service}`"
        )


def _newest_sequences(topic: str, read: FactReader, connect: Callable[[], KafkaConsumer]) -> dict[str, int]:
    consumer = connect()
    newest: dict[str, int] = {}
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        spans = spans_of(consumer, partitions)
        for partition, (first, end) in spans.items():
            consumer.seek(partition, max(first, end - TAIL))
        while any(consumer.position(partition) < end for partition, (_, end) in spans.items()):
            for records in consumer.poll(timeout_ms=1_000).values():
                for record in records:
                    try:
                        given = read(record)
                    except Unreadable:  # readers park it; it is no fact of ours, and no reason to stay down
                        log.error("own_record_unreadable", topic=topic, offset=record.offset)
                        continue
                    newest[given.referral_id] = max(newest.get(given.referral_id, 0), given.sequence)
    finally:
        consumer.close(autocommit=False)
    return newest
