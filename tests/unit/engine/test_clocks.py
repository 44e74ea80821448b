"""What clocks may rely on: decided once, also by another process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.unit.engine.conftest import NOON, House

Eventually = Callable[[Callable[[], Any]], None]


def test_a_clock_that_ran_out_is_an_input_once(house: House, referral: str, eventually: Eventually) -> None:
    """Its cause is the clock itself."""
    house.decider.clock = NOON + timedelta(minutes=1)
    house.say(referral, "start").result(60)
    assert house.published(referral) == ["start"]

    house.now = NOON + timedelta(minutes=2)

    eventually(lambda: house.published(referral) == ["start", "clock"])
    house.say(referral, "after").result(60)
    assert house.published(referral)[:3] == ["start", "clock", "after"]


def test_a_clock_of_a_dead_process_is_found_by_the_scan(referral: str, eventually: Eventually) -> None:
    """Every process watches every clock."""
    first = House()
    first.decider.clock = NOON + timedelta(minutes=1)
    first.engine.start()
    first.say(referral, "start").result(60)
    first.stop()

    second = House(store=first.store, publisher=first.publisher)
    second.now = NOON + timedelta(minutes=2)
    second.decider.clock = NOON + timedelta(minutes=1)
    second.engine.start()

    eventually(lambda: second.published(referral) == ["start", "clock"])
    second.stop()


def test_a_clock_far_ahead_is_left_to_the_store_and_found_there_in_time(
    house: House, referral: str, eventually: Eventually
) -> None:
    house.decider.clock = NOON + timedelta(days=90)
    house.say(referral, "start").result(60)
    assert house.watched == 0

    house.now = NOON + timedelta(days=90, minutes=-30)  # as if the ninety days' scans had all been
    eventually(lambda: house.watched == 1)
    assert house.published(referral) == ["start"]

    house.now = NOON + timedelta(days=90, seconds=1)
    eventually(lambda: house.published(referral) == ["start", "clock"])
