"""What was measured and what is claimed: samples by arm and round, and ratios between two arms of one round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

Metric = Literal["per_cpu", "per_second", "memory", "p50", "p99"]
Direction = Literal["at least", "at most"]
EVERYWHERE: tuple[Metric, ...] = ("per_cpu", "per_second", "memory")
"""What is compared of any two arms, whatever is claimed of them."""
LIMIT = "limit: nothing but what must be"
"""The arm that shows what no code around it can save, in whichever row."""
QUICK_SHARE = 0.8
"""Of its goal, what a quick run must reach: it is short, and its machine is shared."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm in one round. `void` says why it does not count."""

    per_cpu: float = 0.0
    """Events a CPU-second of the arm's own processes."""
    per_second: float = 0.0
    memory: float = 0.0
    """Resident, MiB."""
    p50: float = 0.0
    """Milliseconds, where latency was measured."""
    p99: float = 0.0
    cuts: tuple[float, ...] = ()
    """Milliseconds within which 1, 2, … 99 of a hundred were, where all latencies were at hand."""
    void: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A ratio between two arms of the same round, and how large or small it must be."""

    id: str
    name: str
    of: str
    to: str
    goal: float
    metric: Metric = "per_cpu"
    direction: Direction = "at least"
    reached: float = 0
    """Where a goal is not, or not always, reached: what was, of which a run must keep as much as of a goal."""
    why: str = ""
    """What stands between that and the goal."""

    @property
    def asked(self) -> float:
        """What a run is held to."""
        return self.reached or self.goal


def flat(row: str, service: str, what: str, arms: Mapping[str, int]) -> list[Claim]:
    """Row 9's claims: each arm, by how much is stored, does as many of `what` a CPU-second as the first, in as much
    memory."""
    few, *more = arms
    return [
        claim
        for arm in more
        for claim in (
            Claim(f"{row}.{arms[arm]}.cpu", f"{service}: {what} a CPU-second at {arm} to {few}", arm, few, 0.9),
            Claim(
                f"{row}.{arms[arm]}.memory", f"{service}: memory at {arm} to {few}", arm, few, 1.1, "memory", "at most"
            ),
        )
    ]


@dataclass(frozen=True)
class Contest:
    """Arms that do the same work; each is called once a round and measures itself."""

    name: str
    work: str
    arms: Mapping[str, Callable[[], Sample]]
    claims: Sequence[Claim]
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Of arms that differ by how much is stored: how much."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A claim as it was found: the median of its rounds, and their range."""

    claim: Claim
    rounds: tuple[float, ...]
    share: float = 1.0
    """Of a goal, what is asked of this run. Of what was reached it is always the smaller share: rounds differ."""
    enough: int = 1
    """Rounds that must count."""

    @property
    def void(self) -> str:
        """Why nothing can be said, or nothing."""
        if len(self.rounds) >= self.enough:
            return ""
        return f"too few rounds count: {len(self.rounds)} of {self.enough}"

    @property
    def ratio(self) -> float | None:
        """The median; None where it is void."""
        return None if self.void else median(self.rounds)

    @property
    def low(self) -> float | None:
        """Of the round in which it was lowest; None where it is void."""
        return None if self.void else min(self.rounds)

    @property
    def high(self) -> float | None:
        """Of the round in which it was highest; None where it is void."""
        return None if self.void else max(self.rounds)

    @property
    def holds(self) -> bool:
        """True where the median reaches what is asked."""
        if self.ratio is None:
            return False
        if self.claim.direction == "at least":
            return self.ratio >= self.bound
        return self.ratio <= self.bound

    @property
    def reaches_goal(self) -> bool:
        """True where the median reaches the goal itself, whatever was asked of this run."""
        if self.ratio is None:
            return False
        if self.claim.direction == "at least":
            return self.ratio >= self.claim.goal
        return self.ratio <= self.claim.goal

    @property
    def bound(self) -> float:
        """The ratio that is just good enough for this run."""
        share = QUICK_SHARE if self.claim.reached else self.share
        return self.claim.asked * share if self.claim.direction == "at least" else self.claim.asked / share

    def as_json(self) -> dict[str, object]:
        """As build/bench.json lists it."""
        return {
            "id": self.claim.id,
            "name": self.claim.name,
            "ratio": self.ratio,
            "low": self.low,
            "high": self.high,
            "goal": self.claim.goal,
            "direction": self.claim.direction,
        }


@dataclass
class Found:
    """What the rounds of one contest gave."""

    contest: Contest
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    enough: int = 1
    """Rounds of which a claim needs both arms: with fewer it is void."""

    def ratios(self, share: float = 1.0) -> list[Ratio]:
        """Every claim; a round in which either arm is void does not count."""
        return [Ratio(claim, self._rounds(claim), share, self.enough) for claim in self.contest.claims]

    def beside(self) -> dict[tuple[str, str], dict[Metric, Ratio]]:
        """Of every two arms of which something is claimed: what can be compared of any, where it was measured."""
        return {
            (claim.of, claim.to): {
                metric: Ratio(claim, rounds)
                for metric in EVERYWHERE
                if (rounds := self._rounds(replace(claim, metric=metric)))
            }
            for claim in self.contest.claims
        }

    def voids(self) -> list[tuple[str, str]]:
        """Every reason why a sample does not count, with its arm."""
        return [(arm, sample.void) for arm, samples in self.samples.items() for sample in samples if sample.void]

    def _rounds(self, claim: Claim) -> tuple[float, ...]:
        pairs = zip(self.samples.get(claim.of, ()), self.samples.get(claim.to, ()), strict=False)
        return tuple(
            float(getattr(one, claim.metric)) / float(getattr(other, claim.metric))
            for one, other in pairs
            if not one.void and not other.void and getattr(one, claim.metric) and getattr(other, claim.metric)
        )
