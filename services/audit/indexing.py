"""Brings the index up to the log: entries that lie in the log alone are read again from the log and the topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kafka import KafkaConsumer, TopicPartition

from services.audit.broker import Described, records_between
from services.audit.entries import Entry, entry_of, entry_of_leaf
from services.audit.index import Index, Placed
from services.audit.log.leaf import Leaf, decode
from services.audit.log.reader import LogReader
from services.chassis import logs
from services.chassis.kafka_in.chunk import Record
from services.chassis.spans import Span

log = logs.get(__name__)

AT_ONCE = 2_048
Progress = Callable[[int, int], None]


def bring_up(
    index: Index,
    reader: LogReader,
    consumer: KafkaConsumer,
    topics: Mapping[str, Described],
    progress: Progress = lambda done, of: None,
) -> int:
    """Index what the log has beyond the index; returns how many entries that were.

    `consumer` has nothing else to do. May be repeated after any error: Away of the store, KafkaError of the broker.
    Raises IndexAhead, having changed nothing.
    """
    start = done = index.covered()
    if start > reader.size:
        raise IndexAhead(
            f"the index holds {start} entries, but the log only {reader.size}: run `referrals rebuild audit`"
        )
    waiting: list[bytes] = []
    for entry in reader.entries(start):
        waiting.append(entry)
        if len(waiting) == AT_ONCE or done + len(waiting) == reader.size:
            index.save(_placed(done, waiting, consumer, topics), done + len(waiting))
            done += len(waiting)
            waiting.clear()
            progress(done, reader.size)
    return done - start


class IndexAhead(Exception):
    """The index is of another log, or of a later state of it."""


def _placed(
    first: int, leaves: Sequence[bytes], consumer: KafkaConsumer, topics: Mapping[str, Described]
) -> list[Placed]:
    found = [(place, leaf) for place, leaf in enumerate(map(decode, leaves), first) if isinstance(leaf, Leaf)]
    spans: dict[TopicPartition, Span] = {}
    for _, leaf in found:
        topic = topics.get(leaf.topic)
        if topic is not None and topic.id == leaf.topic_id:
            partition = TopicPartition(leaf.topic, leaf.partition)
            spans[partition] = (spans.get(partition, (leaf.offset, 0))[0], leaf.until)
    records = {
        (topics[record.topic].id, record.partition, record.offset): record
        for record in records_between(consumer, spans)
    }
    return [(place, _entry(leaf, records.get((leaf.topic_id, leaf.partition, leaf.offset)))) for place, leaf in found]


def _entry(leaf: Leaf, record: Record | None) -> Entry:
    """What the record says; where its topic has it no more, or another one in its place, what the leaf says."""
    if record is None:
        return entry_of_leaf(leaf)
    entry = entry_of(record)
    if entry.timeline.sha256 != leaf.sha256:
        log.error("record_is_not_the_logged_one", topic=leaf.topic, partition=leaf.partition, offset=leaf.offset)
        return entry_of_leaf(leaf)
    return entry
