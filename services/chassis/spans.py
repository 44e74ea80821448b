"""Which offsets a broker keeps of partitions now: asked for within a bounded time, of whoever leads them now."""

from __future__ import annotations

from collections.abc import Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

ASK_MS = 2_500
TIMES = 4
Span = tuple[int, int]
"""Offsets [first, end)."""


def spans_of(consumer: KafkaConsumer, places: Sequence[TopicPartition]) -> dict[TopicPartition, Span]:
    """The first offset that is kept of each of these partitions, and that of the next record.

    Where a leader has moved, kafka-python (3.0.12) asks the old one again and again, without a pause, and nobody who
    leads now: that it learns only from a fetch, or once its metadata is five minutes old. So it is told to learn it
    each time, and may ask for a short time only: what it learned may have been just older than the move.

    Raises KafkaError: KafkaTimeoutError where nobody answered each of TIMES, UnknownTopicOrPartitionError where there
    is no leader, or the client knows of none yet.
    """
    if not places:
        return {}
    for _ in range(TIMES - 1):
        try:
            return _asked(consumer, list(places))
        except KafkaTimeoutError:
            continue
    return _asked(consumer, list(places))


def _asked(consumer: KafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, Span]:
    consumer._cluster.request_update()
    try:
        firsts = consumer.beginning_offsets(places, timeout_ms=ASK_MS)
        ends = consumer.end_offsets(places, timeout_ms=ASK_MS)
        return {place: (firsts[place], ends[place]) for place in places}
    except KeyError as error:  # the client leaves out a partition of which it knows no leader
        raise UnknownTopicOrPartitionError(f"{error.args[0]}") from error
