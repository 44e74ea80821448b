"""Clocks end when their words say, over weekends, bank holidays, school holidays and the changes of the clock."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.chassis.areafile import FileRefused
from services.chassis.clocks import LONDON, Calendar, ClockRule, Unit, deadline, load_calendar, load_clocks, resumed
from services.chassis.language import STAGES

AREA = Path(__file__).parents[3] / "deploy" / "areas" / "avon-and-somerset"
BRISTOL = "school_terms/bristol.toml"
CALENDAR = load_calendar(AREA / "school_terms/north-somerset.toml")


def london(text: str) -> datetime:
    """A local time in London."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def end(amount: int, unit: Unit, start: datetime, calendar: Calendar = CALENDAR) -> datetime:
    """When a clock of so many units ends."""
    rule = ClockRule(name="a", amount=amount, unit=unit, words="w", source="s", confirmed=True)
    return deadline(rule, start, calendar)


@pytest.mark.parametrize(
    ("start", "days", "ends"),
    [
        ("2026-11-20T10:00", 1, "2026-11-24T00:00"),  # Friday: the end of Monday
        ("2026-11-20T23:59:59", 1, "2026-11-24T00:00"),
        ("2026-11-21T00:00", 1, "2026-11-24T00:00"),  # Saturday
        ("2026-11-22T12:00", 1, "2026-11-24T00:00"),  # Sunday
        ("2026-11-23T00:00", 1, "2026-11-25T00:00"),  # Monday itself never counts
        ("2026-12-23T10:00", 2, "2026-12-30T00:00"),  # 25 and 28 December are holidays, the 28th a substitute day
        ("2026-12-24T16:00", 3, "2027-01-01T00:00"),
        ("2028-02-28T09:00", 1, "2028-03-01T00:00"),  # a leap day is a day like others
        ("2028-02-29T09:00", 1, "2028-03-02T00:00"),
        ("2026-04-02T09:00", 1, "2026-04-08T00:00"),  # Good Friday and Easter Monday
        ("2026-03-27T09:00", 1, "2026-03-31T00:00"),  # over the beginning of summer time
        ("2026-10-23T09:00", 1, "2026-10-27T00:00"),  # over its end
    ],
)
def test_working_days_end_at_the_midnight_after_the_last(start: str, days: int, ends: str) -> None:
    assert end(days, Unit.WORKING_DAYS, london(start)) == london(ends)


def test_a_deadline_in_summer_is_an_hour_earlier_in_utc() -> None:
    assert end(1, Unit.WORKING_DAYS, london("2026-06-01T09:00")) == datetime(2026, 6, 2, 23, tzinfo=UTC)
    assert end(1, Unit.WORKING_DAYS, london("2026-12-01T09:00")) == datetime(2026, 12, 3, tzinfo=UTC)


def test_the_start_day_is_londons_and_not_utcs() -> None:
    late_on_sunday_in_utc = datetime(2026, 6, 7, 23, 30, tzinfo=UTC)  # Monday 00:30 in London

    assert end(1, Unit.WORKING_DAYS, late_on_sunday_in_utc) == london("2026-06-10T00:00")


def test_an_hour_is_an_hour_when_the_clocks_change() -> None:
    assert end(2, Unit.HOURS, datetime(2026, 3, 29, 0, 30, tzinfo=UTC)) == london("2026-03-29T03:30")
    assert end(24, Unit.HOURS, london("2026-10-24T12:00")) == london("2026-10-25T11:00")
    assert end(90, Unit.SECONDS, london("2026-12-31T23:59")) == datetime(2027, 1, 1, 0, 0, 30, tzinfo=UTC)
    assert end(5, Unit.MINUTES, london("2028-02-29T23:58")) == datetime(2028, 3, 1, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "opens"),
    [
        ("2026-11-24T02:00", "2026-11-24T08:30"),  # in the night before school
        ("2026-11-24T08:30", "2026-11-25T08:30"),  # school has just opened
        ("2026-11-27T20:00", "2026-11-30T08:30"),  # Friday evening
        ("2026-12-18T15:00", "2027-01-04T08:30"),  # over Christmas
        ("2026-10-23T15:00", "2026-11-02T08:30"),  # over half-term
        ("2027-04-30T15:00", "2027-05-04T08:30"),  # over the May bank holiday
        ("2026-07-25T15:00", "2026-09-02T08:30"),  # over the summer
    ],
)
def test_a_school_day_is_the_next_time_school_opens(start: str, opens: str) -> None:
    assert end(1, Unit.SCHOOL_DAYS, london(start)) == london(opens)


