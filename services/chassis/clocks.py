"""Deadlines: what a clock means, to the second, and which days its calendar counts. Pure once it is loaded.

Seconds, minutes and hours are elapsed time: an hour is 3,600 seconds, also on the night the clocks change.

Working days: a clock of n working days that starts at any time of day D (in Europe/London) ends with the n-th
working day after D, at the midnight that follows it. D itself never counts. Friday 10:00 and one working day
is the midnight between Monday and Tuesday. Working days are Monday to Friday without the bank holidays of
England and Wales.

School days: a clock of n school days ends when the n-th school day that opens after the start opens, because
its one use is that the school knows before the child comes. Tuesday 02:00 and one school day is Tuesday at
opening.

Months: a clock of n months that starts at any time of day D ends with the day of the same number n months later, or
with the last day of that month where it has none, at the midnight that follows it.

Beyond the last day that a calendar knows, Monday to Friday all count: a deadline is then early, never late.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from govuk_bank_holidays.bank_holidays import BankHolidays
from pydantic import BeforeValidator, Field

from safeguarding.v1.common_pb2 import Deadline
from services.chassis.areafile import Sourced, Strict, Wrong, read, refuse
from services.chassis.areas import load_areas
from services.chassis.language import Stage

LONDON = ZoneInfo("Europe/London")
DAY = timedelta(days=1)
MOST_MONTHS = 1_200
LONGEST_REASON = 1_000
"""As a deadline may carry it."""

REQUIRED = (
    *("respond_red", "respond_amber", "respond_green"),
    *("decide_red", "decide_amber", "decide_green"),
    *("answer", "tell", "review", "recall", "victim_update", "victim_update_enhanced"),
)
"""The clocks that every area must state."""


class Unit(StrEnum):
    """What a clock counts."""

    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"
    WORKING_DAYS = "working_days"
    SCHOOL_DAYS = "school_days"
    MONTHS = "months"


def _unit(word: object) -> Unit:
    try:
        return Unit(str(word))
    except ValueError as error:
        raise Wrong(f"{word!r} is no unit", "one of " + ", ".join(Unit)) from error


class ClockRule(Sourced):
    """One clock of an area."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$", examples=['"respond_red"'])]
    amount: Annotated[int, Field(ge=1, le=100_000, examples=["1"])]
    unit: Annotated[Unit, BeforeValidator(_unit), Field(examples=['"hours"'])]
    counts_from: Literal["start", "raised"] = "start"
    """`raised` where the time runs from the referral, however late the step that the clock is for."""
    after: Annotated[Sequence[Stage], Field(examples=['["strategy_discussion"]'])] = ()
    """The stages of a procedure with which it begins; a clock of a leg, of the desk or of a victim has none."""
    until: Annotated[Sequence[Stage], Field(examples=['["initial_conference"]'])] = ()
    """The stages with which it ends."""

    def model_post_init(self, context: object) -> None:
        """What a stage begins, a stage must end."""
        super().model_post_init(context)
        if bool(self.after) != bool(self.until):
            at, wrong = ("until", "nothing ends it") if self.after else ("after", "nothing begins it")
            raise Wrong(
                wrong, 'after = ["strategy_discussion"] and until = ["initial_conference"], or neither', at=(at,)
            )
        if self.unit is Unit.MONTHS and self.amount > MOST_MONTHS:
            raise Wrong(f"{self.amount} months", f"at most {MOST_MONTHS} months", at=("amount",))


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


def deadline(rule: ClockRule, start: datetime, calendar: Calendar) -> datetime:
    """Return when the clock runs out, UTC.

    Raises ValueError if `start` has no time zone.
    """
    if start.tzinfo is None:
        raise ValueError("a clock starts at a time with a time zone")
    if rule.unit is Unit.WORKING_DAYS:
        last = _nth(start.astimezone(LONDON).date() + DAY, rule.amount, calendar.is_working_day)
        return _local(last + DAY, time())
    if rule.unit is Unit.MONTHS:
        return _local(_months_later(start.astimezone(LONDON).date(), rule.amount) + DAY, time())
    if rule.unit is Unit.SCHOOL_DAYS:
        today = start.astimezone(LONDON).date()
        opens_later_today = start < _local(today, calendar.school_opens)
        first = today if opens_later_today else today + DAY
        return _local(_nth(first, rule.amount, calendar.is_school_day), calendar.school_opens)
    return start.astimezone(UTC) + timedelta(**{rule.unit.value: rule.amount})


