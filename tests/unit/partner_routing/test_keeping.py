"""The record of a closed referral is looked at again in time, and what goes on is kept without a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import procedure_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER, ROLE_PROTECTION
from safeguarding.v1.common_pb2 import CONCERN_KIND_CHILD_AT_RISK, FIELD_GROUP_NARRATIVE, Actor
from safeguarding.v1.procedure_pb2 import STAGE_CLOSED, STAGE_RETENTION_REVIEWED, STAGE_STRATEGY_DISCUSSION
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Refused, Why
from services.partner_routing.area import load_stated, snapshot
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.views import journey
from tests.unit.domains import DESK, REFERRAL, SUPERVISOR, Life, raised, sealed
from tests.unit.partner_routing.life import read_outcome

RECORDS = Actor(role=ROLE_PROTECTION, id="records-1")
AREA = snapshot((), load_stated(Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"))
SIX_YEARS_ON = datetime(2032, 11, 21, tzinfo=UTC)
"""The midnight after the day six years after the closing."""
REVIEW, AGAIN = "stage_retention_review", "stage_retention_review_again"


def closed_life() -> Life:
    """Raised, looked at, and told that nothing more is done."""
    life = Life(RoutingDecider(), AREA)
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK]))
    nothing = triage_pb2.NoFurtherActionTaken(reason=triage_pb2.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD)
    life.hear("triage", TriageFact(no_further_action=nothing), DESK)
    read_outcome(life)
    assert life.state.closed
    return life


def reviewed(life: Life, actor: Actor = RECORDS, stage: Any = STAGE_RETENTION_REVIEWED) -> list[Any]:
    return life.say(procedure_pb2.RecordStageRequest(referral_id=REFERRAL, stage=stage), actor)


def running(life: Life) -> dict[str, datetime]:
    return {clock.clock: clock.at.ToDatetime(UTC) for clock in journey(life.document).clocks}


def test_closing_begins_the_clock_for_looking_at_the_record_again() -> None:
    life = closed_life()

    assert running(life) == {REVIEW: SIX_YEARS_ON}
    [clock] = journey(life.document).clocks
    assert "which group a referral belongs to is local" in clock.unconfirmed_reason


def test_somebody_is_warned_and_told_in_time_and_a_breach_closes_nothing() -> None:
    life = closed_life()

    facts = life.run_out(REVIEW, SIX_YEARS_ON)

    assert [fact.clock_reached.percent for fact in facts] == [50, 80, 100]
    assert life.state.closed


def test_what_was_looked_at_and_kept_is_looked_at_again_after_ten_years() -> None:
    life = closed_life()
    life.now = SIX_YEARS_ON - timedelta(days=30)

    [fact] = reviewed(life)

    assert list(fact.stage_reached.stopped_clocks) == [REVIEW]
    assert running(life) == {AGAIN: datetime(2042, 10, 22, 23, tzinfo=UTC)}, "to the end of the day, in summer time"
    life.now += timedelta(days=3650)
    reviewed(life)
    assert list(running(life)) == [AGAIN]


@pytest.mark.parametrize("times_reviewed", [0, 1])
def test_a_referral_that_is_opened_again_is_kept_without_a_question_until_it_is_closed_again(
    times_reviewed: int,
) -> None:
    life = closed_life()
    for _ in range(times_reviewed):
        reviewed(life)
    note = sealed(FIELD_GROUP_NARRATIVE)
    life.hear("triage", TriageFact(reopened=triage_pb2.Reopened(note=note)), SUPERVISOR)
    assert running(life) == {}

    nothing = triage_pb2.NoFurtherActionTaken(reason=triage_pb2.NO_FURTHER_ACTION_REASON_DUPLICATE)
    life.hear("triage", TriageFact(no_further_action=nothing), DESK)
    read_outcome(life)

    assert list(running(life)) == [REVIEW]


def test_another_procedures_clock_goes_on_when_a_referral_is_opened_again() -> None:
    life = closed_life()
    reviewed(life, DESK, STAGE_STRATEGY_DISCUSSION)

    life.hear("triage", TriageFact(reopened=triage_pb2.Reopened(note=sealed(FIELD_GROUP_NARRATIVE))), SUPERVISOR)

    assert list(running(life)) == ["stage_initial_conference"]


def test_what_is_worked_on_is_not_reviewed() -> None:
    life = Life(RoutingDecider(), AREA)
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK]))

    with pytest.raises(Refused, match="is not closed") as refused:
        reviewed(life)
    assert refused.value.why is Why.ILLEGAL


def test_nobody_records_that_a_referral_was_closed() -> None:
    with pytest.raises(Refused) as refused:
        reviewed(closed_life(), DESK, STAGE_CLOSED)
    assert refused.value.why is Why.INVALID


def test_a_partner_does_not_decide_what_is_kept() -> None:
    with pytest.raises(Refused) as refused:
        reviewed(closed_life(), Actor(role=ROLE_PARTNER, id="council-a"))
    assert refused.value.why is Why.UNKNOWN