@pytest.mark.parametrize(
    ("start", "months", "ends"),
    [
        ("2026-11-20T10:00", 3, "2027-02-21T00:00"),
        ("2026-11-30T10:00", 3, "2027-03-01T00:00"),  # February has no 30th
        ("2027-11-30T10:00", 3, "2028-03-01T00:00"),  # nor in a leap year: the 29th is its last day
        ("2028-02-29T10:00", 12, "2029-03-01T00:00"),
        ("2026-12-31T23:30", 6, "2027-07-01T00:00"),  # into summer time
        ("2026-08-31T00:00", 6, "2027-03-01T00:00"),
    ],
)
def test_months_end_with_the_day_of_the_same_number_or_the_month_s_last(start: str, months: int, ends: str) -> None:
    assert end(months, Unit.MONTHS, london(start)) == london(ends)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"after": ["strategy_discussion"]}, "until"), ({"until": ["plan_ended"]}, "after")],
    ids=["nothing ends it", "nothing begins it"],
)
def test_what_a_stage_begins_a_stage_must_end(wrong: dict[str, list[str]], field: str) -> None:
    with pytest.raises(ValidationError, match="nothing") as refused:
        ClockRule(name="a", amount=1, unit=Unit.HOURS, words="w", source="s", confirmed=True, **wrong)  # type: ignore[arg-type]

    [found] = refused.value.errors()
    assert found["ctx"]["error"].at == (field,)


def test_the_stages_of_child_protection_follow_each_other() -> None:
    clocks = load_clocks(AREA)

    assert clocks.after(STAGES.number("strategy_discussion")) == ["stage_initial_conference"]
    assert "stage_initial_conference" in clocks.until_stage(STAGES.number("initial_conference"))
    assert clocks.after(STAGES.number("plan_ended")) == []
    assert {"stage_core_group", "stage_first_review_conference", "stage_review_conference"} <= set(
        clocks.until_stage(STAGES.number("plan_ended"))
    )


def test_beyond_what_calendars_know_a_deadline_is_early_and_never_late() -> None:
    assert date(2028, 12, 31) <= CALENDAR.bank_holidays_until
    last = CALENDAR.bank_holidays_until.year + 1

    assert end(1, Unit.WORKING_DAYS, london(f"{last}-12-24T10:00")) <= london(f"{last}-12-28T00:00")
    assert end(1, Unit.SCHOOL_DAYS, london("2028-08-01T10:00")) == london("2028-08-02T08:30")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        end(1, Unit.HOURS, datetime(2026, 1, 1))  # noqa: DTZ001  # the mistake under test


@given(
    start=st.integers(1_704_067_200, 1_827_532_800).map(lambda second: datetime.fromtimestamp(second, UTC)),
    days=st.integers(1, 15),
)
def test_exactly_so_many_working_days_lie_between_start_and_deadline(start: datetime, days: int) -> None:
    ends = end(days, Unit.WORKING_DAYS, start)

    first, last = start.astimezone(LONDON).date(), ends.astimezone(LONDON).date()
    between = [date.fromordinal(day) for day in range(first.toordinal() + 1, last.toordinal())]
    assert sum(CALENDAR.is_working_day(day) for day in between) == days
    assert ends.astimezone(LONDON).time() == time()
    assert CALENDAR.is_working_day(between[-1])


def slowly(rule: ClockRule, start: datetime) -> datetime:
    """The end of a clock, found by walking: days one by one, elapsed time in single seconds of UTC's count."""
    if rule.unit in (Unit.SECONDS, Unit.MINUTES, Unit.HOURS):
        seconds = rule.amount * {Unit.SECONDS: 1, Unit.MINUTES: 60, Unit.HOURS: 3600}[rule.unit]
        return datetime.fromtimestamp(start.timestamp() + seconds, UTC)
    day, left = start.astimezone(LONDON).date(), rule.amount
    if rule.unit is Unit.SCHOOL_DAYS:
        opens = datetime.combine(day, CALENDAR.school_opens, tzinfo=LONDON)
        while True:
            if start < opens and _in_school(opens.date()):
                left -= 1
            if not left:
                return opens
            opens = datetime.combine(opens.date() + timedelta(days=1), CALENDAR.school_opens, tzinfo=LONDON)
    if rule.unit is Unit.MONTHS:
        wanted = day.day
        while left or not (day.day == wanted or (day + timedelta(days=1)).day == 1):
            day += timedelta(days=1)
            left -= day.day == 1
        return datetime.combine(day + timedelta(days=1), time(), tzinfo=LONDON)
    while left:
        day += timedelta(days=1)
        left -= day.isoweekday() <= 5 and day not in CALENDAR.bank_holidays
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=LONDON)


def _in_school(day: date) -> bool:
    if day > CALENDAR.school_days_until:
        return day.isoweekday() <= 5 and day not in CALENDAR.bank_holidays
    return day in CALENDAR.school_days


AWKWARD = [
    london("2026-03-28T23:30"),  # the clock goes forward
    london("2026-10-24T23:30"),  # and back
    london("2028-02-28T23:59:59"),  # a leap day
    london("2026-12-24T16:00"),  # Christmas
    london("2026-12-18T15:30"),  # a term's end
    london("2027-07-22T08:29:59"),  # the last morning of a school year
]


