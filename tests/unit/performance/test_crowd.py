"""A run at a rate counts only where the driver kept it, and where each call was answered as it must be."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tests.performance.crowd import (
    DANGER_EVERY,
    Outcome,
    evenly,
    independently,
    latencies,
    per_second,
    why_failed,
    why_void,
)

RATE = 100.0
COUNT = 200
WARM = 20


def run(*, slower: float = 1.0, code: str = "ResourceExhausted", retry: float = 100.0) -> list[Outcome]:
    """Outcomes at RATE, sent so much slower; `code` is that of each fourth that is in no danger."""
    made = []
    for number in range(COUNT):
        due = number / RATE * 1_000
        sent = number / RATE * 1_000 * slower
        ended = sent + 7.0
        if number % 4 == 3 and number % DANGER_EVERY:
            made.append(Outcome(code, "", retry, due, sent, ended))
        else:
            made.append(Outcome("OK", "", 0.0, due, sent, ended))
    return made


def test_a_run_counts_that_was_sent_in_time_and_whose_refused_heard_when_to_return() -> None:
    assert why_void(RATE, 1.0, run(), WARM) == ""


def test_a_driver_that_fell_behind_is_no_measure() -> None:
    assert "the driver sent 97 a second, not 100" in why_void(RATE, 1.0, run(slower=1.03), WARM)


def test_latency_counts_from_when_a_call_was_due() -> None:
    late = run(slower=1.5)

    assert len(latencies(late)) == COUNT * 3 // 4
    assert latencies(late)[0] == pytest.approx(7.0)
    assert max(latencies(late)) > 900


@pytest.mark.parametrize(("code", "retry"), [("ResourceExhausted", 0.0), ("Unavailable", 100.0)])
def test_a_call_that_ended_otherwise_voids_the_run(code: str, retry: float) -> None:
    assert f"'{code}: ': 50" in why_failed(run(code=code, retry=retry))


def test_refusing_one_in_danger_voids_the_run() -> None:
    outcomes = run()
    outcomes[DANGER_EVERY] = outcomes[DANGER_EVERY]._replace(code="ResourceExhausted", retry=100.0)

    assert why_failed(run()) == ""
    assert "'refused although someone is in danger': 1" in why_failed(outcomes)
    assert why_void(RATE, 1.0, outcomes, WARM) == why_failed(outcomes)


def test_below_capacity_a_run_counts_only_where_hardly_anybody_was_refused() -> None:
    assert why_void(RATE, 0.01, run(), WARM) == "refused 45 of 180"
    assert why_void(RATE, 0.25, run(), WARM) == ""


def test_what_is_answered_late_counts_for_less() -> None:
    outcomes = run()
    late = [*outcomes[:-2], outcomes[-2]._replace(ended=outcomes[-2].ended + 1_990.0), outcomes[-1]]

    assert per_second(outcomes) == pytest.approx(75.0, rel=0.01)
    assert per_second(late) == pytest.approx(37.5, rel=0.01)
    assert per_second([outcome._replace(code="ResourceExhausted") for outcome in outcomes]) == 0.0


def test_calls_that_come_evenly_are_equally_far_apart() -> None:
    assert evenly(4.0, 3) == [0.0, 0.25, 0.5]


def test_people_who_know_nothing_of_each_other_come_at_any_distance_and_as_many_in_the_long_run() -> None:
    due = independently(100.0, 10_000, "one")
    gaps = [later - earlier for earlier, later in pairwise(due)]

    assert due[0] == 0.0
    assert due[-1] == pytest.approx(100.0, rel=0.05)
    assert min(gaps) >= 0.0
    # Of gaps that know nothing of each other one in e is longer than the mean; of even ones none.
    assert sum(gap > 0.01 for gap in gaps) / len(gaps) == pytest.approx(1 / math.e, abs=0.02)


def test_the_same_seed_gives_the_same_times_and_another_gives_others() -> None:
    assert independently(100.0, 50, "one") == independently(100.0, 50, "one")
    assert independently(100.0, 50, "one") != independently(100.0, 50, "two")
