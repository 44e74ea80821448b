"""Row 6: from a concern's fact on intake's topic to the partner's copy, beside empty relays and the usual way."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

from tests.performance.ground import Ground
from tests.performance.report import show
from tests.performance.result import Claim, Contest, Metric, Sample
from tests.performance.way import Way

WHY = (
    "each hop of ours saves before it publishes (relays that do are the floor), and the relays keep nothing; beyond"
    " that it is CPU: a concern costs 8 to 15 CPU-milliseconds of services, store and broker on two cores, whose"
    " threads stand ready for a core longer than they run. The usual way neither seals nor asks for keys."
)

SERVICES, RELAYS, USUAL = "services", "empty aiokafka relays", "usual way"
KEEPING = "floor: relays that keep each record"
"""One write to the store before each publication, and nothing else: what durability alone costs."""
FROM_TO = "open loop: from the fact on intake's topic to the copy on the partner's, two hops, by the broker's clock"
SHARES = (0.5, 0.7)
REACHED = {"6": (50.0, 23.0), "6s": (3.6, 4.5)}
"""By row p50 and p99, as ratios. Those of 6 are of one run, taken before a run that does not keep its rate was void."""
FLOODS, FLOOD_SECONDS = (200.0, 400.0, 800.0), 6.0
MUCH = 0.9
"""Of a flood: who carries as much may be able to carry more."""


def to_partner(ground: Ground, row: str, rate: float, seconds: float) -> Contest:
    """Row 6, beside empty relays."""
    way = Way(ground, rate, seconds)
    at = f"at {rate:.0f} a second"
    reached = REACHED[row]
    return Contest(
        f"latency {at}",
        f"{rate:.0f} concerns a second for {seconds:.0f} s, {FROM_TO}",
        {SERVICES: way.ours, RELAYS: way.relays, KEEPING: way.keeping},
        [
            _claim(f"{row}.p50", f"p50 to that of empty relays, {at}", RELAYS, 2.5, reached[0]),
            _claim(f"{row}.p99", f"p99 to that of empty relays, {at}", RELAYS, 2.5, reached[1], "p99"),
            _claim(f"{row}.floor", f"p50 to that of relays that keep each record, {at}", KEEPING, 0),
        ],
    )


def beside_usual(ground: Ground, seconds: float) -> Contest:
    """Row 6, beside the same services written the usual way."""
    paced = Paced(ground, seconds)
    halfway, further = (f"{share:.0%}" for share in SHARES)
    arms = {f"{arm} at {share:.0%}": partial(paced.at, share, arm) for share in SHARES for arm in (SERVICES, USUAL)}
    return Contest(
        "latency beside the usual way",
        f"at {halfway} and {further} of what the slower of the two carries of a flood that is more than it can, for"
        f" {seconds:.0f} s, {FROM_TO}",
        arms,
        [
            Claim(
                f"6.usual{row}",
                f"p50 to that of the usual way, at {share:.0%} of capacity",
                f"{SERVICES} at {share:.0%}",
                f"{USUAL} at {share:.0%}",
                0.6,
                "p50",
                "at most",
                1.5,
                WHY,
            )
            for row, share in zip(("", ".70"), SHARES, strict=True)
        ],
    )


def _claim(row: str, name: str, arm: str, goal: float, reached: float = 0, metric: Metric = "p50") -> Claim:
    return Claim(row, name, SERVICES, arm, goal, metric, "at most", reached, WHY)


class Paced:
    """Runs at a share of capacity: at the same rate for both, of which the slower can carry more."""

    def __init__(self, ground: Ground, seconds: float) -> None:
        self._ground, self._seconds = ground, seconds

    def at(self, share: float, arm: str) -> Sample:
        """One run of an arm."""
        carried = self._carried
        if why := "; ".join(f"{arm}: {each.void}" for arm, each in carried.items() if not each.per_second):
            return Sample(void=f"capacity is not known: {why}")
        rate = share * min(each.per_second for each in carried.values())
        return self._played(arm, Way(self._ground, rate, self._seconds))

    @cached_property
    def _carried(self) -> dict[str, Sample]:
        """What each of the two carries, a second."""
        found = {arm: most_carried(partial(self._flooded, arm)) for arm in (SERVICES, USUAL)}
        show("  carried of a flood: " + ", ".join(f"{arm} {each.per_second:.0f}/s" for arm, each in found.items()))
        return found

    def _flooded(self, arm: str, rate: float) -> Sample:
        return self._played(arm, Way(self._ground, rate, FLOOD_SECONDS))

    def _played(self, arm: str, way: Way) -> Sample:
        return way.ours() if arm == SERVICES else way.usual()


def most_carried(flooded: Callable[[float], Sample]) -> Sample:
    """What an arm carries of a flood that is more than it can: capacity, and not the flood, is what is found.

    Each flood is larger than the one before, until less than MUCH of it is carried. Void where that is true of none, or
    where one says nothing of what was carried.
    """
    void = ""
    for rate in FLOODS:
        sample = flooded(rate)
        if not sample.per_second:
            return Sample(void=f"of {rate:.0f}/s: {sample.void}")
        if sample.per_second < MUCH * rate:
            return sample
        void = f"carried {sample.per_second:.0f}/s of the largest flood, {rate:.0f}/s"
    return Sample(void=void)
