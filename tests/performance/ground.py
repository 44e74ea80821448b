"""The ground that all arms stand on: one broker and one store, topics, what was loaded and what was delivered."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError
from pymongo import MongoClient

from services.cli.local.home import CHECKOUT
from services.cli.local.stack import Stack

PARTITIONS = 4
GONE_SECONDS = 30.0
START_SECONDS = 180.0
FOLDER = CHECKOUT / "build" / "bench"
Places = dict[tuple[str, int], int]
"""Offsets by topic and partition."""


class Loaded(NamedTuple):
    """A record as it is loaded."""

    key: bytes
    value: bytes


class Ground(AbstractContextManager["Ground"]):
    """A stack of its own in build/bench/home, made new, and taken away at the end."""

    def __init__(self) -> None:
        self.stack = Stack(FOLDER / "home", ends_with=os.getpid())
        self._admin: KafkaAdminClient | None = None
        self._watch: Any = None
        self._store: MongoClient[dict[str, Any]] | None = None

    def __enter__(self) -> Ground:
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._lock = (FOLDER / "lock").open("w")
        # One run at a time: two would measure each other.
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.stack.stop()
        shutil.rmtree(self.stack.home.root, ignore_errors=True)
        self.stack.start(["kafka", "mongo"], timeout=START_SECONDS)
        self._admin = KafkaAdminClient(**self.login, reconnect_backoff_max_ms=1000)
        self._watch = self._consumer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.close(autocommit=False)
        if self._admin is not None:
            self._admin.close()
        if self._store is not None:
            self._store.close()
        self.stack.stop()
        shutil.rmtree(self.stack.home.root, ignore_errors=True)
        self._lock.close()

    @property
    def login(self) -> dict[str, str]:
        """kafka-python's settings to connect as the administrator, as all arms do."""
        return self.stack.kafka_login()

    @property
    def settings(self) -> dict[str, Any]:
        """What every arm is told."""
        login = self.login
        return {
            "servers": login["bootstrap_servers"],
            "username": login["sasl_plain_username"],
            "password": login["sasl_plain_password"],
            "mongo_url": self.stack.mongo_url,
        }

    @property
    def admin(self) -> KafkaAdminClient:
        """The administrator's connection."""
        assert self._admin is not None
        return self._admin

    @property
    def store(self) -> MongoClient[dict[str, Any]]:
        """A client of the store."""
        if self._store is None:
            self._store = MongoClient(self.stack.mongo_url, tz_aware=True)
        return self._store

    def logs(self) -> Path:
        """Where the arms' output goes."""
        return FOLDER / "logs"

    def topics(self, names: Iterable[str], partitions: int = PARTITIONS) -> list[str]:
        """Make topics."""
        wanted = list(names)
        self.admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1} for name in wanted})
        self.admin.wait_for_topics(wanted)
        return wanted

    def stamped_by_broker(self, topics: Iterable[str]) -> None:
        """Let the broker say when it took a record, whatever the record's writer says."""
        setting = {"message.timestamp.type": "LogAppendTime"}
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, setting) for name in topics])

    def load(self, topic: str, records: Iterable[Loaded]) -> None:
        """Write the records, all acknowledged."""
        producer = KafkaProducer(
            **self.login,
            acks="all",
            enable_idempotence=True,
            batch_size=256 * 1024,
            linger_ms=20,
            reconnect_backoff_max_ms=1000,
        )
        try:
            waiting = [producer.send(topic, record.value, key=record.key) for record in records]
            producer.flush(60)
            for future in waiting:
                future.get(60)
        finally:
            producer.close(timeout=5)

    def ends(self, topics: Sequence[str]) -> Places:
        """How many records each partition has had."""
        places = [TopicPartition(topic, number) for topic in topics for number in self._numbers(topic)]
        return {(place.topic, place.partition): end for place, end in self._watch.end_offsets(places).items()}

    def records(self, since: Places) -> list[Any]:
        """Every record that now lies past these offsets."""
        ends = self.ends(sorted({topic for topic, _ in since}))
        places = [place for place in ends if ends[place] > since[place]]
        consumer = self._consumer()
        found: list[Any] = []
        try:
            consumer.assign([TopicPartition(*place) for place in places])
            for place in places:
                consumer.seek(TopicPartition(*place), since[place])
            while any(consumer.position(TopicPartition(*place)) < ends[place] for place in places):
                for batch in consumer.poll(timeout_ms=500).values():
                    found += batch
        finally:
            consumer.close(autocommit=False)
        return found

    def empty(self, topic: str) -> None:
        """Take a topic's records away by making it anew."""
        self.admin.delete_topics([topic])
        deadline = time.monotonic() + GONE_SECONDS
        while topic in self.admin.list_topics():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic} was not deleted within {GONE_SECONDS:.0f} s")
            time.sleep(0.05)
        self.topics([topic])

    def forget_group(self, group: str) -> None:
        """Let a consumer group begin at the beginning again; one that does not exist is no error.

        A group whose members ended without a farewell counts as running for some seconds: that is waited out.
        """
        deadline = time.monotonic() + GONE_SECONDS
        while True:
            try:
                answer = self.admin.delete_groups([group])
            except CoordinatorNotAvailableError:  # a new broker makes its offsets topic when first asked
                answer = {group: CoordinatorNotAvailableError.__name__}
            if answer.get(group) in ("OK", GroupIdNotFoundError.__name__):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"group {group} stays: {answer}")
            time.sleep(0.2)

    def _numbers(self, topic: str) -> list[int]:
        return sorted(self._watch.partitions_for_topic(topic) or ())

    def _consumer(self) -> Any:
        return KafkaConsumer(
            **self.login,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            auto_offset_reset="earliest",
            reconnect_backoff_max_ms=1000,
            max_poll_records=5000,
        )
