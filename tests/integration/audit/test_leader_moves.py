"""Where a partition's leader moves, as after each restart of one of three brokers, its offsets are soon known again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from services.chassis.spans import spans_of
from services.cli.local.stack import Stack
from tests.chaos.brokers import NAMES, ThreeBrokers
from tests.integration.conftest import administration
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TOPIC, PARTITIONS = "moves", 12
PREFERRED = 0
"""The kind of election that gives each partition back to its first replica."""
SOON_SECONDS = 10.0
"""Without it: five minutes."""


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[tuple[Stack, ThreeBrokers]]:
    stack = Stack(tmp_path / "home", ends_with=os.getpid())
    with ThreeBrokers(stack) as three:
        try:
            stack.start(list(NAMES))
            yield stack, three
        finally:
            stack.stop()


def done(stack: Stack, what: str, order: Callable[[KafkaAdminClient], object]) -> None:
    """Ask until it is done: a broker that has just started may not be in the cluster yet, or reset a connection."""

    def ordered() -> bool:
        try:
            with stack.admin() as admin:
                order(admin)
        except TopicAlreadyExistsError:
            return True  # the answer to the first time was lost
        except KafkaError:
            return False
        return True

    happens(what, ordered)


def test_offsets_are_known_again_soon_after_leaders_moved(brokers: tuple[Stack, ThreeBrokers]) -> None:
    stack, three = brokers
    places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    new = {TOPIC: {"num_partitions": PARTITIONS, "replication_factor": len(NAMES)}}
    done(stack, "all three make a topic", lambda admin: admin.create_topics(new))
    three.wait_in_sync()
    stack.kill(NAMES[1])
    stack.wait_ready([NAMES[1]])
    three.wait_in_sync()
    consumer = KafkaConsumer(**administration(stack).consumer("test"))
    try:
        consumer.assign(places)
        before = spans_of(consumer, places)

        done(stack, "leaders move back", lambda admin: admin.elect_leaders(PREFERRED, raise_errors=False))
        began = time.monotonic()

        assert spans_of(consumer, places) == before == dict.fromkeys(places, (0, 0))
        assert time.monotonic() - began < SOON_SECONDS
    finally:
        consumer.close(autocommit=False)
