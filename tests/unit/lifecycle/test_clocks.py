"""Clocks warn at half and at four fifths, once each, are breached at their end, and stand still where they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import triage_pb2
from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE
from services.chassis.clocks import load_clocks
from tests.unit.domains import DESK, NOON, Life, kinds_of, sealed
from tests.unit.partner_routing.life import ACCEPTED, HOUR, LEG, ON_HOLD, PROGRESS, life_of, reply, request
from tests.unit.triage.test_domain import life_of as in_triage
from tests.unit.triage.test_domain import supplied

CLOCKS = load_clocks(Path(__file__).parents[3] / "deploy/areas/avon-and-somerset")
MINUTE = timedelta(minutes=1)
ASK = triage_pb2.RequestInformationRequest(question="which flat?")


def percents(facts: list[Any]) -> list[int]:
    return [fact.clock_reached.percent for fact in facts if fact.WhichOneof("fact") == "clock_reached"]


def watched(life: Life) -> dict[str, datetime]:
    return {clock["name"]: clock["at"] for clock in life.decider.view(life.state)["clocks"]}


def test_a_partner_s_silence_is_warned_of_twice_before_it_expires() -> None:
    life = life_of(request())
    told = []
    for _ in range(3):
        at = watched(life)["soon"]
        told.append((at - NOON, percents(life.run_out("soon", at))))

    assert told == [(30 * MINUTE, [50]), (48 * MINUTE, [80]), (60 * MINUTE, [100])]
    assert watched(life)["soon"] == NOON + HOUR + 30 * MINUTE  # the lead agency's


def test_what_was_told_is_not_told_again_and_one_look_tells_all_that_is_due() -> None:
    life = life_of(request())

    assert percents(life.run_out("soon", NOON + 50 * MINUTE)) == [50, 80]
    assert life.run_out("soon", NOON + 51 * MINUTE) == []


def test_work_on_hold_has_no_clock_and_goes_on_with_what_was_left() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    assert percents(life.run_out("review", NOON + 30 * MINUTE)) == [50]
    reply(life, ON_HOLD)
    assert watched(life) == {}

    life.now = NOON + 10 * HOUR
    reply(life, PROGRESS)

    rested = 10 * HOUR - 30 * MINUTE
    assert life.state.legs[LEG].review_by.at.ToDatetime(UTC) == NOON + HOUR + rested
    assert watched(life) == {"review": NOON + 48 * MINUTE + rested}
    assert percents(life.run_out("review", NOON + HOUR + rested)) == [80, 100]
    assert life.state.legs[LEG].is_open  # a breach lies over the state and changes none


def test_news_of_the_work_starts_its_clock_anew() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    life.run_out("review", NOON + 30 * MINUTE)

    reply(life, PROGRESS)

    assert watched(life) == {"review": NOON + HOUR}


def test_the_desk_is_warned_of_what_waits_for_it_and_hears_of_the_breach() -> None:
    life, _ = in_triage()
    ends = life.state.decide_by.at.ToDatetime(UTC)
    start = NOON

    assert watched(life) == {"decide_green": start + (ends - start) / 2}
    assert percents(life.run_out("decide_green", ends)) == [50, 80, 100]
    assert life.state.waits_for_desk
    assert watched(life) == {}


def test_a_question_stops_the_desk_s_clock_until_it_is_answered() -> None:
    life, _ = in_triage()
    ends = life.state.decide_by.at.ToDatetime(UTC)
    life.say(ASK, DESK, sealed(FIELD_GROUP_NARRATIVE))
    assert list(watched(life)) == ["answer"]

    life.now = NOON + timedelta(days=4)  # Friday to Tuesday: two working days stood still
    facts = life.hear("intake", supplied())

    assert kinds_of(facts) == ["clock_resumed"]
    assert life.state.decide_by.at.ToDatetime(UTC) == ends + timedelta(days=2)
    assert list(watched(life)) == ["decide_green"]


def test_an_answer_that_does_not_come_in_time_leaves_the_desk_to_decide_with_what_is_there() -> None:
    life, _ = in_triage()
    life.say(ASK, DESK, sealed(FIELD_GROUP_NARRATIVE))

    facts = life.run_out("answer", life.state.answer_by.at.ToDatetime(UTC))

    assert kinds_of(facts) == ["clock_reached"] * 3 + ["clock_resumed"]
    assert list(watched(life)) == ["decide_green"]


@pytest.mark.parametrize(
    ("clock", "paused", "now", "later"),
    [
        (
            "respond_red",
            datetime(2026, 11, 20, 12, tzinfo=UTC),
            datetime(2026, 11, 20, 14, tzinfo=UTC),
            timedelta(hours=2),
        ),
        ("decide_green", datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 18, tzinfo=UTC), timedelta(0)),
        ("decide_green", datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC), timedelta(0)),
        (
            "decide_green",
            datetime(2026, 11, 20, 12, tzinfo=UTC),
            datetime(2026, 11, 23, 12, tzinfo=UTC),
            timedelta(days=1),
        ),
    ],
    ids=["hours", "the same day", "over a weekend", "to Monday"],
)
def test_a_clock_stands_still_by_its_own_calendar(
    clock: str, paused: datetime, now: datetime, later: timedelta
) -> None:
    start = datetime(2026, 11, 20, 9, tzinfo=UTC)  # a Friday; three working days end as Wednesday does
    ends = CLOCKS.deadline(clock, start)

    found = CLOCKS.resumed(clock, ends, paused, now)

    assert found == ends + later


def test_days_are_added_by_the_calendar_of_working_days() -> None:
    start = datetime(2026, 11, 17, 9, tzinfo=UTC)  # Tuesday; the clock ends as Friday does
    ends = CLOCKS.deadline("decide_green", start)

    found = CLOCKS.resumed("decide_green", ends, start, start + timedelta(days=1))

    assert found - ends == timedelta(days=3)  # to the end of Monday
