"""How many rounds a run takes, and what becomes of one in which something fails."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import grpc
import pytest

from tests.performance.__main__ import measured, of_row
from tests.performance.process import ArmEnded
from tests.performance.report import Run
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


def test_a_full_run_needs_every_round_that_was_asked_for() -> None:
    found = measured(contest(9, 9, 9), 3, quick=False)

    assert found.enough == 3


class Refused(grpc.RpcError):
    """As a call's future raises it."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "nobody listens"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Refused(), "RpcError: UNAVAILABLE nobody listens"),
        (RuntimeError("the driver failed"), "RuntimeError: the driver failed"),
        (subprocess.TimeoutExpired(["/a/path/of/this/machine"], 600), "TimeoutExpired: not within 600 s"),
        (FileNotFoundError(2, "No such file", "/a/path/of/this/machine"), "FileNotFoundError: No such file"),
        (ArmEnded("ended with 1: no such topic"), "ArmEnded: ended with 1: no such topic"),
    ],
)
def test_an_arm_that_fails_is_void_in_that_round_and_the_rest_goes_on(error: Exception, why: str) -> None:
    def fails() -> Sample:
        raise error

    arms = {"one": fails, "other": lambda: Sample(per_cpu=1)}
    found = measured(Contest("c", "w", arms, [Claim("1", "a claim", "one", "other", 10)]), 2, quick=False)

    assert found.voids() == [("one", why)] * 2
    assert [sample.per_cpu for sample in found.samples["other"]] == [1, 1]
    assert not found.ratios()[0].holds


def test_a_mistake_in_the_benchmark_itself_ends_it() -> None:
    def wrong() -> Sample:
        raise KeyError("x")

    with pytest.raises(KeyError):
        measured(Contest("c", "w", {"one": wrong}, []), 1, quick=False)


def test_a_row_that_cannot_be_prepared_is_void_and_fails_the_run() -> None:
    def make() -> Contest:
        raise TimeoutError("the topic was not made")

    asked = Run(["3"], 5, quick=False, words="make bench", whole=True)
    found = of_row("3", make, asked)

    assert found.voids() == [("preparing", "TimeoutError: the topic was not made")]
    assert [(ratio.claim.id, ratio.holds) for ratio in found.ratios()] == [("3", False)]
