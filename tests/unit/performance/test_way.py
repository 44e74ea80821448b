"""A run that carries less than its rate is told from one that is only slow."""

from tests.performance.travelled import carried
from tests.performance.way import CARRIED

RATE = 100


def test_whoever_is_late_but_keeps_up_carries_the_rate() -> None:
    late = [10 * number + 500 for number in range(1_000)]
    late[3] += 4_000

    assert carried(late) >= CARRIED * RATE


def test_a_queue_that_grows_carries_less() -> None:
    """Each takes 12 ms, and comes after 10."""
    assert carried([12 * number for number in range(1_000)]) < CARRIED * RATE
