"""What one turn publishes is acknowledged while the next one is saved, where neither matters to the other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from services.chassis.engine import Away, engine
from tests.fakes.publisher import SlowPublisher
from tests.fakes.store import MemoryStore
from tests.unit.engine.conftest import OWN, UPSTREAM, House
from tests.waiting import happens


@pytest.fixture
def slow() -> Iterator[SlowPublisher]:
    """Acknowledges what it is told to, and all in the end."""
    made = SlowPublisher()
    yield made
    made.acknowledge(1_000)


@pytest.fixture
def house(slow: SlowPublisher) -> Iterator[House]:
    """A running engine whose broker is slow."""
    made = House(publisher=slow)
    made.engine.start()
    yield made
    slow.acknowledge(1_000)
    made.stop()


@pytest.fixture
def other() -> str:
    """Another referral."""
    return str(uuid.uuid4())


def begun(slow: SlowPublisher, publications: int) -> None:
    """Wait until so many have been begun."""
    happens(f"publication {publications} begins", lambda: slow.waits == publications)


def one_under_way_and_one_saved(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> tuple[Future[Any], Future[Any]]:
    """Two commands, of which the first is being published, and the second is saved behind it."""
    first = house.say(referral, "first")
    begun(slow, 1)
    second = house.say(other, "second")
    happens("the second is saved", lambda: house.stored(other) == ["second"])
    return first, second


def test_the_next_turn_is_saved_while_the_one_before_it_is_published(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    first, second = one_under_way_and_one_saved(house, slow, referral, other)

    assert not first.done()
    slow.acknowledge()
    assert first.result(60).sequence == 1
    assert not second.done()
    slow.acknowledge()
    assert second.result(60).sequence == 1


def test_one_turn_is_published_at_a_time_and_in_order(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    """So that whatever is sent anew comes before what was saved after it."""
    first, second = one_under_way_and_one_saved(house, slow, referral, other)

    assert slow.waits == 1
    assert house.published(other) == []
    slow.acknowledge(2)
    second.result(60)
    assert first.done()
    assert [record.key for record in slow.on(OWN)] == [referral.encode(), other.encode()]


def test_what_is_of_a_referral_under_way_waits_for_it_and_publishes_nothing_twice(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    house.say(referral, "first")
    begun(slow, 1)
    later = house.say(referral, "later")
    beside = house.say(other, "beside")  # which is taken with it, or after
    slow.acknowledge()
    happens("it goes on", lambda: "later" in house.stored(referral))
    slow.acknowledge(2)

    later.result(60), beside.result(60)
    assert house.published(referral) == ["first", "later"]


def test_a_repeat_of_what_is_under_way_is_answered_once_that_is_acknowledged(
    house: House, slow: SlowPublisher, referral: str
) -> None:
    first = house.say(referral, "hello", key="k")
    begun(slow, 1)
    again = house.say(referral, "hello", key="k")
    happens("it is taken", lambda: not house.engine.waiting)

    assert not again.done()
    slow.acknowledge()
    assert again.result(60).facts == first.result(60).facts
    assert slow.waits == 1


def test_while_something_is_parked_nothing_else_is_saved(house: House, slow: SlowPublisher, other: str) -> None:
    """What comes behind it is parked too, which is not known before."""
    parking = house.hear(house.record(str(uuid.uuid4()), 1, value=b"\xff"))
    happens("it waits for that alone", lambda: slow.undisturbed == 1)
    beside = house.say(other, "beside")

    slow.acknowledge()
    assert parking.result(60) == []
    assert len(house.parked) == 1
    slow.acknowledge()
    beside.result(60)
    assert [record.topic for record in slow.records] == ["parked.v1", OWN]


def test_what_is_under_way_is_answered_though_the_store_went_away_meanwhile(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    first = house.say(referral, "first")
    begun(slow, 1)
    house.store.failing |= {"load": 1_000_000, "save": 1_000_000}
    beside = house.say(other, "beside")

    with pytest.raises(Away):
        beside.result(60)
    slow.acknowledge()
    assert first.result(10).sequence == 1
    house.store.failing.clear()


def test_where_the_broker_loses_a_publication_whoever_was_saved_meanwhile_is_told_too(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    """The first is sent again before the second goes."""
    first, second = one_under_way_and_one_saved(house, slow, referral, other)
    slow.lose()

    for answer in (first, second):
        with pytest.raises(Away):
            answer.result(60)
    slow.acknowledge(2)
    happens("all is published", lambda: house.published(other) == ["second"])
    assert [record.key for record in slow.on(OWN)] == [referral.encode()] * 2 + [other.encode()]


def test_while_the_broker_is_away_nothing_else_is_saved(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    house.hear(house.record(referral, 1))
    begun(slow, 1)
    slow.lose()
    happens("it waits for that alone", lambda: slow.undisturbed == 1)
    beside = house.hear(house.record(other, 1))

    assert house.stored(other) == []
    slow.acknowledge(2)
    assert beside.result(60) == []


def test_whoever_was_saved_is_answered_before_commands_gather(
    house: House, slow: SlowPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "GATHERS_FROM", 1)
    monkeypatch.setattr(engine, "GATHER_SECONDS", 3.0)
    first = house.say(str(uuid.uuid4()), "first")
    begun(slow, 1)

    slow.acknowledge()
    assert first.result(2).sequence == 1


def test_a_stop_that_comes_while_a_turn_is_saved_waits_for_what_that_publishes(
    slow: SlowPublisher, referral: str
) -> None:
    class Stops(MemoryStore):
        def save(self, *arguments: Any) -> set[str]:
            stopped.engine._standing.stop()
            return super().save(*arguments)

    stopped = House(publisher=slow, store=Stops("triage"))
    first = stopped.say(referral, "first")
    stopped.engine.start()
    begun(slow, 1)

    assert not stopped.engine.stop(0.05)
    slow.acknowledge()
    assert stopped.engine.stop(60)
    assert first.result(0).sequence == 1


def test_a_stop_waits_for_what_is_under_way(house: House, slow: SlowPublisher, referral: str) -> None:
    first = house.say(referral, "first")
    begun(slow, 1)
    assert not house.engine.stop(0.05)

    slow.acknowledge()
    assert house.engine.stop(60)
    assert first.done()
    assert "pending" not in house.store.documents[referral]


def test_records_are_committed_once_their_own_turn_is_acknowledged(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    first = house.hear(house.record(referral, 1))
    begun(slow, 1)
    second = house.hear(house.record(other, 1))
    happens("the second is saved", lambda: house.stored(other))

    assert not first.done()
    slow.acknowledge()
    assert first.result(60) == []
    assert not second.done()
    assert UPSTREAM not in {record.topic for record in slow.records}


def test_what_follows_a_replayed_record_is_read_once_that_is_no_longer_parked(
    house: House, slow: SlowPublisher, referral: str
) -> None:
    """Else it would be parked behind what is parked no more, and nothing would heal it."""
    slow.acknowledge(2)
    house.hear(house.record(referral, 1)).result(60)
    house.hear(house.record(referral, 1, event="other")).result(60)
    house.store.documents.clear()  # made again by whoever knows that the other branch is right

    [replayed] = house.engine.replay()
    happens("it waits for that alone", lambda: slow.undisturbed == 1)
    following = house.hear(house.record(referral, 2))
    slow.acknowledge(2)

    assert replayed.result(60)
    assert following.result(60) == []
    assert not house.parked


def test_a_store_that_is_away_stays_away_though_a_broker_that_was_away_too_answers(
    house: House, slow: SlowPublisher, referral: str, other: str
) -> None:
    house.hear(house.record(referral, 1))
    begun(slow, 1)
    house.store.failing |= {"load": 1_000_000, "save": 1_000_000}
    house.hear(house.record(other, 1))
    happens("it waits for that alone", lambda: slow.undisturbed == 1)
    slow.lose()
    slow.acknowledge()
    happens("the store is asked again", lambda: house.engine.counts["away_store"] > 2)

    assert house.standing == [("broker", False), ("broker", True), ("store", False)]
    house.store.failing.clear()


def test_a_scan_leaves_alone_what_is_under_way(house: House, slow: SlowPublisher, referral: str, other: str) -> None:
    house.hear(house.record(referral, 1))
    begun(slow, 1)
    house.engine.rescan()
    beside = house.hear(house.record(other, 1))  # after which time is looked at, and the scan is due
    slow.acknowledge()
    begun(slow, 2)
    happens("it has scanned", lambda: house.store.calls.count("waiting") > 1)
    slow.acknowledge(2)

    assert beside.result(60) == []
    assert house.hear(house.record(str(uuid.uuid4()), 1)).result(60) == []
    assert "load" not in house.store.calls
