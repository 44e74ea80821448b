"""What does not answer is told of once, and is said to answer again only once it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.chassis.engine import outbox
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
