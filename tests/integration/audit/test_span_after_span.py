"""One consumer that reads span after span, as a rebuild of the index does, gives each of them whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from services.audit.broker import records_between
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.spans import Span
from tests.integration.conftest import MakeTopic

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

RECORDS = 120
AT_ONCE = 7
"""Records of a poll, far fewer than of a fetch: at the end of a span there are fetched records in hand."""


@pytest.fixture
def places(kafka: KafkaAccess, make_topic: MakeTopic) -> list[TopicPartition]:
    """Two partitions with records."""
    topic = make_topic("spans", 2)
    found = [TopicPartition(topic, number) for number in range(2)]
    producer = KafkaProducer(**kafka.producer("test-out"))
    try:
        sent = [
            producer.send(topic, key=b"key", value=b"value", partition=place.partition)
            for place in found
            for _ in range(RECORDS)
        ]
        for future in sent:
            future.get(60)
    finally:
        producer.close()
    return found


@pytest.fixture
def consumer(kafka: KafkaAccess) -> Iterator[KafkaConsumer]:
    found = KafkaConsumer(**kafka.consumer("test-spans") | {"max_poll_records": AT_ONCE})
    yield found
    found.close(autocommit=False)


@pytest.mark.parametrize("step", [20, 31])
def test_every_span_of_every_partition_is_read_whole(
    places: list[TopicPartition], consumer: KafkaConsumer, step: int
) -> None:
    for first in range(0, RECORDS, step):
        spans: dict[TopicPartition, Span] = dict.fromkeys(places, (first, min(first + step, RECORDS)))

        read = [(record.partition, record.offset) for record in records_between(consumer, spans)]

        assert sorted(read) == [(place.partition, at) for place in places for at in range(*spans[place])]
