"""Equality answers lie apart from the case, sealed, and are shown in masked counts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor

from safeguarding.v1 import (
    access_pb2,
    audit_pb2,
    equality_pb2,
    insight_pb2,
    intake_pb2,
    parked_pb2,
    partner_pb2,
    routing_pb2,
    triage_pb2,
)
from safeguarding.v1.equality_pb2 import EqualityAnswers, EqualityQuestion, EqualityRecord
from services.chassis.deciding import Refused
from services.chassis.identity import Identity
from services.intake import equality
from services.intake.equality import Answers, EqualityApi, plan, question_of
from services.tables import figure_of
from tests.fuzz.stage import Loose
from tests.unit.domains import OFFICER, REFERRAL
from tests.unit.intake.test_erasing import a_life, asked, decided

KEY = b"k" * 32
REFERRALS = [f"00000000-0000-4000-8000-{number:012}" for number in range(40)]
ANSWERS = EqualityAnswers(ethnic_group=equality_pb2.ETHNIC_GROUP_MIXED, disabled=equality_pb2.DISABLED_YES)
QUESTIONS = [number for number in EqualityQuestion.values() if number]


@pytest.fixture
def kept() -> Loose:
    return Loose()


def answers(kept: Any, key: bytes = KEY) -> Answers:
    return Answers(kept, key)


def test_what_is_kept_names_no_referral_and_no_answer(kept: Loose) -> None:
    answers(kept).keep(REFERRALS[0], "2026-Q4", EqualityRecord(area="bristol", answers=ANSWERS))

    [document] = kept.kept.values()
    assert set(document) == {"_id", "quarter", "sealed"}
    assert REFERRALS[0] not in str(document)
    assert ANSWERS.SerializeToString() not in document["sealed"]
    assert answers(kept).of_quarter("2026-Q4") == [EqualityRecord(area="bristol", answers=ANSWERS)]
    assert answers(kept).of_quarter("2026-Q3") == []


def test_another_answer_takes_the_place_of_the_first_and_can_be_taken_back(kept: Loose) -> None:
    other = EqualityRecord(area="bristol", answers=EqualityAnswers(sex=equality_pb2.SEX_FEMALE))
    for record in (EqualityRecord(area="bristol", answers=ANSWERS), other):
        answers(kept).keep(REFERRALS[0], "2026-Q4", record)
    assert answers(kept).of_quarter("2026-Q4") == [other]

    answers(kept).forget(REFERRALS[0])
    answers(kept).forget(REFERRALS[0])
    assert kept.kept == {}


def test_without_intakes_key_nothing_is_opened_and_one_broken_record_hides_no_other(kept: Loose) -> None:
    for referral_id in REFERRALS[:2]:
        answers(kept).keep(referral_id, "2026-Q4", EqualityRecord(area="bristol", answers=ANSWERS))
    assert answers(kept, b"o" * 32).of_quarter("2026-Q4") == []

    next(iter(kept.kept.values()))["sealed"] = b"broken"
    assert len(answers(kept).of_quarter("2026-Q4")) == 1


@pytest.mark.parametrize("number", QUESTIONS)
def test_every_question_has_a_field_with_a_way_not_to_say(number: int) -> None:
    question = question_of(number)

    assert question.field in EqualityAnswers.DESCRIPTOR.fields_by_name
    assert "not_said" in list(question.words)


def test_the_questions_are_all_the_fields() -> None:
    assert {question_of(number).field for number in QUESTIONS} == set(EqualityAnswers.DESCRIPTOR.fields_by_name)


def test_a_figure_counts_who_answered_this_question_and_masks_small_numbers(kept: Loose) -> None:
    counts = {"bristol": (12, 7), "north-somerset": (9, 2)}
    waiting = iter(REFERRALS)
    for area, (yes, no) in counts.items():
        for disabled, times in ((equality_pb2.DISABLED_YES, yes), (equality_pb2.DISABLED_NO, no)):
            for _ in range(times):
                record = EqualityRecord(area=area, answers=EqualityAnswers(disabled=disabled))
                answers(kept).keep(next(waiting), "2026-Q4", record)
    record = EqualityRecord(area="bristol", answers=EqualityAnswers(sex=equality_pb2.SEX_MALE))
    answers(kept).keep(next(waiting), "2026-Q4", record)

    found = figure_of(plan(equality_pb2.EQUALITY_QUESTION_DISABLED, counts), answers(kept).of_quarter("2026-Q4"))

    assert list(found.columns) == ["yes", "no", "not_said"]
    assert {row.name for row in found.rows} == set(counts)
    assert (found.total.count, found.total.masked) == (30, False)
    small = next(row for row in found.rows if row.name == "north-somerset").cells[1]
    assert (small.masked, small.count) == (True, 0)
    # The two can be worked out neither from the row, nor from the column: others are hidden beside it.
    masked_cells = Counter(cell.masked for row in found.rows for cell in row.cells)
    assert masked_cells[True] >= 4


FILES = (
    access_pb2, audit_pb2, equality_pb2, insight_pb2, intake_pb2, parked_pb2, partner_pb2, routing_pb2, triage_pb2,
)  # fmt: skip


def messages() -> Iterator[Descriptor]:
    names = {file.DESCRIPTOR.name for file in FILES} | {"safeguarding/v1/common.proto", "safeguarding/v1/concern.proto"}
    for name in names:
        yield from descriptor_pool.Default().FindFileByName(name).message_types_by_name.values()


def holds_answers(message: Descriptor, above: frozenset[str] = frozenset()) -> bool:
    """Whether equality answers lie in the message, however deep."""
    if message.full_name in above:
        return False
    inside = above | {message.full_name}
    return message is EqualityAnswers.DESCRIPTOR or any(
        field.message_type is not None and holds_answers(field.message_type, inside) for field in message.fields
    )


def test_no_fact_no_copy_no_journey_and_no_timeline_can_hold_an_answer() -> None:
    can = {message.name for message in messages() if holds_answers(message)}

    assert can == {"EqualityAnswers", "EqualityRecord", "AnswerEqualityRequest"}


class Erasing:
    """Intake's documents, of which somebody is erased while an answer is kept: the second look finds it."""

    def __init__(self) -> None:
        self.life = a_life()

    def find(self, query: Mapping[str, Any], fields: Any) -> list[dict[str, Any]]:
        """The referral as it was before; from then on it is erased."""
        document = self.life.document
        facts = {writer: list(raws) for writer, raws in document.facts.items()}
        if not self.life.state.known.erased:
            decided(self.life, asked(self.life))
        return [{"_id": document.id, "revision": "r", "published": 0, "facts": facts}]


def test_an_answer_that_an_erasure_overtook_is_not_kept(kept: Loose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equality, "caller", lambda: Identity(OFFICER.role, OFFICER.id))
    parts: Any = SimpleNamespace(collection=Erasing())
    api: Any = EqualityApi(parts, answers(kept), list)
    request = equality_pb2.AnswerEqualityRequest(referral_id=REFERRAL, answers=ANSWERS)

    with pytest.raises(Refused, match="somebody was erased"):
        api.AnswerEquality(request, None)

    assert kept.kept == {}
