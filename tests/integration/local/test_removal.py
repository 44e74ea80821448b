"""A partner that is removed while it reads: the last byte that it can read comes within a minute, and no further.

That it cannot write or connect any more is in test_permissions.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from services.cli.local import partners
from services.cli.local.stack import Stack
from tests.integration.local.asking import Asker
from tests.integration.local.conftest import WATCH
from tests.integration.local.test_permissions import login_of

pytestmark = pytest.mark.integration

WITHIN = 60.0
WRITE_EVERY = 0.1
QUIET = 5.0
"""Fifty times as long as from one record to the next: whoever could still read would have read."""


class Writing:
    """Partner-routing, which goes on writing copies for the partner whatever happens."""

    def __init__(self, stack: Stack, topic: str) -> None:
        self._producer = KafkaProducer(**stack.kafka_login("partner-routing"), acks="all")
        self._topic = topic
        self._stopping = threading.Event()
        self.written = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(WRITE_EVERY):
            self._producer.send(self._topic, b"copy", key=b"k", partition=0).get(30)
            self.written += 1

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)
        self._producer.close(timeout=5)


@pytest.fixture
def access(stack: Stack) -> dict[str, Any]:
    partners.add(stack, [WATCH])
    return login_of(stack, WATCH.id)


@pytest.fixture
def writing(stack: Stack, access: dict[str, Any]) -> Iterator[Writing]:
    found = Writing(stack, access["topic"])
    yield found
    found.stop()


def test_what_a_removed_partner_reads_ends_within_a_minute(
    stack: Stack, access: dict[str, Any], writing: Writing
) -> None:
    bare = Asker(access["login"])
    consumer = KafkaConsumer(
        **access["login"], enable_auto_commit=False, auto_offset_reset="earliest", reconnect_backoff_max_ms=1000
    )
    consumer.assign([TopicPartition(access["topic"], 0)])
    try:
        while not consumer.poll(timeout_ms=500):
            pass
        assert bare.read(access["topic"])
        removing = time.monotonic()
        partners.remove(stack, WATCH.id)
        before = writing.written

        last = _last_read(consumer, bare, access["topic"], removing)

        assert last - removing < WITHIN
        assert writing.written > before, "there was more to read"
    finally:
        bare.close()
        consumer.close(autocommit=False)


def _last_read(consumer: KafkaConsumer, bare: Asker, topic: str, since: float) -> float:
    """When the last record was read, once nobody could read any for so long."""
    last = since
    while time.monotonic() - last < QUIET and last - since < WITHIN:
        with suppress(KafkaError):
            if consumer.poll(timeout_ms=200):
                last = time.monotonic()
        with suppress(KafkaError):
            if bare.read(topic):
                last = time.monotonic()
    return last
