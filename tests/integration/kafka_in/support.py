"""Producing, waiting and comparing, for the tests of Kafka in."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from services.chassis.kafka_settings import KafkaAccess

CHECKOUT = Path(__file__).parents[3]
Place = tuple[int, int]


def produce(kafka: KafkaAccess, topic: str, count: int, *, size: int = 300) -> set[Place]:
    """Send `count` records with 1,000 keys, and return where they lie."""
    producer = KafkaProducer(**kafka.producer("test-out"))
    try:
        sent = [
            producer.send(topic, key=b"%d" % (number % 1_000), value=(b"%d " % number).ljust(size, b"."))
            for number in range(count)
        ]
        places = [future.get(60) for future in sent]
    finally:
        producer.close()
    return {(place.partition, place.offset) for place in places}


def send(kafka: KafkaAccess, topic: str, *values: bytes, partition: int = 0) -> None:
    """Send these values in order to one partition."""
    producer = KafkaProducer(**kafka.producer("test-out"))
    try:
        for value in values:
            producer.send(topic, value=value, partition=partition).get(30)
    finally:
        producer.close()


class Commits:
    """What the broker holds as committed by a group."""

    def __init__(self, kafka: KafkaAccess, topic: str, group: str, partitions: int = 6) -> None:
        self._consumer = KafkaConsumer(**kafka.consumer("test-commits", group))
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]

    def __call__(self) -> dict[int, int]:
        found = {each.partition: self._consumer.committed(each) for each in self._partitions}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    def total(self) -> int:
        """How many records lie before the commits."""
        return sum(self().values())

    def close(self) -> None:
        self._consumer.close(autocommit=False)


@contextmanager
def commits_of(kafka: KafkaAccess, topic: str, group: str, partitions: int = 6) -> Iterator[Commits]:
    commits = Commits(kafka, topic, group, partitions)
    try:
        yield commits
    finally:
        commits.close()


def effects(file: Path) -> list[Place]:
    """What a reader wrote down, in its order; a last line cut short by kill -9 never had its chunk done."""
    if not file.exists():
        return []
    lines = file.read_text().rpartition("\n")[0].splitlines()
    return [(int(partition), int(offset)) for partition, offset in map(str.split, lines)]


@contextmanager
def a_reader(kafka: KafkaAccess, *, program: str = "reader", **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run reader.py (or stock.py); at the end it is killed if it still runs."""
    settings = {"servers": kafka.servers, "username": kafka.username, **options}
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.integration.kafka_in.{program}", json.dumps(settings, default=str)],
        cwd=CHECKOUT,
        env={**os.environ, "KAFKA_PASSWORD": kafka.password},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
