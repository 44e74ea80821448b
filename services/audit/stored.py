"""The topics as a verification of the log reads them: each record that is kept, and the leaf that it must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from services.audit.broker import records_between, topics_of
from services.audit.entries import entry_of, leaf_of
from services.audit.log.comparing import Bounds
from services.audit.log.leaf import Place
from services.chassis.spans import spans_of


class StoredTopics:
    """Both clients have nothing else to do. Raises KafkaError."""

    def __init__(self, consumer: KafkaConsumer, admin: KafkaAdminClient) -> None:
        self._consumer = consumer
        self._admin = admin
        self._names: dict[str, str] = {}

    def bounds(self) -> Mapping[Place, Bounds]:
        """Every partition of every topic as it is now."""
        found = topics_of(self._admin)
        self._names |= {topic.id: name for name, topic in found.items()}
        places = [TopicPartition(name, number) for name, topic in found.items() for number in topic.partitions]
        return {
            (found[place.topic].id, place.partition): Bounds(place.topic, *span)
            for place, span in spans_of(self._consumer, places).items()
        }

    def leaves(self, place: Place, start: int, until: int) -> Iterator[tuple[int, bytes]]:
        """The offset and the leaf of each record that is kept in [start, until)."""
        topic_id, partition = place
        for record in records_between(
            self._consumer, {TopicPartition(self._names[topic_id], partition): (start, until)}
        ):
            yield record.offset, leaf_of(record, entry_of(record), topic_id).encode()
