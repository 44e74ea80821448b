"""What is acknowledged can be read: no command after command makes a referral that its readers would park."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    FIELD_GROUP_PLACE,
    SUBJECT_ROLE_CHILD,
    Sealed,
)
from safeguarding.v1.concern_pb2 import Narrative, Signs
from safeguarding.v1.intake_pb2 import SealedSubject
from services.chassis import checking
from services.chassis.deciding import Command, Refused, Why
from services.chassis.sealing import seal
from services.intake.domain import IntakeDecider
from services.intake.domain.erasing import MOST_REQUESTS, UNPROTECTED, decide, next_narrative_key
from services.intake.domain.room import MOST_NARRATIVE_BYTES, MOST_SUBJECTS
from services.known import NOTHING, Known
from tests.unit.domains import OFFICER, REFERRAL, Life, kinds_of, raised, sealed
from tests.unit.intake.test_erasing import FIRST, a_life, asked, decided


def raised_about(people: int) -> Life:
    life = Life(IntakeDecider())
    body = raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD] * people).raised
    life.say(intake_pb2.RaiseConcernRequest(), OFFICER, body)
    return life


def amend(life: Life, numbers: Sequence[int] = (), **more: Any) -> list[Any]:
    subjects = [SealedSubject(number=number, role=SUBJECT_ROLE_CHILD) for number in numbers]
    return life.say(intake_pb2.AmendRequest(), OFFICER, intake_pb2.Amended(subjects=subjects, **more))


@pytest.mark.parametrize(("people", "further"), [(20, 1), (15, 6), (1, 20)])
def test_nobody_amends_a_concern_to_more_people_than_its_readers_take(people: int, further: int) -> None:
    life = raised_about(people)

    with pytest.raises(Refused) as refused:
        amend(life, range(people + 1, people + further + 1))

    assert (refused.value.why, refused.value.field) == (Why.ILLEGAL, "further_subjects")
    assert f"at most {MOST_SUBJECTS - people} more" in refused.value.right
    assert len(life.state.known.subjects) == people


def test_a_concern_is_amended_up_to_as_many_as_its_readers_take() -> None:
    life = raised_about(18)

    amend(life, [19])
    assert kinds_of(amend(life, [20])) == ["amended"]
    assert kinds_of(amend(life, [20])) == ["amended"], "replaced by number"

    said = [SealedSubject(number=number, role=SUBJECT_ROLE_CHILD) for number in (MOST_SUBJECTS, MOST_SUBJECTS + 1)]
    assert [len(checking.violations(each)) for each in said] == [0, 1]


def test_erasure_is_asked_for_only_as_often_as_keys_have_names() -> None:
    last, beyond = (sealed(5, next_narrative_key(NOTHING, requests)) for requests in (MOST_REQUESTS - 1, MOST_REQUESTS))
    assert [len(checking.violations(each)) for each in (last, beyond)] == [0, 1]
    known: Known = a_life().state.known
    body = intake_pb2.RequestErasureRequest(referral_id=REFERRAL, subject=1, ground="article_17")
    given = Command(REFERRAL, "cause", FIRST, body, b"", sealed=intake_pb2.ErasureRequested(subject=1))

    assert decide(known, UNPROTECTED, given, MOST_REQUESTS - 1)
    with pytest.raises(Refused, match="asked for 998 times"):
        decide(known, UNPROTECTED, given, MOST_REQUESTS)


def test_each_request_for_erasure_is_counted_and_the_count_is_what_is_decided_by() -> None:
    life = a_life()
    decided(life, asked(life), agreed=False, reason="not_now")
    asked(life)
    assert life.state.erasures_requested == 2

    full = a_life()
    full.document.state = replace(full.state, erasures_requested=MOST_REQUESTS)
    with pytest.raises(Refused, match="asked for 998 times"):
        asked(full)


FULL = "\N{SLICE OF PIZZA}" * 20_000
"""The longest account, of letters of four bytes each."""


def account(text: str, version: int) -> Sealed:
    return seal(b"k" * 32, REFERRAL, "narrative", FIELD_GROUP_NARRATIVE, version, Narrative(text=text))


def supply(life: Life, text: str) -> list[Any]:
    version = life.state.known.next_version(FIELD_GROUP_NARRATIVE)
    supplied = intake_pb2.InformationSupplied(information=account(text, version))
    return life.say(intake_pb2.SupplyInformationRequest(), OFFICER, supplied)


def test_all_that_is_told_of_a_concern_fits_into_one_copy() -> None:
    life = raised_about(1)
    while held(life) + len(account(FULL, 1).ciphertext) <= MOST_NARRATIVE_BYTES:
        supply(life, FULL)
    before = held(life)

    with pytest.raises(Refused) as refused:
        amend(life, parts=[account(FULL, life.state.known.next_version(FIELD_GROUP_NARRATIVE))])
    assert (refused.value.why, refused.value.field) == (Why.ILLEGAL, "narrative")
    with pytest.raises(Refused) as refused:
        supply(life, FULL)
    assert (refused.value.why, refused.value.field) == (Why.ILLEGAL, "information")
    assert held(life) == before

    left = int(re.findall(r"at most ([\d,]+) bytes", refused.value.right)[0].replace(",", ""))
    assert kinds_of(supply(life, "a" * left)) == ["information_supplied"], "as the refusal says"
    assert kinds_of(amend(life, signs=Signs(weapon=True))) == ["amended"], "what tells nothing more has room"


def of_bytes(length: int) -> Sealed:
    return Sealed(group=FIELD_GROUP_NARRATIVE, version=1, key_id="narrative", ciphertext=b"c" * length)


def tell(life: Life, length: int) -> list[str]:
    supplied = intake_pb2.InformationSupplied(information=of_bytes(length))
    return kinds_of(life.say(intake_pb2.SupplyInformationRequest(), OFFICER, supplied))


def test_accounts_are_told_up_to_the_last_byte_that_there_is_room_for() -> None:
    life = raised_about(1)
    tell(life, MOST_NARRATIVE_BYTES - held(life) - 1)

    with pytest.raises(Refused) as refused:
        tell(life, 2)
    assert refused.value.right.startswith("speak to the triage desk"), "nothing that is sealed is so short"
    assert tell(life, 1) == ["information_supplied"]

    assert held(life) == MOST_NARRATIVE_BYTES
    moved = sealed(FIELD_GROUP_PLACE, version=2)
    assert kinds_of(amend(life, parts=[moved])) == ["amended"], "a place is no account"


def test_of_a_concern_that_was_told_at_more_length_before_there_was_a_limit_all_else_is_amended() -> None:
    life = raised_about(1)
    before = (*life.state.known.parts, of_bytes(MOST_NARRATIVE_BYTES + 1))
    life.document.state = replace(life.state, known=replace(life.state.known, parts=before))
    assert held(life) > MOST_NARRATIVE_BYTES

    assert kinds_of(amend(life, signs=Signs(weapon=True))) == ["amended"]
    with pytest.raises(Refused):
        tell(life, 1)


def held(life: Life) -> int:
    return sum(len(part.ciphertext) for part in life.state.known.narratives)
