"""Row 8: what each safety costs, by leaving it out in the benchmark's own wiring."""

from __future__ import annotations

from tests.performance import calling, hops
from tests.performance.arms.unsafe import OBSERVED
from tests.performance.ground import Ground
from tests.performance.result import Claim, Contest

FLOOR = "floor: only decides"


def on_the_hop(ground: Ground, events: int) -> Contest:
    """Finding repeats, and being observed."""
    hop = hops.prepared(ground, events, "safe").deciding
    return Contest(
        "the engine's safeties",
        f"{events:,} facts through the engine as it is, and with one safety left out",
        {
            "engine": lambda: hop.run("hop_engine"),
            "without dedupe": lambda: hop.run("hop_engine", without="dedupe"),
            f"without {OBSERVED}": lambda: hop.run("hop_engine", without=OBSERVED),
            FLOOR: lambda: hop.run("hop_limit"),
        },
        [
            Claim("8.dedupe", "engine with to without finding repeats", "engine", "without dedupe", 0.9),
            Claim("8.observed", f"engine with to without {OBSERVED}", "engine", f"without {OBSERVED}", 0.9),
            Claim("8.floor", "engine to a loop that only decides: no safety at all", "engine", FLOOR, 0),
        ],
    )


def sealing(ground: Ground, concerns: int) -> Contest:
    """Sealing, on the stream of concerns."""
    desk = calling.Desk(ground)
    return Contest(
        "sealing",
        f"{concerns:,} concerns by RaiseConcerns, sealed and left as they are",
        {
            "intake": lambda: desk.stream(concerns),
            "without sealing": lambda: desk.stream(concerns, without="sealing"),
        },
        [Claim("8.sealing", "intake with to without sealing", "intake", "without sealing", 0.75)],
    )
