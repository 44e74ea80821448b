"""How many rounds a run takes: a quick one that misses a claim looks again before it says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.performance.__main__ import measured
from tests.performance.result import Claim, Contest, Sample


def contest(*rounds: float) -> Contest:
    """The one arm gives these events a CPU-second, round by round; the other always one."""
    left: Iterator[float] = iter(rounds)
    arms = {"one": lambda: Sample(per_cpu=next(left)), "other": lambda: Sample(per_cpu=1)}
    return Contest("c", "w", arms, [Claim("1", "a claim", "one", "other", 10)])


@pytest.mark.parametrize(
    ("rounds", "quick", "taken", "holds"),
    [
        ((9, 8, 8), True, 3, True),
        ((9, 7, 7, 9, 9, 9), True, 6, True),
        ((7, 7, 7, 9, 7, 7), True, 6, False),
        ((9, 9, 9), False, 3, False),
    ],
)
def test_a_quick_run_that_misses_takes_as_many_rounds_again_and_all_of_them_decide(
    rounds: tuple[float, ...], quick: bool, taken: int, holds: bool
) -> None:
    found = measured(contest(*rounds), 3, quick=quick)

    [ratio] = found.ratios(0.8 if quick else 1.0)
    assert len(ratio.rounds) == taken
    assert ratio.holds is holds
