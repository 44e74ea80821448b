"""Figures count what the facts say, each referral where it belongs, and show no small number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from safeguarding.v1 import routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import CONCERN_KIND_CHILD_AT_RISK, GRADE_AMBER, SUBJECT_ROLE_CHILD, Deadline
from safeguarding.v1.insight_pb2 import Figure, GetFigureResponse
from safeguarding.v1.partner_pb2 import AUDIENCE_RAISER, NOT_TOLD_REASON_UNSAFE
from safeguarding.v1.triage_pb2 import SAMENESS_HOUSEHOLD, SAMENESS_PERSON, TriageFact
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.domain.counting import counted
from services.partner_routing.figures import own_service, plan
from services.quarters import quarter
from services.tables import figure_of
from tests.unit.domains import DESK, NOON, Life, raised
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FULL,
    HOUR,
    LEG,
    OTHER_LEG,
    SUPPORTED,
    Area,
    life_of,
    read_outcome,
    reply,
    request,
    routed,
    told,
)
from tests.unit.partner_routing.test_conferences import called, decision, held, two_legs
from tests.unit.partner_routing.test_conferences import done as finish

AREAS = ["bristol", "somerset"]


def figure(which: Any, *lives: dict[str, Any], times: int = 10) -> GetFigureResponse:
    """The figure of so many lives like each of these."""
    return figure_of(plan(which, AREAS), [each for each in lives for _ in range(times)])


def shown(found: GetFigureResponse) -> dict[str, dict[str, int]]:
    """What is not masked and not nought."""
    return {
        row.name: cells
        for row in found.rows
        if (cells := {c: cell.count for c, cell in zip(found.columns, row.cells, strict=True) if cell.count})
    }


def view(life: Life) -> dict[str, Any]:
    found: dict[str, Any] = life.decider.view(life.state)["counted"]
    return found


def test_a_referral_is_counted_where_it_was_raised_by_whom_and_under_its_grade() -> None:
    life = Life(RoutingDecider(), Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD]))
    life.hear("triage", TriageFact(graded=triage_pb2.Graded(grade=GRADE_AMBER)), DESK)

    assert shown(figure(Figure.FIGURE_REACH, view(life))) == {"bristol": {"officer": 10}}
    assert shown(figure(Figure.FIGURE_GRADES, view(life))) == {"bristol": {"amber": 10}}
    assert shown(figure(Figure.FIGURE_DECISIONS, view(life))) == {"amber": {"waiting": 10}}


def decided(after: timedelta) -> dict[str, Any]:
    """A referral that was to be decided within the hour."""
    life = Life(RoutingDecider(), Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD]))
    decide_by = Deadline(clock="decide_amber")
    decide_by.at.FromDatetime(NOON + HOUR)
    life.hear("triage", TriageFact(graded=triage_pb2.Graded(grade=GRADE_AMBER, decide_by=decide_by)), DESK)
    life.now = NOON + after
    life.hear("triage", routed(request()), DESK)
    return view(life)


def test_a_decision_is_in_time_or_late_and_the_median_says_how_long_it_took() -> None:
    found = figure(Figure.FIGURE_DECISIONS, decided(HOUR / 2), decided(HOUR), decided(2 * HOUR))

    assert shown(found) == {"amber": {"in_time": 20, "late": 10}}
    [amber] = [row for row in found.rows if row.name == "amber"]
    assert amber.median_seconds == 3600


def test_answers_declines_and_outcomes_are_counted_by_the_kind_of_service() -> None:
    declined, done = life_of(request()), life_of(request())
    declined.now = done.now = NOON + timedelta(minutes=10)
    reply(declined, FULL)
    reply(done, ACCEPTED)
    reply(done, SUPPORTED)

    found = figure(Figure.FIGURE_ANSWERS, view(declined), view(done))
    assert shown(found) == {"childrens_social_care": {"in_time": 20, "waiting": 10}}
    assert shown(figure(Figure.FIGURE_DECLINES, view(declined))) == {"childrens_social_care": {"no_capacity": 10}}
    assert shown(figure(Figure.FIGURE_OUTCOMES, view(done))) == {"childrens_social_care": {"supported": 10}}


def test_silence_and_recalls_are_answers_of_their_own() -> None:
    silent, recalled = life_of(request()), life_of(request())
    silent.run_out("soon", NOON + HOUR)
    recalled.say(routing_pb2.RecallRequest(leg_id=LEG, reason="mistake"), DESK)

    found = shown(figure(Figure.FIGURE_ANSWERS, view(silent), view(recalled)))
    assert found == {"childrens_social_care": {"expired": 10, "recalled": 10, "waiting": 10}}, "the lead is asked too"


def test_a_person_who_comes_again_is_a_repeat_unless_somebody_rejected_the_link() -> None:
    first, again, rejected, neighbour = (life_of(request()) for _ in range(4))
    other = "00000000-0000-4000-8000-000000000001"
    same = triage_pb2.Linked(other_referral_id=other, by="number", score=90, same=[SAMENESS_PERSON])
    home = triage_pb2.Linked(other_referral_id=other, by="address", score=50, same=[SAMENESS_HOUSEHOLD])
    for life, linked in ((again, same), (rejected, same), (neighbour, home)):
        life.hear("triage", TriageFact(linked=linked), DESK)
    rejected.hear("triage", TriageFact(link_rejected=triage_pb2.LinkRejected(other_referral_id=other)), DESK)

    assert [view(life)["repeat"] for life in (first, again, rejected, neighbour)] == [False, True, False, False]
    found = figure(Figure.FIGURE_REPEATS, view(first), view(again))
    assert shown(found) == {"child_at_risk": {"first": 10, "repeat": 10}}


def test_who_was_told_and_who_was_not_is_counted_once_there_is_an_outcome() -> None:
    waiting, read, unsafe = (life_of(request()) for _ in range(3))
    for life in (waiting, read, unsafe):
        assert not view(life)["outcome"]
        reply(life, ACCEPTED)
        reply(life, SUPPORTED)
    read_outcome(read)
    reply(unsafe, told(AUDIENCE_RAISER, NOT_TOLD_REASON_UNSAFE))

    found = shown(figure(Figure.FIGURE_TELLING, view(waiting), view(read), view(unsafe)))
    assert found == {"raiser": {"waiting": 10, "in_time": 10, "not_told": 10}}


def test_conferences_are_counted_by_the_meeting_and_what_they_decided_by_whether_it_was_done_in_time() -> None:
    waiting, met = two_legs(), two_legs()
    called(waiting)
    conference = called(met)
    met.now = NOON + HOUR
    soon = NOON + 2 * HOUR
    held(met, conference, [decision(by=soon), decision(OTHER_LEG, by=soon), decision(by=soon), decision("")])
    finish(met, conference, 1)
    met.run_out("conference_action", soon)
    finish(met, conference, 2)

    found = shown(figure(Figure.FIGURE_CONFERENCES, view(waiting), view(met)))
    assert found == {"initial_conference": {"called": 10, "held": 10}}
    found = shown(figure(Figure.FIGURE_CONFERENCE_DECISIONS, view(waiting), view(met)))
    assert found == {"initial_conference": {"in_time": 10, "late": 10, "overdue": 10, "waiting": 10}}


def test_what_was_entered_in_error_counts_nowhere() -> None:
    life = life_of(request())
    note = triage_pb2.EnteredInError()
    life.hear("triage", TriageFact(entered_in_error=note), DESK)

    assert view(life) == {}
    assert counted(Life(RoutingDecider(), Area()).state) == {}


@pytest.mark.parametrize(
    ("at", "named"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-Q4"),
        (datetime(2026, 6, 30, 22, 59, tzinfo=UTC), "2026-Q2"),
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), "2026-Q3"),  # midnight in summer time
    ],
)
def test_a_quarter_is_the_calendars_in_england(at: datetime, named: str) -> None:
    assert quarter(at) == named


@pytest.mark.parametrize("which", [number for number in Figure.values() if number])
def test_every_figure_has_all_its_rows_and_masks_small_numbers(which: int) -> None:
    done = life_of(request())
    reply(done, ACCEPTED)
    reply(done, SUPPORTED)
    for times in (1, 4):
        found = figure(which, view(done), times=times)
        assert [row.name for row in found.rows] == list(plan(which, AREAS).rows)
        assert not shown(found)
        assert not [row for row in found.rows if row.total.count or row.HasField("median_seconds")]
        assert found.total.masked or found.total.count == 0


def test_a_partner_sees_its_own_legs_and_nobody_elses() -> None:
    declined, done = life_of(request()), life_of(request())
    for life in (declined, done):
        life.now = NOON + timedelta(minutes=10)
    reply(declined, FULL)
    reply(done, ACCEPTED)
    reply(done, SUPPORTED)

    own = own_service("council-a", [view(declined), view(done)])
    assert (own.offered, own.in_time, own.late, own.declined, own.completed, own.open) == (2, 2, 0, 1, 1, 0)
    assert own.median_seconds == 600
    next_one = own_service("council-b", [view(declined), view(done)])
    assert (next_one.offered, next_one.open) == (1, 1)
    assert not next_one.HasField("median_seconds")
    assert own_service("homes", [view(done)]).offered == 0
