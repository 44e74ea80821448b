"""How long the stack took to work again after each fault, judged apart for what was struck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from tests.chaos.schedule import Fault, Kind, Struck

SHARE = 0.99
"""Of the faults of a kind, that must be recovered from in time."""

UNMET = "it met no full disk: its log says nothing of one"
"""Nothing was written that did not fit: the store writes into room that its file has had since other things were
overwritten. That proves nothing, and is none of its faults."""
MOST_UNMET = 3
"""So many full disks of one owner, none of which it met, are wrong."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How one fault went."""

    fault: Fault
    seconds: float
    """From the moment at which the fault was over (a kill: at once) until a concern raised then had reached all of
    its partners and what was struck was healthy again; infinite where that was never seen."""
    trouble: str = ""
    """Why it never recovered, or why the fault was none: then the run proves nothing of it, and is wrong. Or UNMET."""

    @property
    def never(self) -> bool:
        """True where it did not recover."""
        return self.seconds == inf

    @property
    def in_time(self) -> bool:
        """Within the limit that 99 of 100 must keep."""
        return self.seconds <= self.fault.struck.limit

    def __str__(self) -> str:
        after = f"{self.fault}, {'not back' if self.never else f'back after {self.seconds:.1f} s'}"
        return f"{after}: {self.trouble}" if self.trouble else after


def said(recoveries: Sequence[Recovery]) -> list[str]:
    """Median and 99th percentile of what was struck, each apart."""
    lines = []
    for struck, seconds in _by_struck(recoveries).items():
        times = f"median {percentile(seconds, 0.5):.1f} s, 99th percentile {percentile(seconds, SHARE):.1f} s"
        lines.append(f"recovery, {struck}: {len(seconds)} faults, {times}, at most {struck.limit:.0f} s")
    return lines


def wrong(recoveries: Sequence[Recovery]) -> list[str]:
    """What is wrong: a 99th percentile above its limit, with each that came late; and whatever had trouble."""
    lines = [str(each) for each in recoveries if each.trouble not in ("", UNMET) or each.never]
    lines += [f"{name} met none of {count} full disks" for name, count in _never_met(recoveries) if count >= MOST_UNMET]
    for struck, seconds in _by_struck(recoveries).items():
        reached = percentile(seconds, SHARE)
        if reached > struck.limit:
            late = [each for each in recoveries if each.fault.struck is struck and not each.in_time]
            named = "; ".join(str(each) for each in late[:5])
            lines.append(f"recovery, {struck}: 99th percentile {reached:.1f} s, not {struck.limit:.0f} s: {named}")
    return lines


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed; 0 of none."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)] if values else 0.0


def _never_met(recoveries: Sequence[Recovery]) -> list[tuple[str, int]]:
    """Whose disk was full without their noticing, each time, and how often."""
    filled = [each for each in recoveries if each.fault.kind is Kind.FULL]
    met = {each.fault.target for each in filled if each.trouble != UNMET}
    return sorted(Counter(each.fault.target for each in filled if each.fault.target not in met).items())


def _by_struck(recoveries: Sequence[Recovery]) -> dict[Struck, list[float]]:
    found: dict[Struck, list[float]] = {}
    for struck in Struck:
        seconds = [recovery.seconds for recovery in recoveries if recovery.fault.struck is struck]
        if seconds:
            found[struck] = seconds
    return found
