"""What triage decides: by rule when a concern comes, and by command of the desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2, triage_pb2
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ADULT_AT_RISK,
    CONCERN_KIND_DOMESTIC_ABUSE,
    FIELD_GROUP_NARRATIVE,
    GRADE_AMBER,
    GRADE_GREEN,
    GRADE_RED,
    LAWFUL_BASIS_CONSENT,
    LAWFUL_BASIS_PUBLIC_TASK,
    SERVICE_KIND_HOUSING,
    SERVICE_KIND_POLICE_RESPONSE,
    SERVICE_KIND_VICTIM_SUPPORT,
)
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Refused, Why
from services.frozen import replace
from services.triage.area import Area
from services.triage.domain import TriageDecider
from services.triage.domain.desk import MOST_SAID
from tests.unit.domains import DESK, OFFICER, SUPERVISOR, Life, kinds_of, raised, sealed

AREA = Area(Path(__file__).parents[3] / "deploy/areas/avon-and-somerset")
NFA = triage_pb2.TakeNoFurtherActionRequest(reason=triage_pb2.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD)


def life_of(signs: Signs | None = None, kinds: Any = (CONCERN_KIND_ADULT_AT_RISK,)) -> tuple[Life, list[Any]]:
    """A referral that triage has just heard of, and what it decided."""
    life = Life(TriageDecider(), AREA)
    return life, life.hear("intake", raised(list(kinds), signs))


def supplied(signs: Signs | None = None) -> IntakeFact:
    """The raiser answers."""
    information = sealed(FIELD_GROUP_NARRATIVE, version=2)
    return IntakeFact(information_supplied=intake_pb2.InformationSupplied(information=information, signs=signs))


def override(grade: Any, reason: str = "") -> triage_pb2.OverrideGradeRequest:
    """The desk's judgement."""
    return triage_pb2.OverrideGradeRequest(grade=grade, reason=reason)


def desk_leg(service: Any = SERVICE_KIND_HOUSING) -> triage_pb2.RouteRequest:
    """The desk routes."""
    leg = triage_pb2.DeskLeg(service=service, purpose="housing", basis=LAWFUL_BASIS_PUBLIC_TASK, necessity="needs_home")
    return triage_pb2.RouteRequest(legs=[leg])


def test_danger_now_is_red_and_routed_at_once_with_the_rules_that_fired() -> None:
    """Nobody waits for a desk."""
    _, facts = life_of(Signs(immediate_danger=True))

    assert kinds_of(facts) == ["graded", "routed"]
    assert facts[0].graded.grade == GRADE_RED
    assert "immediate_danger" in [rule.rule_id for rule in facts[0].graded.fired]
    assert all(rule.words and rule.source for rule in facts[0].graded.fired)
    assert facts[0].graded.decide_by.clock == "decide_red"
    assert SERVICE_KIND_POLICE_RESPONSE in [leg.service for leg in facts[1].routed.legs]
    assert all(leg.basis and leg.purpose and leg.necessity for leg in facts[1].routed.legs)
    assert facts[1].routed.intake_sequence == 1


def test_what_no_rule_routes_waits_for_the_desk() -> None:
    """It is on the worklist, with the time by which it must be decided."""
    life, facts = life_of()

    assert kinds_of(facts) == ["graded"]
    view = life.decider.view(life.state)
    assert view["waiting"]
    assert view["decide_by"] is not None


def test_new_harm_raises_the_grade_and_asks_for_the_partners_that_are_new() -> None:
    """What was asked already is not asked again: what is told then is for the desk to read."""
    life, _ = life_of()

    facts = life.hear("intake", supplied(Signs(immediate_danger=True)))
    again = life.hear("intake", supplied(Signs(immediate_danger=True)))

    assert kinds_of(facts) == ["graded", "routed"]
    assert life.state.grade == GRADE_RED
    assert kinds_of(again) == ["brought_to_desk"]


def test_what_is_learned_never_lowers_a_grade_that_a_person_set() -> None:
    """Judgement raised it; a rule does not take it back."""
    life, _ = life_of()
    life.say(override(GRADE_RED), DESK)

    assert life.hear("intake", supplied()) == []
    assert life.state.grade == GRADE_RED


@pytest.mark.parametrize(
    ("grade", "reason", "actor", "why"),
    [
        (GRADE_AMBER, "", SUPERVISOR, Why.INVALID),
        (GRADE_AMBER, "calm on the phone", DESK, Why.FORBIDDEN),
        (GRADE_RED, "", DESK, Why.ILLEGAL),
    ],
    ids=["lower without a reason", "lower from RED by the desk", "the grade that it has"],
)
def test_an_override_that_may_not_be_is_refused(grade: Any, reason: str, actor: Any, why: Why) -> None:
    """And nothing changes."""
    life, _ = life_of(Signs(immediate_danger=True))

    with pytest.raises(Refused) as refused:
        life.say(override(grade, reason), actor, sealed(FIELD_GROUP_NARRATIVE))

    assert refused.value.why is why
    assert life.state.grade == GRADE_RED


def test_a_supervisor_lowers_a_red_grade_with_a_reason() -> None:
    """Sealed, since it may be personal."""
    life, _ = life_of(Signs(immediate_danger=True))

    [fact] = life.say(override(GRADE_AMBER, "stood down"), SUPERVISOR, sealed(FIELD_GROUP_NARRATIVE))

    assert (fact.graded.grade, fact.graded.overridden) == (GRADE_AMBER, True)
    assert fact.graded.HasField("reason")


