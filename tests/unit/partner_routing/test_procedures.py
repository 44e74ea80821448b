"""A stage of a procedure begins the clocks for what must follow it, and ends those for what led to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from safeguarding.v1 import procedure_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import SERVICE_KIND_HOUSING, Actor
from safeguarding.v1.procedure_pb2 import (
    STAGE_CORE_GROUP,
    STAGE_INITIAL_CONFERENCE,
    STAGE_PLAN_ENDED,
    STAGE_STRATEGY_DISCUSSION,
)
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Refused, Why
from services.partner_routing.copies import content
from services.partner_routing.views import inbox, journey
from tests.unit.domains import DESK, NOON, REFERRAL, SUPERVISOR, Life, kinds_of
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FULL,
    HOUR,
    LEG,
    OTHER_LEG,
    SUPPORTED,
    life_of,
    read_outcome,
    reply,
    request,
)

COUNCIL = Actor(role=ROLE_PARTNER, id="council-a")
HOMES = Actor(role=ROLE_PARTNER, id="homes")


def reached(
    life: Life, stage: Any = STAGE_STRATEGY_DISCUSSION, actor: Actor = DESK, leg: str = "", at: datetime | None = None
) -> list[Any]:
    body = procedure_pb2.RecordStageRequest(referral_id=REFERRAL, stage=stage, leg_id=leg)
    if at is not None:
        body.happened_at.FromDatetime(at)
    return life.say(body, actor)


def watched(life: Life) -> dict[str, datetime]:
    return {clock["name"]: clock["at"] for clock in life.decider.view(life.state)["clocks"]}


def test_a_stage_begins_what_must_follow_and_the_next_ends_it() -> None:
    life = life_of(request())

    [fact] = reached(life)
    assert [(each.clock, each.at.ToDatetime(UTC)) for each in fact.stage_reached.started] == [
        ("conference", NOON + HOUR)
    ]
    assert watched(life)["conference"] == NOON + HOUR / 2

    [fact] = reached(life, STAGE_INITIAL_CONFERENCE)
    assert list(fact.stage_reached.stopped_clocks) == ["conference"]
    assert {"core_group", "plan_review"} <= set(watched(life))
    assert "conference" not in watched(life)

    reached(life, STAGE_CORE_GROUP)
    assert "core_group" not in watched(life)
    [fact] = reached(life, STAGE_PLAN_ENDED)
    assert list(fact.stage_reached.stopped_clocks) == ["plan_review"], "what does not run is not stopped"


def test_it_counts_from_when_it_happened_and_not_from_when_it_was_recorded() -> None:
    life = life_of(request())
    life.now = NOON + 40 * timedelta(minutes=1)

    [fact] = reached(life, at=NOON + 10 * timedelta(minutes=1))

    [until] = fact.stage_reached.started
    assert until.at.ToDatetime(UTC) == NOON + HOUR + 10 * timedelta(minutes=1)
    assert journey(life.document).stages[0].happened_at.ToDatetime(UTC) == NOON + 10 * timedelta(minutes=1)


@pytest.mark.parametrize("at", [NOON - HOUR, NOON + HOUR], ids=["before it was raised", "to come"])
def test_a_time_at_which_it_cannot_have_been_is_refused(at: datetime) -> None:
    life = life_of(request())

    with pytest.raises(Refused) as refused:
        reached(life, at=at)

    assert (refused.value.why, refused.value.field) == (Why.INVALID, "happened_at")


def test_what_must_follow_is_warned_of_and_breached_and_its_partner_is_told() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    reached(life, actor=COUNCIL, leg=LEG)
    before = life.state

    facts = life.run_out("conference", NOON + HOUR)

    assert [fact.clock_reached.percent for fact in facts] == [50, 80, 100]
    told = [content(before, fact, {}) for fact in facts]
    assert [(partner, leg, copy.reminder.percent) for partner, leg, copy in filter(None, told)] == [
        ("council-a", LEG, 50),
        ("council-a", LEG, 80),
        ("council-a", LEG, 100),
    ]
    assert life.state.legs[LEG].is_open, "a breach lies over the state and changes none"
    [item] = inbox([life.document], "council-a", 10)
    assert [(each.deadline.clock, each.percent) for each in item.reached] == [("conference", 100)]
    assert life.run_out("conference", NOON + 2 * HOUR) == []


def test_a_breach_never_expires_a_leg_that_still_waits_for_its_answer() -> None:
    life = life_of(request())
    reached(life, leg=LEG)

    facts = life.run_out("conference", NOON + HOUR)

    assert set(kinds_of(facts)) == {"clock_reached"}
    assert life.state.legs[LEG].is_open


def test_the_clock_outlives_the_referral_s_closing_and_not_its_entry_in_error() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    reached(life)
    reply(life, SUPPORTED)
    read_outcome(life)
    assert life.state.closed
    assert "conference" in watched(life)
    assert kinds_of(reached(life, STAGE_INITIAL_CONFERENCE)) == ["stage_reached"]

    life.hear("triage", TriageFact(entered_in_error=triage_pb2.EnteredInError()), SUPERVISOR)

    assert watched(life) == {}
    with pytest.raises(Refused) as refused:
        reached(life, STAGE_CORE_GROUP)
    assert refused.value.why is Why.UNKNOWN


def test_a_partner_speaks_for_the_leg_that_it_took_on_and_for_no_other() -> None:
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))
    for actor, leg in ((HOMES, LEG), (COUNCIL, ""), (COUNCIL, OTHER_LEG)):
        with pytest.raises(Refused) as refused:
            reached(life, actor=actor, leg=leg)
        assert refused.value.why is Why.UNKNOWN

    with pytest.raises(Refused) as refused:
        reached(life, actor=COUNCIL, leg=LEG)
    assert refused.value.why is Why.ILLEGAL, "it was not taken on"
    reply(life, ACCEPTED)
    assert kinds_of(reached(life, actor=COUNCIL, leg=LEG)) == ["stage_reached"]


def test_the_desk_gives_what_follows_to_no_leg_that_has_ended() -> None:
    life = life_of(request())
    reply(life, FULL)

    for leg, why in ((LEG, Why.ILLEGAL), (OTHER_LEG, Why.UNKNOWN)):
        with pytest.raises(Refused) as refused:
            reached(life, leg=leg)
        assert refused.value.why is why


def test_the_journey_shows_each_stage_and_what_must_follow() -> None:
    life = life_of(request())
    reached(life)

    found = journey(life.document)

    assert [(each.stage, each.leg_id) for each in found.stages] == [(STAGE_STRATEGY_DISCUSSION, "")]
    assert "conference" in {clock.clock for clock in found.clocks}
    assert "stage_reached" in {step.kind for step in found.steps}
