"""On the running stack: equality answers are kept, counted, taken back and erased, and lie nowhere with the case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest

from safeguarding.v1 import equality_pb2, intake_pb2, routing_pb2
from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.audit_pb2 import TimelineRequest
from safeguarding.v1.equality_pb2 import AnswerEqualityRequest, EqualityAnswers, EqualityRecord
from services.cli.installed import told
from services.intake.equality import COLLECTION, Answers
from services.quarters import quarter
from services.topics import TOPICS
from tests.integration.bad_input.support import abuse, ask, ask_if_known, code_of
from tests.integration.house import House, Who, new_key
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SECONDS = 60.0
ANSWERS = EqualityAnswers(
    ethnic_group=equality_pb2.ETHNIC_GROUP_MIXED,
    religion=equality_pb2.RELIGION_SIKH,
    orientation=equality_pb2.ORIENTATION_BISEXUAL,
)
WORDS = (b"MIXED", b"SIKH", b"BISEXUAL")


@pytest.fixture
def raiser(people: dict[str, Who]) -> Who:
    return people["public"]


@pytest.fixture
def referral(house: House, raiser: Who) -> str:
    referral_id: str = house.raise_concern(abuse(), raiser).referral_id
    return referral_id


@pytest.fixture
def kept(house: House) -> Any:
    return house.store["intake"][COLLECTION]


def answer(house: House, who: Who, referral_id: str, answers: EqualityAnswers | None = ANSWERS) -> bool:
    request = AnswerEqualityRequest(referral_id=referral_id, answers=answers)
    return bool(ask(house.stub("Equality", who).AnswerEquality, request).kept)


def shown(house: House, people: dict[str, Who], raiser: Who, referral_id: str) -> Iterator[bytes]:
    """What everybody who may look at the case is shown of it."""
    own = {"referral_id": referral_id}
    yield ask(house.stub("Intake", raiser).GetReferral, intake_pb2.GetReferralRequest(**own)).SerializeToString()
    assessed = triage.GetAssessmentRequest(**own, reason="review")
    yield ask(house.stub("Triage", people["triage"]).GetAssessment, assessed).SerializeToString()
    journey = ask(house.stub("Routing", people["supervisor"]).GetJourney, routing_pb2.GetJourneyRequest(**own))
    yield journey.SerializeToString()
    timeline = TimelineRequest(**own, reason="review")
    yield ask(house.stub("Audit", people["auditor"]).Timeline, timeline).SerializeToString()


def test_an_answer_lies_on_no_topic_and_in_nothing_that_is_shown_of_the_case(
    house: House, people: dict[str, Who], raiser: Who, referral: str, kept: Any
) -> None:
    desk = house.stub("Routing", people["supervisor"]).GetJourney
    request = routing_pb2.GetJourneyRequest(referral_id=referral)
    happens("it is routed", lambda: (found := ask_if_known(desk, request)) and found.legs, SECONDS)
    names = [topic.name for topic in TOPICS]
    before, there = house.ends(names), set(found["_id"] for found in kept.find())

    assert answer(house, raiser, referral)

    # Others' referrals may move on meanwhile; of this one nothing is written but what its partners answer.
    added = [record for record in house.records(names, before) if record.key == referral.encode()]
    assert [record.topic for record in added if record.topic.startswith("referrals.intake")] == []
    [document] = [found for found in kept.find() if found["_id"] not in there]
    assert referral not in str(document)
    assert ANSWERS.SerializeToString() not in bytes(document["sealed"])
    whole = [
        *shown(house, people, raiser, referral),
        *(record.value for record in house.records(names) if record.value),
    ]
    assert not [word for content in whole for word in WORDS if word in content]
    assert not [content for content in whole if ANSWERS.SerializeToString(deterministic=True) in content]


def test_only_whoever_raised_the_concern_answers_and_may_take_it_back(
    house: House, people: dict[str, Who], raiser: Who, referral: str, kept: Any
) -> None:
    before = kept.count_documents({})
    other = house.who("public", "public-other")
    request = AnswerEqualityRequest(referral_id=referral, answers=ANSWERS)
    assert code_of(house.stub("Equality", other).AnswerEquality, request).name == "NOT_FOUND"

    assert answer(house, raiser, referral)
    assert answer(house, raiser, referral)
    assert kept.count_documents({}) == before + 1
    assert not answer(house, raiser, referral, None)
    assert kept.count_documents({}) == before


def test_an_erasure_takes_the_answers_with_it_and_none_come_after(
    house: House, people: dict[str, Who], raiser: Who, referral: str, kept: Any
) -> None:
    before = kept.count_documents({})
    answer(house, raiser, referral)
    assert kept.count_documents({}) == before + 1
    asked = intake_pb2.RequestErasureRequest(
        idempotency_key=new_key(), referral_id=referral, subject=1, ground="article_17"
    )
    event_id = ask(house.stub("Protection", people["protection"]).RequestErasure, asked).event_id
    decided = intake_pb2.DecideErasureRequest(
        idempotency_key=new_key(), referral_id=referral, request_event_id=event_id, agreed=True
    )
    ask(house.stub("Protection", house.who("protection", "dpo-equality")).DecideErasure, decided)

    assert kept.count_documents({}) == before
    request = AnswerEqualityRequest(referral_id=referral, answers=ANSWERS)
    assert code_of(house.stub("Equality", raiser).AnswerEquality, request).name == "FAILED_PRECONDITION"

    # What a backup brings back goes when intake starts.
    answers = Answers(kept, bytes.fromhex(told(house.stack.home, "intake")["KEY_ENCRYPTION_KEY"]))
    answers.keep(referral, "2026-Q4", EqualityRecord(area="bristol", answers=ANSWERS))
    assert kept.count_documents({}) == before + 1
    answers.forget_erased(house.documents("intake"))
    assert kept.count_documents({}) == before


def test_a_figure_of_few_answers_shows_none_of_them(
    house: House, people: dict[str, Who], raiser: Who, referral: str
) -> None:
    answer(house, raiser, referral)
    own = intake_pb2.GetReferralRequest(referral_id=referral)
    raised_at = ask(house.stub("Intake", raiser).GetReferral, own).raised_at.ToDatetime(UTC)
    religion = equality_pb2.EQUALITY_QUESTION_RELIGION
    request = equality_pb2.GetEqualityFigureRequest(question=religion, quarter=quarter(raised_at))

    found = ask(house.stub("Equality", people["supervisor"]).GetEqualityFigure, request).figure

    cells = [cell for row in found.rows for cell in row.cells]
    assert "sikh" in found.columns
    assert any(cell.masked for cell in cells)
    assert not [cell for cell in cells if 0 < cell.count < 5]
