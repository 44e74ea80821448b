"""Records that could not be handled: kept whole on the service's parked topic, blocking only their own referral."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError
from kafka import KafkaConsumer, TopicPartition

from safeguarding.v1 import parked_pb2
from services.chassis import logs
from services.chassis.kafka_in.chunk import Position, Record
from services.chassis.records import OutRecord
from services.chassis.spans import spans_of
from services.chassis.times import are_times

log = logs.get(__name__)

READ_TIMEOUT_MS = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One parked record and why it is parked."""

    record: Record
    kind: int
    error: str
    parked_at: datetime


class ParkedRecords:
    """What is parked, in memory as on the topic. Used by the engine's thread; `entries` from any.

    `ordered` are the topics whose records must be handled in order: there, a parked record holds back the later
    ones of the same referral. A partner's replies are none of them.
    """

    def __init__(self, topic: str, service: str, ordered: Collection[str]) -> None:
        self._topic = topic
        self._service = service
        self._ordered = frozenset(ordered)
        self._entries: dict[Position, Entry] = {}
        self._behind: dict[tuple[str, bytes | None], list[Position]] = {}
        self._in_replay: set[Position] = set()
        self._markers: list[OutRecord] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def restore(self, connect: Callable[[], KafkaConsumer]) -> None:
        """Read the topic from its beginning to its present end; called once, before the engine starts."""
        consumer = connect()
        try:
            numbers = consumer.partitions_for_topic(self._topic) or ()
            partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            spans = spans_of(consumer, partitions)
            while any(consumer.position(partition) < end for partition, (_, end) in spans.items()):
                for records in consumer.poll(timeout_ms=READ_TIMEOUT_MS).values():
                    for record in records:
                        self.restore_one(record)
        finally:
            consumer.close(autocommit=False)

    def blocks(self, record: Record) -> bool:
        """True where a record of the same referral and topic is parked that must be handled before this one."""
        return bool(self._behind) and bool(self._behind.get(record.lane))

    def forked(self, record: Record) -> bool:
        """True where a fork of the same referral and topic is parked: nobody knows which branch this one is of."""
        return bool(self._behind) and any(
            self._entries[position].kind == parked_pb2.PARKED_CLASS_FORK
            for position in self._behind.get(record.lane, ())
        )

    def behind(self, record: Record) -> list[Position]:
        """The parked records of the same referral and topic that are not being replayed, in order."""
        if not self._behind:
            return []
        positions = self._behind.get(record.lane, ())
        return [position for position in positions if position not in self._in_replay]

    def parking(self, record: Record, kind: int, error: str, now: datetime) -> OutRecord:
        """The record that keeps this one whole."""
        parked = parked_pb2.Parked(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=[parked_pb2.RecordHeader(name=name, value=value or b"") for name, value in record.headers],
            error=error,
        )
        setattr(parked, "class", kind)
        with suppress(ValueError):  # the writer's own clock may say anything; beyond year 9999 it stays unsaid
            parked.record_time.FromMilliseconds(record.timestamp_ms)
        parked.parked_at.FromDatetime(now)
        return self._out(record, parked_pb2.ParkedRecord(parked=parked))

    def took(self, record: Record, kind: int, error: str, now: datetime) -> None:
        """The broker has acknowledged the parked record."""
        with self._lock:
            self._add(Entry(record, kind, error, now))

    def replayed(self, position: Position) -> None:
        """The record was handled after all; the marker for it waits for the next publication."""
        with self._lock:
            entry = self._remove(position)
        if entry is not None:
            marker = parked_pb2.Replayed(
                topic=position.topic, partition=position.partition, offset=position.offset, by=self._service
            )
            self._markers.append(self._out(entry.record, parked_pb2.ParkedRecord(replayed=marker)))

    def failed_again(self, position: Position) -> None:
        """A replay did not help; the record stays parked."""
        self._in_replay.discard(position)

    def markers(self) -> list[OutRecord]:
        """Markers that wait for a publication; they stay until `published`."""
        return list(self._markers)

    def published(self, markers: Sequence[OutRecord]) -> None:
        """The broker has acknowledged these markers."""
        del self._markers[: len(markers)]

    def records(self, positions: Sequence[Position] | None = None) -> list[Record]:
        """Parked records to be replayed, in the order of their topics; all where None."""
        with self._lock:
            wanted = sorted(self._entries) if positions is None else [p for p in positions if p in self._entries]
            fresh = [position for position in wanted if position not in self._in_replay]
            self._in_replay.update(fresh)
            return [self._entries[position].record for position in fresh]

    def entries(self) -> list[Entry]:
        """Everything parked, oldest first."""
        with self._lock:
            return sorted(self._entries.values(), key=lambda entry: (entry.parked_at, entry.record.position))

    def _out(self, record: Record, value: parked_pb2.ParkedRecord) -> OutRecord:
        key = record.key or f"{record.topic}/{record.partition}/{record.offset}".encode()
        return OutRecord(self._topic, key, value.SerializeToString(deterministic=True), [])

    def restore_one(self, found: Any) -> None:
        """Take in one record of the topic. What is none of ours is told of and left: it keeps nobody from starting."""
        try:
            value = parked_pb2.ParkedRecord.FromString(found.value or b"")
        except DecodeError:
            value = parked_pb2.ParkedRecord()
        if value.WhichOneof("record") is None or not are_times(value):
            log.error("parked_unreadable", topic=self._topic, partition=found.partition, offset=found.offset)
            return
        if value.WhichOneof("record") == "replayed":
            self._remove(Position(value.replayed.topic, value.replayed.partition, value.replayed.offset))
            return
        parked = value.parked
        record = Record(
            parked.topic,
            parked.partition,
            parked.offset,
            parked.record_time.ToMilliseconds(),
            parked.key if parked.HasField("key") else None,
            parked.value if parked.HasField("value") else None,
            tuple((header.name, header.value) for header in parked.headers),
        )
        self._add(Entry(record, getattr(parked, "class"), parked.error, parked.parked_at.ToDatetime(UTC)))

    def _add(self, entry: Entry) -> None:
        position = entry.record.position
        if position in self._entries:
            return
        self._entries[position] = entry
        if entry.record.topic in self._ordered:
            self._behind.setdefault(entry.record.lane, []).append(position)

    def _remove(self, position: Position) -> Entry | None:
        self._in_replay.discard(position)
        entry = self._entries.pop(position, None)
        if entry is not None and entry.record.topic in self._ordered:
            lane = self._behind[entry.record.lane]
            lane.remove(position)
            if not lane:
                del self._behind[entry.record.lane]
        return entry
