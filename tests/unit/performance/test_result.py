"""What a run of the benchmark is held to: a goal, or where it is not reached what was reached before."""

from __future__ import annotations

import pytest

from tests.performance.report import BEGIN, END, within
from tests.performance.result import Claim, Contest, Found, Ratio, Sample


def ratio(measured: float, *, reached: float = 0, share: float = 1.0, direction: str = "at least") -> Ratio:
    """One claim with the goal 10, measured once."""
    claim = Claim("1", "a claim", "one", "other", 10, reached=reached, direction=direction)  # type: ignore[arg-type]
    return Ratio(claim, (measured,), share)


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (ratio(10), True),
        (ratio(9.9), False),
        (ratio(8, share=0.8), True),
        (ratio(7.9, share=0.8), False),
        (ratio(4, reached=5), True),
        (ratio(3.9, reached=5), False),
        (ratio(3.9, reached=5, share=0.8), False),
        (ratio(10, direction="at most"), True),
        (ratio(12.5, direction="at most", share=0.8), True),
        (ratio(12.6, direction="at most", share=0.8), False),
    ],
)
def test_a_run_is_held_to_its_share_of_the_goal_or_of_what_was_reached(found: Ratio, holds: bool) -> None:
    assert found.holds is holds


def test_a_claim_without_a_round_that_counts_does_not_hold() -> None:
    contest = Contest("c", "w", {}, [Claim("1", "a claim", "one", "other", 1)])
    found = Found(contest, {"one": [Sample(per_cpu=2, void="lost a record")], "other": [Sample(per_cpu=1)]})

    [measured] = found.ratios()
    assert measured.ratio is None
    assert not measured.holds


@pytest.mark.parametrize("goal", [1, 0])
def test_a_claim_of_which_too_few_rounds_count_is_void_and_fails_the_run_however_good_they_were(goal: float) -> None:
    contest = Contest("c", "w", {}, [Claim("1", "a claim", "one", "other", goal, reached=goal / 2)])
    lost = Sample(per_cpu=9, void="lost a record")
    samples = {
        "one": [Sample(per_cpu=9), lost, Sample(per_cpu=9)],
        "other": [Sample(per_cpu=1), Sample(per_cpu=1), lost],
    }

    [measured] = Found(contest, samples, enough=2).ratios()

    assert (measured.void, measured.ratio, measured.holds) == ("too few rounds count: 1 of 2", None, False)
    assert Found(contest, samples, enough=1).ratios()[0].holds


def test_a_ratio_is_the_median_of_its_rounds_and_a_claim_without_a_goal_always_holds() -> None:
    contest = Contest("c", "w", {}, [Claim("1", "a claim", "one", "other", 0)])
    samples = {"one": [Sample(per_cpu=n) for n in (2, 9, 4)], "other": [Sample(per_cpu=1)] * 3}

    [measured] = Found(contest, samples).ratios()
    assert (measured.ratio, measured.holds) == (4, True)


def test_a_run_writes_between_its_marks_and_leaves_what_people_wrote() -> None:
    page = f"# Title\n\nby hand\n{BEGIN}\nold figures\n{END}\nbelow\n"

    assert within(page, "new figures\n") == f"# Title\n\nby hand\n{BEGIN}\nnew figures\n{END}\nbelow\n"


def test_a_page_without_marks_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="begin: make bench"):
        within("# Title\n\nby hand\n", "new figures\n")


@pytest.mark.parametrize(
    ("measured", "direction", "reaches"), [(10, "at least", True), (9, "at least", False), (11, "at most", False)]
)
def test_a_goal_is_reached_whatever_was_asked_of_the_run(measured: float, direction: str, reaches: bool) -> None:
    assert ratio(measured, reached=5, share=0.8, direction=direction).reaches_goal is reaches
