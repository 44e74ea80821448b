"""A round counts only where everybody sent what they should, and the others were answered, each and every one."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos import fair
from tests.chaos.fair import TIMES, Round
from tests.performance.crowd import Outcome

RATE = 20.0


def calls(count: int, rate: float, latency: float = 10.0, slower: float = 1.0) -> list[Outcome]:
    """`slower`: each is sent so many times later than it is due."""
    every = 1_000 / rate
    return [Outcome("OK", "", 0.0, n * every, n * every * slower, n * every + latency) for n in range(count)]


def a_round(
    *,
    quiet: Sequence[Outcome] = tuple(calls(1_000, RATE)),
    loud: Sequence[Outcome] = tuple(calls(1_000, RATE, 14.0)),
    flood: Sequence[Outcome] = tuple(calls(7_000, RATE * TIMES)),
    outlasted: bool = True,
) -> Round:
    return Round(RATE, quiet, loud, flood, outlasted)


def but(outcomes: Sequence[Outcome], code: str) -> list[Outcome]:
    return [*outcomes[:-1], outcomes[-1]._replace(code=code)]


def test_a_round_in_which_all_was_sent_and_answered_counts() -> None:
    ended = fair.verdict([a_round()])

    assert ended.wrong == []
    assert round(ended.ratio, 2) == 1.4


def test_the_median_of_the_rounds_is_held_against_the_goal() -> None:
    slow = a_round(loud=calls(1_000, RATE, 40.0))

    assert fair.verdict([a_round(), slow, a_round()]).wrong == []
    assert fair.verdict([a_round(), slow, slow]).wrong == [
        "the others' p99 is 4.00 times what it is without the one sender, not 1.5"
    ]


def test_one_answer_of_the_others_that_is_not_ok_is_wrong_whether_alone_or_beside() -> None:
    for code in ("ResourceExhausted", "DeadlineExceeded"):
        (alone,) = fair.why_void(a_round(quiet=but(calls(1_000, RATE), code)))
        (beside,) = fair.why_void(a_round(loud=but(calls(1_000, RATE), code)))
        assert alone == f"the others alone were answered {{'{code}': 1}}"
        assert beside == f"the others were answered {{'{code}': 1}}"


def test_the_one_sender_may_be_told_to_return_later_and_nothing_else() -> None:
    flood = calls(7_000, RATE * TIMES)

    assert fair.why_void(a_round(flood=but(flood, "ResourceExhausted"))) == []
    assert fair.why_void(a_round(flood=but(flood, "Unavailable"))) == ["the one were answered {'Unavailable': 1}"]


def test_a_side_that_sent_less_than_its_rate_makes_the_round_void() -> None:
    assert fair.why_void(a_round(loud=calls(1_000, RATE, slower=1.009))) == []
    assert fair.why_void(a_round(loud=calls(1_000, RATE, slower=1.05))) == ["the others sent 19.0 a second, not 20.0"]
    assert fair.why_void(a_round(flood=calls(7_000, RATE * TIMES, slower=1.05))) == [
        "the one sent 133.3 a second, not 140.0"
    ]


def test_a_round_without_the_one_sender_to_its_end_or_of_few_calls_does_not_count() -> None:
    assert fair.why_void(a_round(outlasted=False)) == ["the one sender ended before the others did"]
    assert fair.why_void(a_round(quiet=calls(300, RATE))) == [
        "the others alone made 300 calls, of which a 99th percentile says nothing"
    ]
