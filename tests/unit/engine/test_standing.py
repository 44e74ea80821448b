"""What does not answer is told of once, and is said to answer again only once it has."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis.engine import outbox
from services.chassis.engine.away import Away
from services.chassis.engine.items import Item
from services.chassis.engine.publishing import Parking, Saved
from services.chassis.engine.standing import Standing
from tests.fakes.decider import State
from tests.unit.engine.conftest import House

Eventually = Callable[[Callable[[], Any]], None]


def test_an_idle_service_says_that_its_store_is_away_until_the_store_answers(
    referral: str, eventually: Eventually
) -> None:
    """Health, what rests from reading and the log all hear of it by this: twice, and not at every look."""
    house = House()
    house.store.failing["waiting"] = 1_000_000
    house.engine.start()
    eventually(lambda: house.store.calls.count("waiting") > 5)

    assert house.standing == [("store", False)]
    assert house.engine.away == "store"

    house.store.failing["waiting"] = 0
    eventually(lambda: house.engine.away is None)
    house.say(referral, "again").result(60)
    assert house.standing == [("store", False), ("store", True)]
    house.stop()


def test_records_that_are_parked_without_a_store_say_nothing_of_it(
    house: House, referral: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RAISE_FEW_EVERY", 3_600.0)
    house.store.failing["waiting"] = 1_000_000
    house.engine.rescan()
    eventually(lambda: house.engine.away == "store")

    house.hear(house.record(referral, 1, value=b"no message")).result(60)
    looked = house.store.calls.count("waiting")
    eventually(lambda: house.store.calls.count("waiting") > looked + 1)
    assert len(house.parked.entries()) == 1
    assert house.standing == [("store", False)]

    house.hear(house.record(str(uuid.uuid4()), 1)).result(60)
    eventually(lambda: ("store", True) in house.standing)


def test_a_store_that_does_not_take_what_idleness_leaves_room_for_is_away_until_it_does(
    house: House, referral: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far facts are published is raised by a save of its own."""
    monkeypatch.setattr(outbox, "RAISE_FEW_EVERY", 3_600.0)
    eventually(lambda: "waiting" in house.store.calls)
    house.say(referral, "first").result(60)
    house.store.failing["save"] = 5

    monkeypatch.setattr(outbox, "RAISE_FEW_EVERY", 0.0)
    eventually(lambda: ("store", True) in house.standing)

    assert house.standing == [("store", False), ("store", True)]
    assert house.store.documents[referral]["published"] == 1


def test_keys_are_told_of_once_and_answer_again_once_a_turn_was_taken(referral: str) -> None:
    away = [Away("keys")] * 3

    def gather(work: Sequence[tuple[State, Any]]) -> Mapping[str, Any]:
        if away:
            raise away.pop()
        return {}

    house = House(gather=gather)
    house.engine.start()
    house.hear(house.record(referral, 1)).result(60)
    house.stop()

    assert house.standing == [("keys", False), ("keys", True)]


def test_a_broker_that_took_something_answers_again_and_says_nothing_of_the_store(referral: str) -> None:
    """By the engine's own hand, which is not started: it publishes what is parked, also while a store is away."""
    house = House()
    record = house.record(referral, 1)
    unread = Parking(Item("kafka", 1, record=record), ParkedClass.PARKED_CLASS_UNREADABLE, "DecodeError")
    house.publisher.refuse = 2
    house.engine._publishing.begin(Saved(parked=[unread]))
    assert house.standing == [("broker", False), ("broker", True)]

    house.engine._standing.lost(Away("store"))
    house.engine._publishing.begin(Saved(parked=[unread]))
    assert house.engine.away == "store"


def test_of_two_that_are_away_one_after_the_other_the_last_is_told_of() -> None:
    told: list[tuple[str, bool]] = []
    standing = Standing(lambda what, ready: told.append((what, ready)), Counter())

    standing.lost(Away("store"))
    standing.lost(Away("store"))
    standing.lost(Away("broker"))
    standing.found("store")
    assert told == [("store", False), ("store", True), ("broker", False)]

    standing.found("broker")
    standing.found("broker")
    assert told[3:] == [("broker", True)]
    assert standing.away is None
