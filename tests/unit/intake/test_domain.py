"""What intake decides of raisers' commands."""

from __future__ import annotations

import pytest

from safeguarding.v1 import intake_pb2, triage_pb2
from safeguarding.v1.common_pb2 import CONCERN_KIND_CHILD_AT_RISK, FIELD_GROUP_NARRATIVE
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import ReferralState
from services.chassis.deciding import Refused, Why
from services.intake.domain import MOST_FACTS, IntakeDecider
from tests.unit.domains import OFFICER, VOLUNTEER, Life, kinds_of, raised, sealed

WITHDRAW = intake_pb2.WithdrawRequest(reason=intake_pb2.WITHDRAWAL_REASON_MISTAKE)


def raised_life() -> Life:
    """A referral that an officer raised."""
    life = Life(IntakeDecider())
    life.say(intake_pb2.RaiseConcernRequest(), OFFICER, raised([CONCERN_KIND_CHILD_AT_RISK]).raised)
    return life


def supplied(version: int = 2) -> intake_pb2.InformationSupplied:
    """More narrative, and a sign."""
    return intake_pb2.InformationSupplied(
        information=sealed(FIELD_GROUP_NARRATIVE, version=version), signs=Signs(weapon=True)
    )


def test_a_concern_becomes_a_referral_of_its_raiser() -> None:
    """The first fact of every referral."""
    life = raised_life()

    assert life.state.known.raised_by(OFFICER)
    assert life.state.where == ReferralState.REFERRAL_STATE_RAISED


@pytest.mark.parametrize(
    "body", [WITHDRAW, intake_pb2.AmendRequest(), intake_pb2.SupplyInformationRequest()], ids=lambda b: type(b).__name__
)
def test_foreign_and_absent_referrals_answer_alike(body: object) -> None:
    """Nobody learns that a referral exists which they did not raise."""
    answers = []
    for life in (raised_life(), Life(IntakeDecider())):
        with pytest.raises(Refused) as refused:
            life.say(body, VOLUNTEER, supplied())
        answers.append((refused.value.why, refused.value.wrong, refused.value.right))

    assert answers[0] == answers[1]
    assert answers[0][0] is Why.UNKNOWN


def test_what_was_supplied_is_joined_to_what_was_known() -> None:
    """Signs once known stay known."""
    life = Life(IntakeDecider())
    signs = Signs(child_lives_here=True, dash_score=5)
    life.say(intake_pb2.RaiseConcernRequest(), OFFICER, raised([CONCERN_KIND_CHILD_AT_RISK], signs).raised)

    more = intake_pb2.InformationSupplied(
        information=sealed(FIELD_GROUP_NARRATIVE, version=2), signs=Signs(weapon=True, dash_score=3)
    )
    facts = life.say(intake_pb2.SupplyInformationRequest(), OFFICER, more)

    known = life.state.known
    assert kinds_of(facts) == ["information_supplied"]
    assert (known.raised.signs.child_lives_here, known.raised.signs.weapon) == (True, True)
    assert known.raised.signs.dash_score == 5
    assert [part.version for part in known.narratives] == [1, 2]


def test_an_amendment_replaces_kinds_and_signs_and_adds_subjects() -> None:
    """The narrative before it stays on the record."""
    life = raised_life()
    amended = intake_pb2.Amended(
        kinds=[2],  # type: ignore[list-item]  # a number of the enum
        signs=Signs(weapon=True),
        subjects=[intake_pb2.SealedSubject(number=1, role=1)],  # type: ignore[arg-type]  # a number of the enum
        parts=[sealed(FIELD_GROUP_NARRATIVE, version=2)],
    )

    life.say(intake_pb2.AmendRequest(), OFFICER, amended)

    known = life.state.known
    assert list(known.raised.kinds) == [2]
    assert known.raised.signs.weapon
    assert list(known.subjects) == [1]
    assert len(known.narratives) == 2


def test_a_withdrawn_concern_takes_nothing_more() -> None:
    """It is raised again as a new one."""
    life = raised_life()
    assert kinds_of(life.say(WITHDRAW, OFFICER)) == ["withdrawn"]

    with pytest.raises(Refused) as refused:
        life.say(WITHDRAW, OFFICER)

    assert refused.value.why is Why.ILLEGAL


def test_a_referral_takes_no_more_than_its_most_facts() -> None:
    """A document has an end, and nobody fills it by repeating."""
    life = raised_life()
    for version in range(2, MOST_FACTS + 1):
        life.say(intake_pb2.SupplyInformationRequest(), OFFICER, supplied(version))

    with pytest.raises(Refused) as refused:
        life.say(intake_pb2.SupplyInformationRequest(), OFFICER, supplied(MOST_FACTS + 1))

    assert refused.value.why is Why.ILLEGAL


def test_a_raiser_sees_triages_question_until_it_is_answered() -> None:
    """Where the referral stands follows triage's facts."""
    life = raised_life()
    life.hear("triage", triage_pb2.TriageFact(graded=triage_pb2.Graded(grade=1)))  # type: ignore[arg-type]
    assert life.state.where == ReferralState.REFERRAL_STATE_IN_TRIAGE

    asked = triage_pb2.InformationRequested(question=sealed(FIELD_GROUP_NARRATIVE, version=1_000_000))
    life.hear("triage", triage_pb2.TriageFact(information_requested=asked))
    assert life.state.open_questions
    assert life.state.where == ReferralState.REFERRAL_STATE_INFO_REQUESTED

    life.say(intake_pb2.SupplyInformationRequest(), OFFICER, supplied())
    assert not life.state.open_questions
    assert life.state.where == ReferralState.REFERRAL_STATE_IN_TRIAGE