@given(
    start=st.one_of(
        st.integers(1_767_225_600, 1_830_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
        st.sampled_from(AWKWARD).flatmap(
            lambda at: st.integers(-172_800, 172_800).map(lambda second: at + timedelta(seconds=second))
        ),
    ),
    amount=st.integers(1, 40),
    unit=st.sampled_from(list(Unit)),
)
def test_every_clock_ends_where_a_slow_reference_walks_to(start: datetime, amount: int, unit: Unit) -> None:
    rule = ClockRule(name="a", amount=amount, unit=unit, words="w", source="s", confirmed=True)

    assert deadline(rule, start, CALENDAR) == slowly(rule, start)


@given(
    start=st.sampled_from(AWKWARD),
    ran=st.integers(0, 400_000),
    stood=st.integers(0, 3_000_000),
    amount=st.integers(1, 10),
    unit=st.sampled_from(list(Unit)),
)
def test_a_clock_that_stood_still_ends_as_much_later_and_never_earlier(
    start: datetime, ran: int, stood: int, amount: int, unit: Unit
) -> None:
    rule = ClockRule(name="a", amount=amount, unit=unit, words="w", source="s", confirmed=True)
    ends = deadline(rule, start, CALENDAR)
    paused = start + timedelta(seconds=ran)
    now = paused + timedelta(seconds=stood)
    later = resumed(rule, ends, paused, now, CALENDAR)

    first, last = paused.astimezone(LONDON).date() + timedelta(days=1), now.astimezone(LONDON).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if unit is Unit.WORKING_DAYS:
        counted = sum(day.isoweekday() <= 5 and day not in CALENDAR.bank_holidays for day in days)
        between = [ends.astimezone(LONDON).date() + timedelta(days=number) for number in range(400)]
        working = [day for day in between if day.isoweekday() <= 5 and day not in CALENDAR.bank_holidays]
        assert later == ends if not counted else later.astimezone(LONDON).date() == working[counted - 1] + timedelta(1)
    elif unit is Unit.SCHOOL_DAYS:
        counted = sum(map(_in_school, days))
        between = [ends.astimezone(LONDON).date() + timedelta(days=number) for number in range(1, 400)]
        assert (
            later == ends
            if not counted
            else (later.astimezone(LONDON).date() == [day for day in between if _in_school(day)][counted - 1])
        )
    else:
        assert later - ends == now - paused
    assert later >= ends


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """A copy of the area, to be broken."""
    return Path(shutil.copytree(AREA, tmp_path / "area"))


def test_the_areas_own_clocks_say_what_they_promise() -> None:
    clocks = load_clocks(AREA)
    start = london("2026-11-20T17:30")  # a Friday

    assert clocks.deadline("respond_red", start, "bristol") == london("2026-11-20T18:30")
    assert clocks.deadline("respond_child_referral", start, "bristol") == london("2026-11-24T00:00")
    assert clocks.deadline("respond_before_school", start, "bristol") == london("2026-11-23T08:30")
    assert clocks.deadline("tell", start, "bristol") == london("2026-11-28T00:00")


@pytest.mark.parametrize(
    ("file", "before", "after", "wrong"),
    [
        ("clocks.toml", 'name = "tell"', 'name = "told"', "the clock tell is missing"),
        ("clocks.toml", 'name = "tell"', 'name = "answer"', "answer is stated twice"),
        ("clocks.toml", 'after = ["strategy_discussion"]\n', "", "nothing begins it"),
        ("clocks.toml", 'after = ["channel_exit"]\nuntil = ["channel_last_review"]', 'after = ["tea"]', "no such word"),
        ("clocks.toml", 'unit = "school_days"', 'unit = "fortnights"', "'fortnights' is no unit"),
        ("clocks.toml", "amount = 2688", "amount = 0", "greater than or equal to 1"),
        (BRISTOL, "opens = 08:30:00", 'opens = "half past eight"', "'opens'"),
        (BRISTOL, "last = 2025-12-19", "last = 2024-12-19", "it ends before it begins"),
        (BRISTOL, "first = 2026-01-05", "first = 2025-12-01", "before autumn 2025 has ended"),
    ],
)
def test_a_wrong_calendar_or_clock_is_refused(area: Path, file: str, before: str, after: str, wrong: str) -> None:
    text = (area / file).read_text()
    assert text.count(before) == 1
    (area / file).write_text(text.replace(before, after))

    with pytest.raises(FileRefused) as caught:
        load_clocks(area)

    assert caught.value.file == area / file
    assert wrong in caught.value.wrong
    assert caught.value.right


LOCAL = """
[[clock]]
name = "tell"
amount = 2
unit = "seconds"
words = "Short."
source = "the demo"
confirmed = true
"""


def test_a_local_clock_takes_the_place_of_the_one_of_its_name(area: Path) -> None:
    (area / "clocks.local.toml").write_text(LOCAL)

    clocks = load_clocks(area)

    assert clocks.deadline("tell", london("2026-11-20T12:00"), "bristol") == london("2026-11-20T12:00:02")
    assert clocks.deadline("answer", london("2026-11-20T12:00"), "bristol") == london("2026-11-25T00:00")


def test_a_local_clock_that_replaces_none_is_refused(area: Path) -> None:
    (area / "clocks.local.toml").write_text(LOCAL.replace('"tell"', '"tele"'))

    with pytest.raises(FileRefused, match="takes the place of no clock"):
        load_clocks(area)
