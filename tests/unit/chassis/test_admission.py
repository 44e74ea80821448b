"""As many calls are let in as are answered soon; who is refused hears when to return, and who cannot wait is let in."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from services.chassis.admission import (
    FEW,
    IN_A_ROW,
    LEAST,
    LONG_WAIT,
    LONG_WAIT_AT_ONCE,
    MOMENT_SECONDS,
    MOST,
    MOST_URGENT,
    WAIT_SECONDS,
    Admission,
)
from services.chassis.engine.away import Busy

RATE = 2_500
"""Calls a second, for which there is room for more than the least and less than the most."""


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock: Clock) -> Admission:
    return Admission(clock)


def enter(room: Admission, count: int, sender: str = "officer/one", *, urgent: bool = False) -> ExitStack:
    """So many calls under way, until the stack closes. Raises Busy."""
    under_way = ExitStack()
    for _ in range(count):
        room.enter(sender, urgent=urgent)
        under_way.callback(room.leave, sender)
    return under_way


def standing(room: Admission, clock: Clock, rate: int, queue: int) -> ExitStack:
    """A queue of calls that is as long, second by second, while so many a second are answered beside it."""
    under_way = enter(room, queue)
    for _ in range(3):
        for _ in range(rate):
            room.enter("officer/beside", urgent=True)
            room.leave("officer/beside")
        clock.now += 1.0
    return under_way


def test_many_at_once_are_let_in(room: Admission) -> None:
    with enter(room, MOST), pytest.raises(Busy):
        enter(room, 1)


@pytest.mark.parametrize(("rate", "longest"), [(RATE, int(RATE * WAIT_SECONDS)), (10, LEAST), (6_000, MOST)])
def test_a_queue_that_stands_is_as_long_as_what_is_answered_soon(
    room: Admission, clock: Clock, rate: int, longest: int
) -> None:
    with standing(room, clock, rate, longest), pytest.raises(Busy):
        enter(room, 1)
    clock.now += 1.0

    with standing(room, clock, rate, longest - 1):
        enter(room, 1).close()


def test_who_is_refused_hears_how_long_the_queue_takes(room: Admission, clock: Clock) -> None:
    with standing(room, clock, rate=48, queue=MOST), pytest.raises(Busy) as refused:
        enter(room, 1)

    assert refused.value.retry_after == pytest.approx(MOST / 48, rel=0.05)


def test_what_cannot_wait_is_let_in_where_all_else_is_refused(room: Admission, clock: Clock) -> None:
    with standing(room, clock, rate=48, queue=MOST):
        with pytest.raises(Busy):
            enter(room, 1)

        with enter(room, MOST_URGENT - MOST, urgent=True), pytest.raises(Busy):
            enter(room, 1, urgent=True)


def test_a_flood_of_one_sender_keeps_no_other_out(room: Admission, clock: Clock) -> None:
    with standing(room, clock, rate=48, queue=LEAST):
        with pytest.raises(Busy):
            enter(room, 1)

        with enter(room, LEAST // 2 - 1, "officer/other"):
            enter(room, 1, "officer/another").close()


def test_of_two_who_flood_each_has_half(room: Admission, clock: Clock) -> None:
    half = LEAST // 2

    with standing(room, clock, rate=48, queue=LEAST), enter(room, half, "officer/other"), pytest.raises(Busy):
        enter(room, 1, "officer/other")


def test_of_more_senders_than_there_is_room_none_has_a_share_beyond_it(room: Admission, clock: Clock) -> None:
    with standing(room, clock, rate=48, queue=LEAST), ExitStack() as under_way:
        for number in range(LEAST - 1):
            under_way.enter_context(enter(room, 1, f"officer/{number}"))
        with pytest.raises(Busy):
            enter(room, 1, "officer/another")


def unread(room: Admission, *waits: float) -> None:
    """Calls came that waited so long before they were read."""
    for seconds in waits:
        room.waited(seconds)


LATE = [2 * LONG_WAIT] * IN_A_ROW


def test_where_calls_wait_long_before_they_are_read_all_are_refused_but_few_and_danger(
    room: Admission, clock: Clock
) -> None:
    with standing(room, clock, rate=RATE, queue=MOST), pytest.raises(Busy):
        enter(room, 1)
    unread(room, *LATE)

    with enter(room, FEW):
        with pytest.raises(Busy):
            enter(room, 1)
        enter(room, MOST_URGENT - FEW, urgent=True).close()


def test_where_calls_wait_long_whoever_floods_is_refused_first(room: Admission, clock: Clock) -> None:
    with standing(room, clock, rate=RATE, queue=MOST), pytest.raises(Busy):
        enter(room, 1)
    unread(room, *LATE)

    with ExitStack() as under_way:
        under_way.enter_context(enter(room, FEW))
        for number in range(FEW - 1):
            under_way.enter_context(enter(room, 1, f"officer/{number}"))
        with pytest.raises(Busy):
            enter(room, 1, "officer/0")
        with pytest.raises(Busy):  # more than few senders have each a call: who comes now is one of many
            enter(room, 1, "officer/another")


@pytest.mark.parametrize(
    "waits", [[*LATE, 0.0], [0.0, *LATE[1:]]], ids=["the last was read at once", "few, perhaps sent slowly"]
)
def test_a_wait_that_not_all_had_keeps_nobody_out(room: Admission, clock: Clock, waits: list[float]) -> None:
    with standing(room, clock, rate=RATE, queue=MOST), pytest.raises(Busy):
        enter(room, 1)
    unread(room, *waits)

    enter(room, LEAST + 1).close()


@pytest.mark.parametrize(("seconds", "most"), [(LONG_WAIT_AT_ONCE, MOST), (2 * LONG_WAIT_AT_ONCE, FEW)])
def test_of_many_at_once_each_may_wait_a_little_longer(room: Admission, seconds: float, most: int) -> None:
    unread(room, *[seconds] * IN_A_ROW)

    with enter(room, most), pytest.raises(Busy):
        enter(room, 1)


def test_many_may_come_at_once_only_for_a_moment_where_calls_wait_long(room: Admission, clock: Clock) -> None:
    unread(room, *LATE)
    enter(room, MOST).close()
    clock.now += MOMENT_SECONDS

    with enter(room, FEW), pytest.raises(Busy):
        enter(room, 1)


def test_a_flood_that_ebbs_for_less_than_a_moment_is_no_new_moment(room: Admission, clock: Clock) -> None:
    with standing(room, clock, rate=48, queue=MOST), pytest.raises(Busy):
        enter(room, 1)
    clock.now += MOMENT_SECONDS / 2
    with enter(room, LEAST), pytest.raises(Busy):
        enter(room, 1)
    clock.now += MOMENT_SECONDS

    enter(room, MOST).close()
