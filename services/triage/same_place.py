"""The condition that so many concerns are of one place, and what an example says of the others there. Pure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from services.chassis.areafile import Strict
from services.chassis.language import Kind
from services.links import AtPlace, most_around

MOST = 20
"""Of one referral no more links are suggested (triage/evidence.py), so that a higher threshold might never be met."""


class SamePlace(Strict):
    """So many concerns at one place, or at one home, within a time; this one is among them."""

    at_least: Annotated[int, Field(ge=2, le=MOST, examples=["3"])]
    within_days: Annotated[int, Field(ge=1, le=3650, examples=["365"])]
    kinds: Sequence[Kind] = ()
    """Only concerns of at least one of these kinds count, this one too; any concern where none is named."""

    def count(self, kinds: frozenset[Kind], others: Iterable[AtPlace]) -> int:
        """How many; 0 where this one is of no kind that counts."""
        wanted = frozenset(self.kinds)
        if wanted and wanted.isdisjoint(kinds):
            return 0
        after = [other.after for other in others if not wanted or not wanted.isdisjoint(other.kinds)]
        return most_around(after, timedelta(days=self.within_days))


class Earlier(Strict):
    """An earlier concern at the same place, as an example says it."""

    days_ago: Annotated[int, Field(ge=0, examples=["30"])]
    kinds: Annotated[Sequence[Kind], Field(min_length=1, examples=['["exploitation"]'])]

    def at_place(self) -> AtPlace:
        """The same as a rule sees it."""
        return AtPlace(-timedelta(days=self.days_ago), frozenset(self.kinds))
