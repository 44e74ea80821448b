"""What a raiser tells after the desk has decided reaches somebody: nobody's second call for help is only filed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2, routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ADULT_AT_RISK,
    CONCERN_KIND_DOMESTIC_ABUSE,
    FIELD_GROUP_NARRATIVE,
    GRADE_AMBER,
    GRADE_RED,
    SERVICE_KIND_POLICE_RESPONSE,
    ClockReached,
    Deadline,
)
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Amended, IntakeFact
from safeguarding.v1.partner_pb2 import AUDIENCE_VICTIM
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.cli.desk import row
from services.lifecycle import Referral
from services.triage.api import item
from services.triage.area import Area
from services.triage.domain import TriageDecider
from tests.unit.domains import DESK, NOON, Life, kinds_of, raised, sealed

AREA = Area(Path(__file__).parents[3] / "deploy/areas/avon-and-somerset")
NOTE = sealed(FIELD_GROUP_NARRATIVE, version=2)
GRAVER = Signs(dash_score=16)
"""Of domestic abuse: RED, for the unit that was asked already."""


def abuse(*, closed: bool = False) -> Life:
    """Domestic abuse at DASH 3: AMBER, and the police unit and a service for her were asked by rule."""
    life = Life(TriageDecider(), AREA)
    life.hear("intake", raised([CONCERN_KIND_DOMESTIC_ABUSE], Signs(dash_score=3, consents_to_support=True)))
    if closed:
        life.hear("partner-routing", RoutingFact(closed=routing_pb2.Closed(legs=2)))
    assert life.state.where is (Referral.CLOSED if closed else Referral.ROUTED)
    assert not waits(life)
    return life


def waits(life: Life) -> bool:
    """Whether it lies on the worklist."""
    return bool(life.decider.view(life.state)["waiting"])


def tell(life: Life, signs: Signs | None = None) -> list[Any]:
    """The raiser tells more, whether or not they were asked."""
    told = intake_pb2.InformationSupplied(information=NOTE, signs=signs)
    return life.hear("intake", IntakeFact(information_supplied=told))


@pytest.mark.parametrize("closed", [False, True], ids=["partners work on it", "closed"])
def test_graver_news_for_partners_that_were_asked_already_lies_with_the_desk_by_the_new_grades_clock(
    closed: bool,
) -> None:
    life = abuse(closed=closed)

    facts = tell(life, GRAVER)

    assert kinds_of(facts) == ["graded", "brought_to_desk"]
    assert facts[1].brought_to_desk.reason == triage_pb2.LOOK_AGAIN_REASON_GRAVER
    assert facts[1].brought_to_desk.decide_by.clock == "decide_red"
    assert waits(life)
    assert [clock["name"] for clock in life.decider.view(life.state)["clocks"]] == ["decide_red"]
    assert row(item(life.document))[-1] == "the desk, to look again: it is graver than when it was decided"


def test_graver_news_for_which_a_rule_asks_somebody_further_goes_there_at_once() -> None:
    life = abuse()

    facts = tell(life, Signs(immediate_danger=True))

    assert kinds_of(facts) == ["graded", "routed"]
    assert [leg.service for leg in facts[1].routed.legs] == [SERVICE_KIND_POLICE_RESPONSE]
    assert not waits(life)


def no_further_action() -> Life:
    """The desk saw no need to act on it."""
    life = Life(TriageDecider(), AREA)
    life.hear("intake", raised([CONCERN_KIND_ADULT_AT_RISK]))
    life.say(triage_pb2.TakeNoFurtherActionRequest(reason=1), DESK, NOTE)  # type: ignore[arg-type]
    return life


def test_new_harm_after_no_further_action_is_graded_and_lies_with_the_desk() -> None:
    life = no_further_action()
    assert life.state.where is Referral.NO_FURTHER_ACTION

    facts = tell(life, Signs(weapon=True))

    assert kinds_of(facts) == ["graded", "brought_to_desk"]
    assert life.state.grade == GRADE_AMBER
    assert waits(life)
    assert kinds_of(tell(life, Signs(weapon=True))) == [], "the same again moves no clock"
    assert kinds_of(tell(life, Signs(immediate_danger=True))) == ["graded", "brought_to_desk"]
    assert life.state.grade == GRADE_RED


@pytest.mark.parametrize("closed", [False, True], ids=["partners work on it", "closed"])
def test_words_that_nobody_asked_for_are_read_by_the_desk(closed: bool) -> None:
    life = abuse(closed=closed)

    [brought] = tell(life)

    assert brought.brought_to_desk.reason == triage_pb2.LOOK_AGAIN_REASON_TOLD_MORE
    assert brought.brought_to_desk.decide_by.clock == "decide_amber"
    assert tell(life) == [], "it lies there already, and its clock goes on"


def test_so_are_the_answer_to_the_desks_own_question_an_amendment_and_a_withdrawal() -> None:
    life = abuse()
    life.say(triage_pb2.RequestInformationRequest(question="where is she?"), DESK, NOTE)
    assert not waits(life)
    assert kinds_of(tell(life)) == ["brought_to_desk"]

    assert kinds_of(abuse().hear("intake", IntakeFact(amended=Amended(parts=[NOTE])))) == ["brought_to_desk"]

    [brought] = abuse().hear("intake", IntakeFact(withdrawn=intake_pb2.Withdrawn(reason=1)))  # type: ignore[arg-type]
    assert brought.brought_to_desk.reason == triage_pb2.LOOK_AGAIN_REASON_WITHDRAWN


def test_the_answer_to_a_partners_question_is_the_partners_and_what_follows_it_is_the_desks() -> None:
    life = abuse()
    asked = routing_pb2.InformationAsked(leg_id="leg", question=NOTE)
    life.hear("partner-routing", RoutingFact(information_asked=asked))

    assert tell(life) == []
    assert kinds_of(tell(life)) == ["brought_to_desk"]


def test_what_the_desk_has_looked_at_leaves_the_worklist() -> None:
    life = abuse(closed=True)
    tell(life)

    life.say(triage_pb2.RecordThriveRequest(thrive=triage_pb2.Thrive(threat="as before")), DESK, NOTE)

    assert not waits(life)
    assert life.decider.view(life.state)["clocks"] == []


def test_what_waits_for_the_desk_anyway_is_brought_to_nobody_twice() -> None:
    life = Life(TriageDecider(), AREA)
    life.hear("intake", raised([CONCERN_KIND_ADULT_AT_RISK]))
    assert life.state.where is Referral.IN_TRIAGE

    assert tell(life) == []


def reached(name: str, percent: int, leg_id: str = "") -> RoutingFact:
    """Routing tells how far a clock of its own came."""
    deadline = Deadline(clock=name)
    deadline.at.FromDatetime(NOON)
    told = ClockReached(deadline=deadline, percent=percent, leg_id=leg_id)
    return RoutingFact(clock_reached=told)


TOLD = routing_pb2.OutcomeTold(audience=AUDIENCE_VICTIM)


def test_the_desk_is_told_how_far_a_clock_came_that_is_its_own_to_mind_until_it_is_done() -> None:
    life = abuse()
    before = life.now

    assert kinds_of(life.hear("partner-routing", reached("tell", 50))) == ["brought_to_desk"]
    assert row(item(life.document))[-1].startswith("the desk, to look again: a clock came far (tell ")
    assert row(item(life.document))[-1].endswith("50%)")
    life.now = before + timedelta(hours=3)
    life.hear("partner-routing", reached("tell", 80))
    shown = item(life.document)
    assert (shown.clock.percent, shown.decide_by.clock) == (80, "decide_amber")
    assert life.state.decide_from == before, "the later warning gives no more time"

    life.hear("partner-routing", RoutingFact(outcome_told=TOLD))
    assert not waits(life)
    assert life.decider.view(life.state)["clocks"] == []


def test_a_partners_own_clock_is_the_partners_but_for_a_recall_that_it_never_acknowledged() -> None:
    life = abuse()

    assert life.hear("partner-routing", reached("review", 100, "leg")) == []
    assert life.hear("partner-routing", reached("recall", 80, "leg")) == []
    assert kinds_of(life.hear("partner-routing", reached("recall", 100, "leg"))) == ["brought_to_desk"]


def test_what_follows_a_closing_is_brought_once_it_is_over() -> None:
    life = abuse(closed=True)

    assert life.hear("partner-routing", reached("stage_retention_review", 50)) == []
    assert kinds_of(life.hear("partner-routing", reached("stage_retention_review", 100))) == ["brought_to_desk"]


def test_what_the_raiser_told_stays_when_the_clock_beside_it_is_done() -> None:
    life = abuse()
    life.hear("partner-routing", reached("tell", 50))

    assert kinds_of(tell(life)) == ["brought_to_desk"]
    life.hear("partner-routing", RoutingFact(outcome_told=TOLD))

    assert waits(life)


def test_it_does_not_matter_when_triage_hears_what_was_done() -> None:
    life = abuse()
    life.hear("partner-routing", reached("tell", 50))
    life.hear("partner-routing", RoutingFact(outcome_told=TOLD))

    folded = life.decider.initial()
    for writer in ("partner-routing", "triage", "intake"):
        for raw in life.document.facts[writer]:
            kind = TriageFact if writer == "triage" else life.decider.upstream_types[writer]
            folded = life.decider.evolve(folded, writer, kind.FromString(raw))
    assert folded.looks_again_for == life.state.looks_again_for == 0


def test_the_desk_sees_that_a_concern_on_its_worklist_was_taken_back() -> None:
    life = Life(TriageDecider(), AREA)
    life.hear("intake", raised([CONCERN_KIND_ADULT_AT_RISK]))
    assert not item(life.document).withdrawn

    life.hear("intake", IntakeFact(withdrawn=intake_pb2.Withdrawn(reason=1)))  # type: ignore[arg-type]

    assert item(life.document).withdrawn
    assert row(item(life.document))[-1] == "the desk; the raiser took it back"
