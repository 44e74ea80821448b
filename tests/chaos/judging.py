"""What a run came to, and of one referral who was to be asked and was not, and who was and nobody demanded it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts; `said` names what is wrong, by ids alone."""

    acknowledged: int
    lost: int
    duplicated: int
    repeated: int
    out_of_order: int
    said: tuple[str, ...]
    in_place: int = 0
    """Partners that never read a concern since somebody else was asked in their place: no fault."""

    @property
    def clean(self) -> bool:
        """True where nothing is wrong. Repeats are no fault."""
        return not (self.lost or self.duplicated or self.out_of_order or self.said)


class Asking(NamedTuple):
    """How the partners that were asked differ from those that were demanded, by their names in order."""

    missing: list[str]
    """Demanded, and never reached."""
    undemanded: list[str]
    """Reached, and nobody demanded it."""
    in_place: int = 0
    """How many more were never reached since somebody else was asked in their place."""


def asking(demanded: Collection[str], legs: Mapping[str, int]) -> Asking:
    """Compare, where clocks are right. `legs` says on how many each partner that was reached was asked."""
    return Asking(sorted(set(demanded) - legs.keys()), sorted(legs.keys() - set(demanded)))


def asking_by_wrong_clocks(demanded: Collection[str], legs: Mapping[str, int], too_late: Collection[str]) -> Asking:
    """The same where deadlines may run out early: each leg beyond one for each demanded partner may stand in for one
    that was never reached, and for each that was not, or whose answer came `too_late`, somebody else may be asked."""
    missing, undemanded, _ = asking(demanded, legs)
    more = sum(legs.values()) - (len(legs) - len(undemanded))
    silent = len({*missing, *too_late})
    return Asking(missing[more:], undemanded[silent:], min(len(missing), more))
