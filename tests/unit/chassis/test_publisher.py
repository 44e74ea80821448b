"""The engine's publisher: its producer moves on the thread that publishes, and only while that waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from services.chassis.engine import sessions
from services.chassis.engine.away import Away
from services.chassis.engine.publisher import OwnPublisher, SharedPublisher
from services.chassis.records import OutRecord
from tests.publishing import publish
from tests.waiting import happens

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
        self.waiting: list[asyncio.Future[None]] = []

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
            self.waiting.append(sent)
            asyncio.get_running_loop().call_later(0.05, self.late.append, "sent late")
        return sent

    def answer(self) -> None:
        """What waits is acknowledged, and whatever comes."""
        self.answers = True
        for sent in self.waiting:
            sent.get_loop().call_soon_threadsafe(sent.set_result, None)


class Made:
    """A publisher, and every producer that it made."""

    def __init__(self) -> None:
        self.producers: list[Producer] = []
        self.publisher = OwnPublisher(self._make)

    def _make(self) -> Any:
        self.producers.append(Producer())
        return self.producers[-1]


class MadeShared(Made):
    """Of many threads."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = SharedPublisher(self._make)


@pytest.fixture
def made() -> Iterator[Made]:
    made = Made()
    yield made
    made.publisher.close()
    assert all(producer.stopped.wait(60) for producer in made.producers)


@pytest.fixture
def shared() -> Iterator[MadeShared]:
    made = MadeShared()
    publish(made.shared, [RECORD], 60)
    yield made
    made.shared.close()
    assert all(producer.stopped.wait(60) for producer in made.producers)


def test_a_publisher_of_one_thread_works_on_that_thread(made: Made) -> None:
    publish(made.publisher, [RECORD], 5)
    publish(made.publisher, [RECORD], 5)

    [producer] = made.producers
    assert set(producer.threads) == {threading.current_thread()}
    assert len(producer.threads) == 3


@pytest.mark.parametrize(
    "error", [KafkaTimeoutError(), asyncio.CancelledError(), OSError()], ids=lambda e: type(e).__name__
)
def test_whatever_ends_a_send_is_away_and_the_next_goes_by_another_producer(made: Made, error: Any) -> None:
    publish(made.publisher, [RECORD], 5)
    made.producers[0].fails = error

    with pytest.raises(Away):
        publish(made.publisher, [RECORD], 5)
    publish(made.publisher, [RECORD], 5)

    assert len(made.producers) == 2
    assert made.producers[0].stopped.wait(60)


def test_what_was_not_acknowledged_in_time_is_cut_off(made: Made) -> None:
    publish(made.publisher, [RECORD], 5)
    made.producers[0].answers = False

    with pytest.raises(Away):
        publish(made.publisher, [RECORD], 0.01)

    assert made.producers[0].stopped.wait(60)
    made.publisher.close()
    assert made.producers[0].late == []


def test_a_producer_that_has_not_moved_for_long_first_learns_what_happened_meanwhile(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that its broker has closed the connection."""
    publish(made.publisher, [RECORD], 5)
    [producer] = made.producers
    heard: list[int] = []
    producer_loop = made.publisher._session._loop  # type: ignore[union-attr]
    producer_loop.call_later(0, lambda: heard.append(len(producer.threads)))
    monkeypatch.setattr(sessions, "LONG_STILL", 0.0)

    publish(made.publisher, [RECORD], 5)

    assert heard == [2]
    assert len(producer.threads) == 3


class Timer:
    """A `tell` that tells some time after it is asked to."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.asked: list[object] = []

    def __call__(self, told: Callable[[], object] | None) -> None:
        self.asked.append(told)
        if told is not None:
            self._timer = threading.Timer(self._seconds, told)
            self._timer.start()
        else:
            self._timer.cancel()
            self._timer.join()


def test_a_wait_ends_where_something_else_is_to_be_done_and_takes_back_that_it_asked(made: Made) -> None:
    publish(made.publisher, [RECORD], 5)
    made.producers[0].answers = False
    sending = made.publisher.begin([RECORD], 60)
    timer = Timer(0.0)

    assert not sending.wait(timer)
    made.producers[0].answer()
    assert sending.wait()
    assert timer.asked[-1] is None


def test_all_waits_together_are_no_longer_than_the_broker_is_given(made: Made) -> None:
    publish(made.publisher, [RECORD], 5)
    made.producers[0].answers = False
    sending = made.publisher.begin([RECORD], 0.2)

    with pytest.raises(Away):
        any(sending.wait(Timer(0.05)) for _ in range(100))


def test_what_passes_between_waits_is_no_time_of_the_brokers(made: Made) -> None:
    """As while the next turn is saved, however long a store takes."""
    publish(made.publisher, [RECORD], 5)
    made.producers[0].answers = False
    sending = made.publisher.begin([RECORD], 0.05)
    time.sleep(0.1)
    made.producers[0].answer()

    assert sending.wait()


def test_closing_lets_go_of_the_broker_and_what_comes_after_it_begins_anew(made: Made) -> None:
    publish(made.publisher, [RECORD], 5)

    made.publisher.close()

    assert made.producers[0].stopped.is_set()
    publish(made.publisher, [RECORD], 5)
    assert len(made.producers) == 2


def test_a_caller_in_a_hurry_ends_its_own_wait_and_nobody_elses(
    shared: MadeShared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a client's deadline says of the broker is nothing: its session goes on."""
    monkeypatch.setattr(sessions, "PATIENCE", 60.0)
    [producer] = shared.producers
    producer.answers = False
    with ThreadPoolExecutor(1) as others:
        patient = others.submit(publish, shared.shared, [RECORD], 60)
        happens("it is under way", lambda: len(producer.waiting) == 1)
        with pytest.raises(Away):
            publish(shared.shared, [RECORD], 0.01)
        happens("both were sent", lambda: len(producer.waiting) == 2)
        producer.answer()
        patient.result(60)
    publish(shared.shared, [RECORD], 60)

    assert shared.producers == [producer]


def test_a_broker_that_does_not_answer_in_the_publishers_own_time_is_met_anew_though_all_who_asked_gave_up(
    shared: MadeShared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.02)
    shared.producers[0].answers = False

    with pytest.raises(Away):
        publish(shared.shared, [RECORD], 0.001)
    assert shared.producers[0].stopped.wait(60)
    monkeypatch.setattr(sessions, "PATIENCE", 60.0)
    publish(shared.shared, [RECORD], 60)

    assert len(shared.producers) == 2


def test_of_many_threads_all_learn_of_an_error_and_the_next_goes_by_another_producer(shared: MadeShared) -> None:
    shared.producers[0].fails = KafkaTimeoutError()

    with pytest.raises(Away):
        publish(shared.shared, [RECORD], 60)
    publish(shared.shared, [RECORD], 60)

    assert len(shared.producers) == 2
