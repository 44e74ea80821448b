"""Makes a service's store again from the topics: the same facts and views, in whatever order the topics are read.

What bounds it: 64 MiB of facts in memory, and beyond that one temporary file of the topics' size (spool.py).
It may be repeated, and may start from nothing, from an older copy, or from a store that lacks nothing. It never takes
a fact away, and never touches intake's keys: those are the one thing that no topic can give back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import GroupIdNotFoundError
from pymongo import InsertOne, UpdateOne
from pymongo.collection import Collection

from services.chassis import garbage
from services.chassis.deciding import Decider
from services.chassis.draining import BrokerFailed, records_before
from services.chassis.engine.document import state_of, view_of
from services.chassis.engine.reading import Unreadable, facts_of
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.parked import ParkedRecords
from services.chassis.spans import spans_of
from services.chassis.spool import Spool
from services.topics import Topic, parked_topic

S = TypeVar("S")
Stored = Mapping[str, Any]
Progress = Callable[[str, int, int], None]
"""Told what is being done, how far it is and of how many."""

BATCH = 500
PATIENCE_SECONDS = 30.0
"""Longest wait for the service to leave its group."""


class CannotRebuild(Exception):
    """Why the store was left as it is; the text says what would mend it."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did."""

    records: int
    """Read from the topics."""
    unreadable: int
    """Of them on the service's own topic, and no facts: somebody else wrote them."""
    referrals: int
    inserted: int
    updated: int
    """Present before, whether or not they lacked anything."""


@dataclass(frozen=True)
class Sources(Generic[S]):
    """A decider with the topics that its documents are made of; `upstreams` by writer."""

    decider: Decider[S]
    own: Topic
    upstreams: Mapping[str, Topic]

    @property
    def service(self) -> str:
        """Its id, which is also its consumer group."""
        return self.decider.writer