def resumed(rule: ClockRule, runs_out: datetime, paused: datetime, now: datetime, calendar: Calendar) -> datetime:
    """Return when a clock that stood still from `paused` to `now` runs out, UTC.

    Elapsed time is added as it is; of days, as many are added as the calendar counts after the day of the pause.
    """
    counts = {Unit.WORKING_DAYS: calendar.is_working_day, Unit.SCHOOL_DAYS: calendar.is_school_day}.get(rule.unit)
    if counts is None:
        return (runs_out + (now - paused)).astimezone(UTC)
    first, last = paused.astimezone(LONDON).date() + DAY, now.astimezone(LONDON).date()
    stood = sum(counts(first + DAY * number) for number in range((last - first).days + 1))
    if not stood:
        return runs_out.astimezone(UTC)
    if rule.unit is Unit.WORKING_DAYS:  # it ends at the midnight after its last day
        return _local(_nth(runs_out.astimezone(LONDON).date(), stood, counts) + DAY, time())
    return _local(_nth(runs_out.astimezone(LONDON).date() + DAY, stood, counts), calendar.school_opens)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _nth(first: date, count: int, counts: Callable[[date], bool]) -> date:
    day = first
    while True:
        count -= counts(day)
        if count == 0:
            return day
        day += DAY


def _local(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=LONDON).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of an area with the calendar of each of its councils."""

    rules: Mapping[str, ClockRule]
    calendars: Mapping[str, Calendar]
    """By the code of the coarse area, which is a council's."""

    def deadline(self, name: str, start: datetime, council: str) -> datetime:
        """Return when the named clock runs out, UTC; raises KeyError for a name that is not stated.

        For a council that is not known any more it is the earliest of all: early, never late.
        """
        return min(deadline(self.rules[name], start, calendar) for calendar in self._calendars(name, council))

    def until(self, name: str, start: datetime, council: str) -> Deadline:
        """The same as facts state it."""
        return self._stated(name, self.deadline(name, start, council), council)

    def unconfirmed(self, name: str, council: str) -> str:
        """Why no practitioner has confirmed the clock, or the calendar by which it counts; empty where one has."""
        reasons = [self.rules[name].unconfirmed_reason]
        reasons += [calendar.unconfirmed_reason for calendar in self._calendars(name, council)] * self._by_school(name)
        return "; ".join(dict.fromkeys(filter(None, reasons)))[:LONGEST_REASON]

    def from_raising(self, name: str) -> bool:
        """True where the named clock runs from the referral."""
        return self.rules[name].counts_from == "raised"

    def after(self, stage: int) -> list[str]:
        """The clocks that begin with a stage of a procedure."""
        return [name for name, rule in self.rules.items() if stage in rule.after]

    def until_stage(self, stage: int) -> list[str]:
        """The clocks that end with it."""
        return [name for name, rule in self.rules.items() if stage in rule.until]

    def resumed(self, name: str, runs_out: datetime, paused: datetime, now: datetime, council: str) -> Deadline:
        """When the named clock, which stood still since `paused`, runs out."""
        ends = (resumed(self.rules[name], runs_out, paused, now, each) for each in self._calendars(name, council))
        return self._stated(name, min(ends), council)

    def _by_school(self, name: str) -> bool:
        return self.rules[name].unit is Unit.SCHOOL_DAYS

    def _calendars(self, name: str, council: str) -> Sequence[Calendar]:
        """The council's; all of them for a council that is unknown; any where school days do not matter."""
        known = self.calendars.get(council)
        if known is not None:
            return [known]
        return list(self.calendars.values()) if self._by_school(name) else [next(iter(self.calendars.values()))]

    def _stated(self, name: str, at: datetime, council: str) -> Deadline:
        stated = Deadline(clock=name, unconfirmed_reason=self.unconfirmed(name, council))
        stated.at.FromDatetime(at)
        return stated


class _ClocksFile(Strict):
    clock: Sequence[ClockRule]


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


def load_clocks(area: Path, on: date | None = None) -> Clocks:
    """Read clocks.toml and school_terms/ of an area; raises FileRefused. With `on`, for terms that are over too.

    Where the folder also holds clocks.local.toml, as the demo's copy of an area does, each clock in it takes
    the place of the one of the same name.
    """
    path = area / "clocks.toml"
    rules = _rules(path)
    for name in REQUIRED:
        if name not in rules:
            raise refuse(path, (), f"the clock {name} is missing", f'[[clock]] with name = "{name}"')
    local = area / "clocks.local.toml"
    if local.exists():
        for place, (name, rule) in enumerate(_rules(local).items()):
            if name not in rules:
                wrong = f"{name} takes the place of no clock"
                raise refuse(local, ("clock", place, "name"), wrong, "one of " + ", ".join(rules))
            rules[name] = rule
    return Clocks(rules, load_calendars(area, on))


def _rules(path: Path) -> dict[str, ClockRule]:
    rules: dict[str, ClockRule] = {}
    for place, rule in enumerate(read(path, _ClocksFile).clock):
        if rule.name in rules:
            raise refuse(path, ("clock", place, "name"), f"{rule.name} is stated twice", "one clock a name")
        rules[rule.name] = rule
    return rules


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
