"""A storm: each submission comes as often as is asked for, and whoever waits for a part of it hears of it."""

from __future__ import annotations

import random
from collections import Counter

from tests.chaos import load
from tests.chaos.ledger import Submission
from tests.chaos.storm import TOGETHER, Counted, crowd

STATED = load.concerns()[0]
SUBMISSIONS = [Submission(f"key-{number}", STATED) for number in range(TOGETHER + 10)]


def test_each_submission_comes_as_often_as_asked_and_among_those_it_stands_with() -> None:
    came = [each.key for each in crowd(SUBMISSIONS, 3, random.Random("crowd"))]

    assert set(Counter(came).values()) == {3}
    assert set(came[: 3 * TOGETHER]) == {each.key for each in SUBMISSIONS[:TOGETHER]}
    assert came[: 3 * TOGETHER] != sorted(came[: 3 * TOGETHER]), "in another order"


def test_whoever_waits_for_more_than_there_is_goes_on_at_the_end() -> None:
    counted = Counted(iter(SUBMISSIONS[:2]))
    assert [counted.take(), counted.take(), counted.take()] == [*SUBMISSIONS[:2], None]

    counted.wait_for(1_000)


def test_whoever_waits_goes_on_where_a_client_broke() -> None:
    counted = Counted(iter(SUBMISSIONS))
    counted.stop()

    counted.wait_for(1_000)
    assert counted.take() is None