def rebuild(
    sources: Sources[S],
    kafka: KafkaAccess,
    collection: Collection[dict[str, Any]],
    *,
    folder: Path | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Rebuilt:
    """Make the store of a service that does not run; `folder` is where the temporary file goes.

    The service's own topic is read whole. An upstream topic is read up to what the service's group committed,
    without what it parked: anything else is still to be decided by the service itself. A copy for a partner that
    was stored but not yet on its topic when the store was lost cannot be made again here.

    Raises CannotRebuild, having changed nothing, while the service runs and where a topic holds a fork or a gap.
    """
    garbage.look_seldom(clear=False)  # a process that rebuilds does nothing else
    _require_stopped(sources.service, kafka)
    with Spool(folder) as spool:
        try:
            records, unreadable = _read(sources, kafka, spool, progress)
        except BrokerFailed as error:
            raise CannotRebuild(f"the broker failed ({error}); rebuild again when it answers") from error
        held = spool.survey()
        if held.faults:
            raise CannotRebuild("the topics hold what no service may have written: " + "; ".join(map(str, held.faults)))
        done = inserted = 0
        for batch in _batches(spool, BATCH):
            inserted += _put(sources.decider, collection, batch)
            done += len(batch)
            progress("writing referrals", done, held.referrals)
    return Rebuilt(records, unreadable, held.referrals, inserted, done - inserted)


def made(decider: Decider[S], referral_id: str, facts: Mapping[str, Sequence[bytes]], stored: Stored | None) -> Stored:
    """The fields of the document that topics and store give together: of each writer the longer list.

    What the store has beyond the topic was never acknowledged by anyone but is decided: the service sends it.
    Raises CannotRebuild where the two tell different stories.
    """
    joined: Mapping[str, Sequence[bytes]] = facts
    if stored:
        present: Mapping[str, Sequence[bytes]] = stored["facts"]
        joined = {
            writer: _longer(referral_id, writer, facts.get(writer, ()), present.get(writer, ()))
            for writer in {*facts, *present}
        }
    published = len(facts.get(decider.writer, ()))
    pending = len(joined.get(decider.writer, ())) > published
    return {
        "facts": joined,
        "published": published,
        **({"pending": True} if pending else {}),
        "copies": stored.get("copies", []) if stored and pending else [],
        "view": view_of(decider, state_of(decider, joined)),
    }


def _longer(referral_id: str, writer: str, one: Sequence[bytes], other: Sequence[bytes]) -> list[bytes]:
    shorter, longer = sorted((one, other), key=len)
    for place, (left, right) in enumerate(zip(shorter, longer, strict=False), start=1):
        if bytes(left) != bytes(right):
            raise CannotRebuild(
                f"the store and the topic differ in referral {referral_id}, {writer}'s fact {place}; put the store "
                "aside and rebuild into an empty one (for intake: with its keys)"
            )
    return [bytes(raw) for raw in longer]


def _put(
    decider: Decider[S],
    collection: Collection[dict[str, Any]],
    batch: Sequence[tuple[str, Mapping[str, Sequence[bytes]]]],
) -> int:
    """Write one batch; returns how many were missing."""
    ids = [referral_id for referral_id, _ in batch]
    present = {document["_id"]: document for document in collection.find({"_id": {"$in": ids}})}
    token = secrets.token_hex(8)
    writes: list[InsertOne[dict[str, Any]] | UpdateOne] = []
    for referral_id, facts in batch:
        stored = present.get(referral_id)
        # Intake's keys of a referral may outlive the rest of its document.
        whole = stored if stored and "facts" in stored else None
        fields = {"revision": token, **made(decider, referral_id, facts, whole)}
        if stored is None:
            writes.append(InsertOne({"_id": referral_id, **fields}))
        else:
            change = {"$set": fields} | ({} if "pending" in fields else {"$unset": {"pending": ""}})
            writes.append(UpdateOne({"_id": referral_id, "revision": stored.get("revision")}, change))
    result = collection.bulk_write(writes, ordered=False)
    if result.matched_count + result.inserted_count != len(batch):
        raise CannotRebuild("something else writes into the store; stop it, and rebuild again")
    return result.inserted_count


def _read(sources: Sources[S], kafka: KafkaAccess, spool: Spool, progress: Progress) -> tuple[int, int]:
    """Everything that the documents are made of; returns how many records that were, and how many no facts."""
    service = sources.service
    parked = ParkedRecords(parked_topic(service).name, service, [topic.name for topic in sources.upstreams.values()])
    consumer = KafkaConsumer(**kafka.consumer(f"{service}-rebuild", service))
    try:
        ends = _ends(sources, consumer)
        parked.restore(lambda: consumer)
    finally:
        consumer.close(autocommit=False)
    put_aside = {entry.record.position for entry in parked.entries()}
    total, done = sum(ends.values()), 0
    writers = {sources.own.name: service} | {topic.name: writer for writer, topic in sources.upstreams.items()}
    types: dict[str, type[Message]] = {service: sources.decider.fact_type, **sources.decider.upstream_types}
    readers = {topic: facts_of(writer, types[writer]) for topic, writer in writers.items()}
    unreadable = 0
    for record in records_before(ends, kafka, f"{service}-rebuild"):
        done += 1
        if done % 1_000 == 0 or done == total:
            progress("reading facts", done, total)
        if put_aside and record.position in put_aside:
            continue
        try:
            given = readers[record.topic](record)
        except Unreadable as error:
            if record.topic == sources.own.name:  # a damaged fact of ours leaves a gap, which is refused
                unreadable += 1
                continue
            where = f"{record.topic}, partition {record.partition}, offset {record.offset}"
            raise CannotRebuild(f"{where}: {error.error}, and it is not parked") from error
        spool.add(given, record.value or b"")
    return done, unreadable


def _ends(sources: Sources[S], consumer: KafkaConsumer) -> dict[tuple[str, int], int]:
    """How far each partition is read: the own topic to its end, upstreams to what the service committed."""
    spans = spans_of(consumer, _partitions(consumer, sources.own))
    ends = {tuple(place): end for place, (_, end) in spans.items()}
    for topic in sources.upstreams.values():
        for partition in _partitions(consumer, topic):
            ends[tuple(partition)] = consumer.committed(partition) or 0
    return ends


def _partitions(consumer: KafkaConsumer, topic: Topic) -> list[TopicPartition]:
    numbers = consumer.partitions_for_topic(topic.name)
    if not numbers:
        raise CannotRebuild(f"there is no topic {topic.name}: was this broker furnished?")
    return [TopicPartition(topic.name, number) for number in sorted(numbers)]


def _require_stopped(service: str, kafka: KafkaAccess) -> None:
    """A process that ended without a farewell counts as a member for some seconds more: that is waited out."""
    admin = KafkaAdminClient(**kafka.admin(f"{service}-rebuild"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while members := _members(admin, service):
            if time.monotonic() > deadline:
                raise CannotRebuild(f"{service} runs ({members} members of its group); stop every process of it first")
            time.sleep(0.5)
    finally:
        admin.close()


def _members(admin: KafkaAdminClient, service: str) -> int:
    found = admin.describe_groups([service])[service]
    if found["error"] and GroupIdNotFoundError.__name__ not in found["error"]:
        raise CannotRebuild(f"the broker does not say whether {service} runs: {found['error']}")
    return len(found["members"])


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
