"""Arm: the sequencer from one topic to its log and index; or one of its halves alone."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from pymongo import MongoClient

from services.audit import sequencer as sequencers
from services.audit.broker import Described, topics_of
from services.audit.entries import entry_of
from services.audit.index import Index, Placed
from services.audit.log.note import Signer
from services.audit.log.writer import Writer
from services.audit.sequencer import MOST_TOGETHER, Sequencer
from services.chassis import garbage
from services.chassis.kafka_in.chunk import record_of
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from tests.performance.process import most_resident

WITHIN_SECONDS = 300.0


class Counting(Index):
    """Says when the last entry is kept; without a store where `kept` is False."""

    def __init__(self, database: Any, entries: int, *, kept: bool) -> None:
        super().__init__(database)
        self._entries_wanted = entries
        self._kept = kept
        self.done = threading.Event()

    def save(self, placed: Sequence[Placed], covered: int) -> None:
        """See Index."""
        if self._kept:
            super().save(placed, covered)
        if covered >= self._entries_wanted:
            self.done.set()


def main() -> None:
    told = json.loads(sys.stdin.read())
    garbage.look_seldom()  # as every service
    access = KafkaAccess(told["servers"], told["username"], told["password"], SASL_PLAINTEXT)
    with MongoClient[dict[str, Any]](told["mongo_url"]) as client:
        client.drop_database(told["database"])
        database, entries = client[told["database"]], int(told["entries"])
        if told["kind"] == "index":
            cpu, wall = _index_alone(access, told["topic"], Index(database))
        else:
            index = Counting(database, entries, kept=told["kind"] == "whole")
            cpu, wall = _sequenced(access, told["topic"], index, Path(told["folder"]))
    found = {"per_second": entries / wall, "per_cpu": entries / cpu, "memory": most_resident()}
    sys.stdout.write(json.dumps(found) + "\n")


def _sequenced(access: KafkaAccess, topic: str, index: Counting, folder: Path) -> tuple[float, float]:
    def only(admin: KafkaAdminClient) -> dict[str, Described]:
        """Nothing of what other contests left on the broker."""
        return {name: described for name, described in topics_of(admin).items() if name == topic}

    vars(sequencers)["topics_of"] = only
    signer = Signer("bench.invalid/log", Ed25519PrivateKey.generate())
    begun: list[tuple[float, float]] = []

    def standing(what: str, ready: bool) -> None:
        """It reads from now on: what goes before is done once, however much there is to read."""
        if what == "stream" and ready and not begun:
            begun.append((time.process_time(), time.monotonic()))

    sequencer = Sequencer(access, index, lambda: Writer(folder, signer, [index.memory()]), standing)
    sequencer.start()
    if not index.done.wait(WITHIN_SECONDS):
        raise SystemExit(f"not within {WITHIN_SECONDS:.0f} s")
    [(cpu, began)] = begun
    used = time.process_time() - cpu, time.monotonic() - began
    sequencer.stop()
    return used


def _index_alone(access: KafkaAccess, topic: str, index: Index) -> tuple[float, float]:
    """Entries that are ready, in batches as a poll gives them."""
    placed = list(enumerate(map(entry_of, _records(access, topic))))
    index.prepare()
    cpu, began = time.process_time(), time.monotonic()
    for start in range(0, len(placed), MOST_TOGETHER):
        index.save(placed[start : start + MOST_TOGETHER], min(start + MOST_TOGETHER, len(placed)))
    return time.process_time() - cpu, time.monotonic() - began


def _records(access: KafkaAccess, topic: str) -> Sequence[Any]:
    consumer = KafkaConsumer(**access.consumer("bench-index"))
    found: list[Any] = []
    try:
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(places)
        consumer.seek_to_beginning()
        total = sum(consumer.end_offsets(places).values())
        while len(found) < total:
            found += [record_of(raw) for raws in consumer.poll(timeout_ms=500).values() for raw in raws]
    finally:
        consumer.close(autocommit=False)
    return found


if __name__ == "__main__":
    main()
