"""Which days count in an area: working days of England and Wales, and school days by each council. Pure once loaded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from govuk_bank_holidays.bank_holidays import BankHolidays
from pydantic import Field

from services.chassis.areafile import Sourced, Strict, Wrong, read, refuse
from services.chassis.areas import load_areas

LONDON = ZoneInfo("Europe/London")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days count in an area."""

    bank_holidays: frozenset[date]
    bank_holidays_until: date
    """The last day of the last year that the list of bank holidays covers."""
    school_days: frozenset[date]
    school_days_until: date
    school_opens: time
    unconfirmed_reason: str = ""
    """Why nobody has compared the school days with what the council publishes; empty where somebody has."""

    def is_working_day(self, day: date) -> bool:
        """True on Monday to Friday without bank holidays."""
        return day.weekday() < 5 and day not in self.bank_holidays

    def is_school_day(self, day: date) -> bool:
        """True on the days of the terms; beyond the last known term, on every working day."""
        return day in self.school_days if day <= self.school_days_until else self.is_working_day(day)


class _Span(Strict):
    name: str
    first: Annotated[date, Field(examples=["2026-09-02"])]
    last: Annotated[date, Field(examples=["2026-12-18"])]

    def model_post_init(self, _: object) -> None:
        if self.last < self.first:
            raise Wrong("it ends before it begins", "last on or after first", at=("last",))

    def days(self) -> Iterable[date]:
        return (self.first + DAY * count for count in range((self.last - self.first).days + 1))


class _SchoolFile(Sourced):
    opens: Annotated[time, Field(examples=["08:30:00"])]
    term: Annotated[Sequence[_Span], Field(min_length=1)]
    closed: Sequence[_Span] = ()


def load_calendars(area: Path, on: date | None = None) -> dict[str, Calendar]:
    """Read school_terms/<council>.toml for each coarse area of partners.toml; raises FileRefused, also for a file of
    no council, and for the one file that an area had before."""
    codes = load_areas(area).codes
    before = area / "school_terms.toml"
    if before.exists():
        raise refuse(before, (), "one file for all councils", "school_terms/<council>.toml, one for each")
    for path in sorted((area / "school_terms").glob("*.toml")):
        if path.stem not in codes:
            raise refuse(path, (), f"there is no area {path.stem}", "one of " + ", ".join(sorted(codes)))
    return {code: load_calendar(area / "school_terms" / f"{code}.toml", on) for code in sorted(codes)}


def load_calendar(path: Path, on: date | None = None) -> Calendar:
    """Read one council's terms, and the bank holidays that ship with govuk-bank-holidays; nothing is fetched."""
    school = read(path, _SchoolFile)
    _refuse_overlap(path, "term", school.term, "terms in order, none within another")
    _refuse_overlap(path, "closed", school.closed, "closures in order, none within another")
    for place, closed in enumerate(school.closed):
        if not any(term.first <= closed.first and closed.last <= term.last for term in school.term):
            wrong = f"{closed.name} lies within no term, so that it closes nothing"
            right = "first and last of a closure, such as a half-term, within one term"
            raise refuse(path, ("closed", place, "first"), wrong, right)
    if on is not None and school.term[-1].last < on:
        wrong = f"the last term ended on {school.term[-1].last}"
        right = 'the next terms, such as [[term]] with name = "autumn", first and last'
        raise refuse(path, ("term", len(school.term) - 1, "last"), wrong, right)
    holidays = _bank_holidays()
    closed_days = {day for span in school.closed for day in span.days()} | holidays
    days = {day for term in school.term for day in term.days() if day.weekday() < 5}
    return Calendar(
        bank_holidays=holidays,
        bank_holidays_until=date(max(holidays).year, 12, 31),
        school_days=frozenset(days - closed_days),
        school_days_until=school.term[-1].last,
        school_opens=school.opens,
        unconfirmed_reason=f"school days: {school.unconfirmed_reason}" if not school.confirmed else "",
    )


def _refuse_overlap(path: Path, table: str, spans: Sequence[_Span], right: str) -> None:
    for place, (earlier, later) in enumerate(pairwise(spans)):
        if later.first <= earlier.last:
            wrong = f"{later.name} begins before {earlier.name} has ended"
            raise refuse(path, (table, place + 1, "first"), wrong, right)


@cache
def _bank_holidays() -> frozenset[date]:
    """Read once: they come with the package, and cannot change while we run."""
    known = BankHolidays(use_cached_holidays=True)
    return frozenset(found["date"] for found in known.get_holidays(division=known.ENGLAND_AND_WALES))
