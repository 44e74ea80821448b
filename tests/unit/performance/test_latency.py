"""Capacity is found by a flood that is more than an arm can carry: what the flood caps is not taken for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.performance.latency import FLOODS, most_carried
from tests.performance.result import Sample


def carrying(most: float) -> Callable[[float], Sample]:
    return lambda rate: Sample(per_second=min(rate, most))


@pytest.mark.parametrize("most", [90, 190, 230, 500])
def test_what_an_arm_carries_is_found_however_large_the_flood_must_be(most: float) -> None:
    assert most_carried(carrying(most)).per_second == most


def test_an_arm_that_carries_the_largest_flood_has_no_capacity_that_is_known() -> None:
    found = most_carried(carrying(10 * FLOODS[-1]))

    assert (found.per_second, found.void) == (0, "carried 800/s of the largest flood, 800/s")


def test_a_flood_of_which_nothing_was_carried_says_why() -> None:
    assert most_carried(lambda rate: Sample(void="lost 3 records")).void == "of 200/s: lost 3 records"
