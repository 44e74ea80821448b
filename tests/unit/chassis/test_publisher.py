"""The engine's publisher: its producer moves on the thread that publishes, and only while that waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from services.chassis.engine import publisher as publishing
from services.chassis.engine.away import Away
from services.chassis.engine.publisher import KafkaPublisher
from services.chassis.records import OutRecord

RECORD = OutRecord("facts", b"a", b"1", [])


class Batch:
    """Of any size."""

    def append(self, **record: Any) -> object:
        return record


class Producer:
    """Notes the thread on which it is used."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.stopped = threading.Event()
        self.fails: Exception | None = None
        self.answers = True
        self.late: list[str] = []

    async def start(self) -> None:
        self.threads.append(threading.current_thread())

    async def stop(self) -> None:
        self.stopped.set()

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        self.threads.append(threading.current_thread())
        if self.fails:
            raise self.fails
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.answers:
            sent.set_result(None)
        else:
            asyncio.get_running_loop().call_later(0.05, self.late.append, "sent late")
        return sent


class Made:
    """A publisher, and every producer that it made."""

    def __init__(self) -> None:
        self.producers: list[Producer] = []
        self.publisher = KafkaPublisher(self._make, alone=True)

    def _make(self) -> Any:
        self.producers.append(Producer())
        return self.producers[-1]


@pytest.fixture
def made() -> Iterator[Made]:
    made = Made()
    yield made
    made.publisher.close()
    assert all(producer.stopped.wait(60) for producer in made.producers)


def test_a_publisher_of_one_thread_works_on_that_thread(made: Made) -> None:
    made.publisher.publish([RECORD], 5)
    made.publisher.publish([RECORD], 5)

    [producer] = made.producers
    assert set(producer.threads) == {threading.current_thread()}
    assert len(producer.threads) == 3


@pytest.mark.parametrize(
    "error", [KafkaTimeoutError(), asyncio.CancelledError(), OSError()], ids=lambda e: type(e).__name__
)
def test_whatever_ends_a_send_is_away_and_the_next_goes_by_another_producer(made: Made, error: Any) -> None:
    made.publisher.publish([RECORD], 5)
    made.producers[0].fails = error

    with pytest.raises(Away):
        made.publisher.publish([RECORD], 5)
    made.publisher.publish([RECORD], 5)

    assert len(made.producers) == 2
    assert made.producers[0].stopped.wait(60)


def test_what_was_not_acknowledged_in_time_is_cut_off(made: Made) -> None:
    made.publisher.publish([RECORD], 5)
    made.producers[0].answers = False

    with pytest.raises(Away):
        made.publisher.publish([RECORD], 0.01)

    assert made.producers[0].stopped.wait(60)
    made.publisher.close()
    assert made.producers[0].late == []


def test_a_producer_that_has_not_moved_for_long_first_learns_what_happened_meanwhile(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that its broker has closed the connection."""
    made.publisher.publish([RECORD], 5)
    [producer] = made.producers
    heard: list[int] = []
    producer_loop = made.publisher._session._loop  # type: ignore[union-attr]
    producer_loop.call_later(0, lambda: heard.append(len(producer.threads)))
    monkeypatch.setattr(publishing, "LONG_STILL", 0.0)

    made.publisher.publish([RECORD], 5)

    assert heard == [2]
    assert len(producer.threads) == 3


def test_closing_lets_go_of_the_broker_and_what_comes_after_it_begins_anew(made: Made) -> None:
    made.publisher.publish([RECORD], 5)

    made.publisher.close()

    assert made.producers[0].stopped.is_set()
    made.publisher.publish([RECORD], 5)
    assert len(made.producers) == 2
