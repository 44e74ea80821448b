"""Clocks warn at half and at four fifths, once each, are breached at their end, and stand still where they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE
from services.chassis.clocks import load_clocks
from services.cli import desk
from services.cli.inbox import row
from services.partner_routing.copies import content
from services.partner_routing.views import inbox, journey, stated_clocks
from services.triage.api import item as work_item
from services.triage.rules import load_rules
from tests.unit.domains import DESK, NOON, Life, kinds_of, sealed
from tests.unit.partner_routing.life import ACCEPTED, HOUR, LEG, ON_HOLD, PROGRESS, life_of, reply, request
from tests.unit.triage.test_domain import life_of as in_triage
from tests.unit.triage.test_domain import supplied

AREA = Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"
CLOCKS = load_clocks(AREA)
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
    ends = CLOCKS.deadline(clock, start, "bristol")

    found = CLOCKS.resumed(clock, ends, paused, now, "bristol")

    assert found.at.ToDatetime(UTC) == ends + later


def test_days_are_added_by_the_calendar_of_working_days() -> None:
    start = datetime(2026, 11, 17, 9, tzinfo=UTC)  # Tuesday; the clock ends as Friday does
    ends = CLOCKS.deadline("decide_green", start, "bristol")

    found = CLOCKS.resumed("decide_green", ends, start, start + timedelta(days=1), "bristol")

    assert found.at.ToDatetime(UTC) - ends == timedelta(days=3)  # to the end of Monday


def test_the_clock_of_the_work_begins_with_the_acceptance_and_goes_on_while_the_work_rests() -> None:
    asked = request()
    asked.work_clock = "statute"
    life = life_of(asked)
    life.now = NOON + 30 * MINUTE
    [fact] = reply(life, ACCEPTED)
    assert fact.accepted.work_by.at.ToDatetime(UTC) == NOON + 90 * MINUTE
    reply(life, PROGRESS)
    reply(life, ON_HOLD)

    assert watched(life) == {"statute": NOON + 60 * MINUTE}
    assert percents(life.run_out("statute", NOON + 90 * MINUTE)) == [50, 80, 100]
    assert watched(life) == {}
    assert life.state.legs[LEG].is_open, "a breach lies over the state and changes none"


def test_a_clock_that_the_law_counts_from_the_referral_does_so_however_late_it_is_accepted() -> None:
    asked = request()
    asked.work_clock = "from_raising"
    life = life_of(asked)
    life.now = NOON + 30 * MINUTE

    [fact] = reply(life, ACCEPTED)

    assert fact.accepted.work_by.at.ToDatetime(UTC) == NOON + HOUR
    assert fact.accepted.work_from.ToDatetime(UTC) == NOON


def test_a_recall_is_to_be_acknowledged_and_its_clock_says_where_it_is_not() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    life.say(routing_pb2.RecallRequest(leg_id=LEG, reason="mistake"), DESK)
    assert life.state.legs[LEG].acknowledge_by.clock == "recall"

    assert percents(life.run_out("recall", NOON + HOUR)) == [50, 80, 100]
    assert [each.percent for each in journey(life.document).reached] == [50, 80, 100]
    assert journey(life.document).legs[0].acknowledge_by.clock == "recall"

    reply(life, {"recall_acknowledged": partner_pb2.RecallAcknowledgedReply()})
    assert watched(life) == {}
    assert not journey(life.document).legs[0].HasField("acknowledge_by")


def test_the_partner_is_reminded_of_its_clocks_and_of_an_end_that_expires_it_is_told_once() -> None:
    life = life_of(request())
    reminders = [
        copied(life, fact)
        for percent in (30, 48, 60)
        for fact in life.run_out("soon", NOON + percent * MINUTE)
        if fact.WhichOneof("fact") in ("clock_reached", "expired")
    ]

    assert reminders == ["reminder 50", "reminder 80", None, "expiry"]


def copied(life: Life, fact: Any) -> str | None:
    """What the partner reads of a fact."""
    found = content(life.state, fact, {})
    if found is None:
        return None
    copy = found[2]
    return f"reminder {copy.reminder.percent}" if copy.HasField("reminder") else copy.WhichOneof("content")


def test_an_inbox_shows_how_far_its_clocks_came() -> None:
    life = life_of(request())
    life.run_out("soon", NOON + 50 * MINUTE)

    [item] = inbox([life.document], "council-a", 10)

    assert [(each.deadline.clock, each.percent) for each in item.reached] == [("soon", 80)]
    assert row(item)[-1].endswith(", 80% over")


def test_the_worklist_shows_how_far_its_clock_came_and_that_it_is_breached() -> None:
    life, _ = in_triage()
    ends = life.state.decide_by.at.ToDatetime(UTC)
    shown = [desk.row(work_item(life.document))[5]]
    life.run_out("decide_green", NOON + (ends - NOON) * 0.6)
    shown.append(desk.row(work_item(life.document))[5])
    life.run_out("decide_green", ends)
    shown.append(desk.row(work_item(life.document))[5])

    assert [each.rpartition(",")[2] for each in shown[1:]] == [" 50% over", " BREACHED"]
    assert "over" not in shown[0]


def test_each_clock_of_work_in_the_areas_rules_says_where_it_comes_from() -> None:
    rules = load_rules(AREA).all
    named = {leg.work_clock for rule in rules for leg in rule.leg if leg.work_clock}

    assert named == {name for name in CLOCKS.rules if name.startswith("work_")}
    assert all(CLOCKS.rules[name].source for name in named)
    assert CLOCKS.from_raising("work_child_assessment")
    assert [name for name in sorted(named) if CLOCKS.rules[name].confirmed] == [
        "work_child_assessment",
        "work_mappa_level_2",
    ]


def test_a_journey_says_of_each_of_its_clocks_where_it_comes_from_and_whether_it_was_confirmed() -> None:
    asked = request()
    asked.respond_clock, asked.work_clock = "respond_child_referral", "work_strategy_discussion"
    life = life_of(asked)
    reply(life, ACCEPTED)

    stated = {each.clock: each for each in stated_clocks(journey(life.document), CLOCKS, "bristol")}

    assert set(stated) == {"respond_child_referral", "work_strategy_discussion", "review"}
    assert stated["respond_child_referral"].confirmed
    assert not stated["work_strategy_discussion"].confirmed
    assert "one council" in stated["work_strategy_discussion"].unconfirmed_reason
    assert all(each.words and each.source for each in stated.values())


def test_a_rule_that_nobody_confirmed_says_why_wherever_it_is_kept() -> None:
    for rule in load_rules(AREA).all:
        kept = rule.as_fired()
        assert bool(kept.unconfirmed_reason) != kept.confirmed
