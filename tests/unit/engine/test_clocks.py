"""What clocks may rely on: decided once, also by another process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from services.chassis.engine.clockwatch import ClockWatch
from tests.unit.engine.conftest import DESK, NOON, House

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


def test_a_clock_runs_out_though_the_store_cuts_its_microseconds_off(
    house: House, referral: str, eventually: Eventually
) -> None:
    """Neither the save nor a scan may have it looked at before its time, and then never again."""
    house.decider.clock = NOON + timedelta(minutes=1, microseconds=123_456)
    house.say(referral, "start").result(60)
    _scan(house, eventually)

    house.now = NOON + timedelta(minutes=1, microseconds=123_200)
    _scan(house, eventually)
    assert house.published(referral) == ["start"]
    house.now = NOON + timedelta(minutes=1, milliseconds=124)

    eventually(lambda: house.published(referral) == ["start", "clock"])
    assert house.watched == 0


def test_a_clock_whose_decider_failed_is_offered_again_by_the_next_scan(
    house: House, referral: str, eventually: Eventually
) -> None:
    """Without waiting for another process, or for something else to change the referral."""
    house.decider.clock = NOON + timedelta(minutes=1)
    house.say(referral, "start").result(60)
    house.decider.broken = True
    house.now = NOON + timedelta(minutes=2)
    eventually(lambda: house.engine.counts["failed"] == 1)

    house.decider.broken = False
    house.engine.rescan()

    eventually(lambda: house.published(referral) == ["start", "clock"])


def test_a_clock_that_another_process_decided_is_watched_no_more(referral: str) -> None:
    """Of each clock memory is kept until it is given, and again only if the store still has it."""
    watch = ClockWatch(DESK)
    watch.until = NOON + timedelta(hours=1)
    clock = {"name": "soon", "at": NOON + timedelta(minutes=1)}
    watch.watch(referral, [clock, {"name": "later", "at": NOON + timedelta(minutes=5)}])

    assert [given.clock for given in watch.due(NOON + timedelta(minutes=2))] == ["soon"]
    assert watch.due(NOON + timedelta(minutes=2)) == []
    assert [given.clock for given in watch.due(NOON + timedelta(minutes=6))] == ["later"]
    assert len(watch) == 0

    watch.watch(referral, [clock])
    assert [given.clock for given in watch.due(NOON + timedelta(minutes=6))] == ["soon"]


def _scan(house: House, eventually: Eventually) -> None:
    """Until the engine has looked at its store and then at its clocks."""
    for _ in range(2):  # the second begins once what followed the first is over
        house.store.calls.clear()
        house.engine.rescan()
        eventually(lambda: "waiting" in house.store.calls)
