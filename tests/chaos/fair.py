"""What rounds beside one sender and without them say: whether they count at all, and what the others feel."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.chaos.recovering import percentile
from tests.performance.crowd import LEAST_RATE, Outcome

GOAL = 1.5
"""Times the others' p99 without the one sender."""
TIMES = 7
LEAST_CALLS = 500
"""Of the others in a round: of fewer, a 99th percentile is the accident of five calls."""
OK = "OK"
REFUSED = "ResourceExhausted"


class Round(NamedTuple):
    """What became of the calls of one round."""

    rate: float
    """Of all others together, a second; the one sender's is TIMES as much."""
    quiet: Sequence[Outcome]
    """The others' without the one sender."""
    loud: Sequence[Outcome]
    """Theirs beside the one sender."""
    flood: Sequence[Outcome]
    """The one sender's."""
    outlasted: bool
    """Whether the one sender went on for as long as the others did."""

    @property
    def ratio(self) -> float:
        """Of the others' p99 beside the one sender to that without."""
        return p99(self.loud) / p99(self.quiet)


class Ended(NamedTuple):
    """The verdict: the median of the rounds' ratios, the lowest, the highest, and what is wrong."""

    ratio: float
    low: float
    high: float
    wrong: list[str]


def p99(outcomes: Sequence[Outcome]) -> float:
    """Milliseconds from when a call was due, of every answer."""
    return percentile([outcome.latency for outcome in outcomes], 0.99)


def verdict(rounds: Sequence[Round]) -> Ended:
    """A round that does not count is wrong: nothing is left out until the rest looks well."""
    wrong = [f"round {number}: {why}" for number, each in enumerate(rounds) for why in why_void(each)]
    ratios = [each.ratio for each in rounds]
    ratio = statistics.median(ratios)
    if ratio > GOAL:
        wrong.append(f"the others' p99 is {ratio:.2f} times what it is without the one sender, not {GOAL}")
    return Ended(ratio, min(ratios), max(ratios), wrong)


def why_void(played: Round) -> list[str]:
    """Why a round does not count; nothing where it does."""
    why = []
    sides = (("the others alone", played.quiet, 1), ("the others", played.loud, 1), ("the one", played.flood, TIMES))
    for who, outcomes, times in sides:
        rate = played.rate * times
        sent = rate * sent_share(outcomes)
        if sent < LEAST_RATE * rate:
            why.append(f"{who} sent {sent:.1f} a second, not {rate:.1f}")
        codes = Counter(outcome.code for outcome in outcomes)
        good = {OK} if times == 1 else {OK, REFUSED}  # who floods may be told to return later
        bad = {code: count for code, count in codes.items() if code not in good}
        if bad:
            why.append(f"{who} were answered {bad}")
        if len(outcomes) < LEAST_CALLS:
            why.append(f"{who} made {len(outcomes)} calls, of which a 99th percentile says nothing")
    if not played.outlasted:
        why.append("the one sender ended before the others did")
    return why


def sent_share(outcomes: Sequence[Outcome]) -> float:
    """Of the rate that was asked for, what was really sent."""
    due = outcomes[-1].due - outcomes[0].due
    took = max(outcome.sent for outcome in outcomes) - outcomes[0].due
    return min(1.0, due / took) if took > 0 else 1.0


def said(played: Round) -> str:
    """One line about a round."""
    codes = dict(Counter(outcome.code for outcome in played.flood))
    return (
        f"others' p99 {p99(played.quiet):.1f} ms, beside the one sender {p99(played.loud):.1f} ms of "
        f"{len(played.loud)} calls; its own {p99(played.flood):.1f} ms, {codes}"
    )
