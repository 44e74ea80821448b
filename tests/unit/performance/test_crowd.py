"""A run at a rate counts only where the driver kept it, and where each call was answered as it must be."""

from __future__ import annotations

import pytest

from tests.performance.crowd import DANGER_EVERY, Outcome, latencies, why_void

RATE = 100.0
COUNT = 200


def run(*, slower: float = 1.0, first: int = 0, code: str = "ResourceExhausted", retry: float = 100.0) -> list[Outcome]:
    """Outcomes at RATE, sent so much slower; `code` is that of each fourth that is in no danger."""
    made = []
    for number in range(first, first + COUNT):
        due = number / RATE * 1_000
        sent = first / RATE * 1_000 + (number - first) / RATE * 1_000 * slower
        ended = sent + 7.0
        if number % 4 == 3 and number % DANGER_EVERY:
            made.append(Outcome(code, "", retry, due, sent, ended))
        else:
            made.append(Outcome("OK", "", 0.0, due, sent, ended))
    return made


def test_a_run_counts_that_was_sent_in_time_and_whose_refused_heard_when_to_return() -> None:
    assert why_void(run(), RATE, 0) == ""


def test_a_driver_that_fell_behind_is_no_measure() -> None:
    assert "the driver sent 97 a second, not 100" in why_void(run(slower=1.03), RATE, 0)


def test_latency_counts_from_when_a_call_was_due() -> None:
    late = run(slower=1.5)

    assert len(latencies(late)) == COUNT * 3 // 4
    assert latencies(late)[0] == pytest.approx(7.0)
    assert max(latencies(late)) > 900


@pytest.mark.parametrize(("code", "retry"), [("ResourceExhausted", 0.0), ("Unavailable", 100.0)])
def test_a_call_that_ended_otherwise_voids_the_run(code: str, retry: float) -> None:
    assert f"'{code}: ': 50" in why_void(run(code=code, retry=retry), RATE, 0)


@pytest.mark.parametrize("first", [0, 7])
def test_refusing_one_in_danger_voids_the_run(first: int) -> None:
    outcomes = run(first=first)
    place = DANGER_EVERY - first
    outcomes[place] = outcomes[place]._replace(code="ResourceExhausted", retry=100.0)

    assert why_void(run(first=first), RATE, first) == ""
    assert "'refused although someone is in danger': 1" in why_void(outcomes, RATE, first)
