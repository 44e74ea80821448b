"""Row 6: from a concern's fact on intake's topic to the partner's copy, beside empty relays and the usual way."""

from __future__ import annotations

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
FLOOD, FLOOD_SECONDS = 200.0, 6.0
"""What the issue asks for, and on two cores more than the slower carries."""


def to_partner(ground: Ground, rate: float, seconds: float) -> Contest:
    """Row 6, beside empty relays."""
    way = Way(ground, rate, seconds)
    return Contest(
        "latency",
        f"{rate:.0f} concerns a second for {seconds:.0f} s, {FROM_TO}",
        {SERVICES: way.ours, RELAYS: way.relays, KEEPING: way.keeping},
        [
            _claim("p50", "p50 to that of empty relays", RELAYS, 2.5, 3.6),
            _claim("p99", "p99 to that of empty relays", RELAYS, 2.5, 4.5),
            _claim("floor", "p50 to that of relays that keep each record", KEEPING, 0),
        ],
    )


def beside_usual(ground: Ground, seconds: float) -> Contest:
    """Row 6, beside the same services written the usual way."""
    paced = Paced(ground, seconds)
    halfway, further = (f"{share:.0%}" for share in SHARES)
    arms = {f"{arm} at {share:.0%}": partial(paced.at, share, arm) for share in SHARES for arm in (SERVICES, USUAL)}
    return Contest(
        "latency beside the usual way",
        f"at {halfway} and {further} of what the slower of the two carries, for {seconds:.0f} s, {FROM_TO}",
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


def _claim(row: str, name: str, arm: str, goal: float, reached: float = 0) -> Claim:
    metric: Metric = "p99" if row == "p99" else "p50"
    return Claim(f"6.{row}", name, SERVICES, arm, goal, metric, "at most", reached, WHY)


class Paced:
    """Runs at a share of capacity: at the same rate for both, of which the slower can carry more."""

    def __init__(self, ground: Ground, seconds: float) -> None:
        self._ground, self._seconds = ground, seconds

    def at(self, share: float, arm: str) -> Sample:
        """One run of an arm."""
        if not self._capacity:
            return Sample(void="the slower arm carried nothing")
        way = Way(self._ground, share * self._capacity, self._seconds)
        return way.ours() if arm == SERVICES else way.usual()

    @cached_property
    def _capacity(self) -> float:
        """What the slower of the two carries, a second."""
        flood = Way(self._ground, FLOOD, FLOOD_SECONDS)
        carried = {SERVICES: flood.ours().per_second, USUAL: flood.usual().per_second}
        show("  carried of a flood: " + ", ".join(f"{arm} {rate:.0f}/s" for arm, rate in carried.items()))
        return min(carried.values())
