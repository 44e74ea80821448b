"""As many calls are let in as are answered soon; who is refused hears when to return, and who cannot wait is let in."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from services.chassis.admission import (
    ENOUGH,
    LEAST,
    LONG_WAIT,
    MOMENT_SECONDS,
    MOST,
    MOST_URGENT,
    NARROWEST,
    WAIT_SECONDS,
    WHILE_SECONDS,
    Admission,
)
from services.chassis.engine.away import Busy


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
            enter(room, 1, urgent=True).close()
        clock.now += 1.0
    return under_way


def test_many_at_once_are_let_in(room: Admission) -> None:
    with enter(room, MOST), pytest.raises(Busy):
        enter(room, 1)


@pytest.mark.parametrize(("rate", "longest"), [(1_200, int(1_200 * WAIT_SECONDS)), (10, LEAST), (2_000, MOST)])
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


def unread(room: Admission, clock: Clock, *waits: float, whiles: int = 30) -> None:
    """While after while, so many calls come, each of which waited so long before it was read."""
    for _ in range(whiles):
        for seconds in waits:
            room.waited(seconds)
        clock.now += WHILE_SECONDS


LONG = [2 * LONG_WAIT] * ENOUGH


def test_where_all_calls_wait_long_before_they_are_read_few_are_let_in_and_danger_still(
    room: Admission, clock: Clock
) -> None:
    unread(room, clock, *LONG)
    few = int(MOST * NARROWEST)

    with enter(room, few):
        for sender in ("officer/one", "officer/another"):
            with pytest.raises(Busy):
                enter(room, 1, sender)
        enter(room, MOST_URGENT - few, urgent=True).close()


def test_once_calls_are_read_at_once_all_are_let_in_again(room: Admission, clock: Clock) -> None:
    unread(room, clock, *LONG)
    unread(room, clock, 0.0)

    enter(room, MOST).close()


@pytest.mark.parametrize(
    "waits", [[*LONG, 0.0], LONG[1:], []], ids=["one was read at once", "few, perhaps sent slowly", "none"]
)
def test_a_wait_that_does_not_stand_keeps_nobody_out(room: Admission, clock: Clock, waits: list[float]) -> None:
    unread(room, clock, *waits)

    enter(room, MOST).close()


def test_a_flood_that_ebbs_for_less_than_a_moment_is_no_new_moment(room: Admission, clock: Clock) -> None:
    with standing(room, clock, rate=48, queue=MOST), pytest.raises(Busy):
        enter(room, 1)
    clock.now += MOMENT_SECONDS / 2
    with enter(room, LEAST), pytest.raises(Busy):
        enter(room, 1)
    clock.now += MOMENT_SECONDS

    enter(room, MOST).close()