def test_judgement_never_lowers_a_dash_of_fourteen() -> None:
    """Not even a supervisor's."""
    life, _ = life_of(Signs(dash_score=14), [CONCERN_KIND_DOMESTIC_ABUSE])

    with pytest.raises(Refused) as refused:
        life.say(override(GRADE_GREEN, "says it is fine"), SUPERVISOR, sealed(FIELD_GROUP_NARRATIVE))

    assert refused.value.why is Why.ILLEGAL


def test_one_question_is_open_at_a_time_until_the_raiser_answers() -> None:
    """The next one waits for the answer."""
    life, _ = life_of()
    ask = triage_pb2.RequestInformationRequest(question="which flat?")
    life.say(ask, DESK, sealed(FIELD_GROUP_NARRATIVE))
    assert life.state.answer_by.clock == "answer"

    with pytest.raises(Refused) as refused:
        life.say(ask, DESK, sealed(FIELD_GROUP_NARRATIVE))
    assert refused.value.why is Why.ILLEGAL
    assert "Route" in refused.value.legal

    life.hear("intake", supplied())
    assert kinds_of(life.say(ask, DESK, sealed(FIELD_GROUP_NARRATIVE))) == ["information_requested"]


def test_no_further_action_ends_triage() -> None:
    """With a reason; commands after it are refused."""
    life, _ = life_of()

    [fact] = life.say(NFA, DESK)

    assert fact.no_further_action.reason == triage_pb2.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD
    with pytest.raises(Refused) as refused:
        life.say(desk_leg(), DESK)
    assert refused.value.why is Why.ILLEGAL


def test_no_further_action_on_red_needs_a_supervisor_and_is_no_move_once_partners_were_asked() -> None:
    """Partners who were asked are recalled, or finish."""
    red, _ = life_of()
    red.say(override(GRADE_RED), DESK)
    with pytest.raises(Refused) as refused:
        red.say(NFA, DESK)
    assert refused.value.why is Why.FORBIDDEN
    assert kinds_of(red.say(NFA, SUPERVISOR)) == ["no_further_action"]

    routed, _ = life_of(Signs(immediate_danger=True))
    with pytest.raises(Refused) as refused:
        routed.say(NFA, SUPERVISOR)
    assert refused.value.why is Why.ILLEGAL


def test_the_desk_routes_by_judgement_and_no_kind_of_partner_twice() -> None:
    """Each leg with its lawful basis."""
    life, _ = life_of()

    [fact] = life.say(desk_leg(), DESK)

    assert [leg.service for leg in fact.routed.legs] == [SERVICE_KIND_HOUSING]
    assert fact.routed.legs[0].respond_clock == "respond_green"
    with pytest.raises(Refused):
        life.say(desk_leg(), DESK)


def test_a_command_on_what_triage_has_not_heard_of_names_nothing() -> None:
    """Absent."""
    with pytest.raises(Refused) as refused:
        Life(TriageDecider(), AREA).say(NFA, OFFICER)

    assert refused.value.why is Why.UNKNOWN


def test_a_withdrawn_concern_is_not_assessed_again() -> None:
    """The desk decides what comes of it."""
    life, _ = life_of()
    life.hear("intake", IntakeFact(withdrawn=intake_pb2.Withdrawn(reason=1)))  # type: ignore[arg-type]

    assert life.hear("intake", supplied(Signs(immediate_danger=True))) == []
    assert isinstance(life.document.facts["triage"][0], bytes)
    assert TriageFact.FromString(life.document.facts["triage"][0]).graded.grade == GRADE_GREEN


def test_a_leg_on_consent_is_refused_where_the_person_has_not_agreed_and_taken_where_they_have() -> None:
    leg = triage_pb2.DeskLeg(
        service=SERVICE_KIND_VICTIM_SUPPORT, purpose="support", basis=LAWFUL_BASIS_CONSENT, necessity="wants_help"
    )
    body = triage_pb2.RouteRequest(legs=[leg])
    life, _ = life_of()
    with pytest.raises(Refused) as refused:
        life.say(body, DESK)
    assert refused.value.why is Why.ILLEGAL
    assert "safeguarding" in refused.value.right

    agreed, _ = life_of(signs=Signs(consents_to_support=True))
    assert kinds_of(agreed.say(body, DESK)) == ["routed"]


def test_nobody_fills_a_referral_with_what_could_be_recorded_for_ever() -> None:
    life, _ = life_of()
    raise_it, thrive = override(GRADE_RED), triage_pb2.RecordThriveRequest()
    life.document.state = replace(life.state, said=MOST_SAID - 1)

    assert kinds_of(life.say(thrive, DESK)) == ["thrive_recorded"]
    assert life.state.said == MOST_SAID
    for more in (thrive, triage_pb2.RequestInformationRequest()):
        with pytest.raises(Refused, match="too many records") as refused:
            life.say(more, DESK)
        assert "Route" in refused.value.legal
        assert "RecordThrive" not in refused.value.legal
    assert life.say(raise_it, DESK)[0].graded.grade == GRADE_RED, "what is worse than was thought is always said"
    with pytest.raises(Refused, match="too many records"):
        life.say(override(GRADE_GREEN, "less"), SUPERVISOR)
    assert kinds_of(life.say(NFA, SUPERVISOR)) == ["no_further_action"]
    with pytest.raises(Refused, match="too many records"):
        life.say(triage_pb2.ReopenRequest(), SUPERVISOR)


def test_what_rules_decide_does_not_count_as_said() -> None:
    life, facts = life_of(Signs(immediate_danger=True))

    assert len(facts) == 2
    assert life.state.said == 0
