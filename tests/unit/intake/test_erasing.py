"""Erasure as intake decides it: two people of role protection, no legal hold, and a tombstone that stays."""

from __future__ import annotations

from typing import Any

import pytest

from safeguarding.v1 import intake_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PROTECTION
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    FIELD_GROUP_PLACE,
    SUBJECT_ROLE_CHILD,
    SUBJECT_ROLE_VICTIM,
    Actor,
)
from services.chassis.deciding import Command, Refused, Why
from services.intake.domain import IntakeDecider
from services.intake.domain.erasing import UNPROTECTED, keys_of, next_narrative_key, path_of
from tests.unit.domains import OFFICER, REFERRAL, Life, kinds_of, raised, sealed

FIRST = Actor(role=ROLE_PROTECTION, id="dpo-1")
SECOND = Actor(role=ROLE_PROTECTION, id="dpo-2")
HOLD = intake_pb2.SetHoldRequest(held=True, reason="court_order")
LIFT = intake_pb2.SetHoldRequest(held=False, reason="court_order_ended")


def a_life() -> Life:
    """A referral about a child and a victim."""
    life = Life(IntakeDecider())
    roles = [SUBJECT_ROLE_CHILD, SUBJECT_ROLE_VICTIM]
    life.say(intake_pb2.RaiseConcernRequest(), OFFICER, raised([CONCERN_KIND_CHILD_AT_RISK], roles=roles).raised)
    return life


def asked(life: Life, subject: int = 1, actor: Actor = FIRST) -> str:
    """The event id of a request, as the api makes one."""
    key_id = next_narrative_key(life.state.known, life.state.erasures_requested)
    left = [sealed(FIELD_GROUP_NARRATIVE, key_id, version=2)]
    requested = intake_pb2.ErasureRequested(subject=subject, ground="article_17", parts=left, narrative_key_id=key_id)
    body = intake_pb2.RequestErasureRequest(referral_id=REFERRAL, subject=subject, ground="article_17")
    [fact] = life.say(body, actor, requested)
    event_id: str = fact.header.event_id
    return event_id


def decided(life: Life, request: str, actor: Actor = SECOND, subject: int = 1, **more: Any) -> list[Any]:
    body = intake_pb2.DecideErasureRequest(referral_id=REFERRAL, request_event_id=request, **{"agreed": True, **more})
    drops = [path_of(key_id) for key_id in keys_of(life.state.known, subject)] if body.agreed else []
    return life.give(Command(REFERRAL, f"{actor.id}/{request}", actor, body, b"", drops=drops))


def test_the_second_person_destroys_the_subjects_key_and_the_narratives() -> None:
    life = a_life()
    request = asked(life)
    assert not life.state.known.erased

    [fact] = decided(life, request)

    assert list(fact.erased.key_ids) == ["subject-1", "narrative"]
    assert (fact.erased.ground, fact.erased.subject) == ("article_17", 1)
    assert (fact.header.actor.id, fact.erased.requested_by.id) == ("dpo-2", "dpo-1")
    known = life.state.known
    assert (len(known.subjects[1].parts), known.subjects[1].role) == (0, SUBJECT_ROLE_CHILD)
    assert len(known.subjects[2].parts) == 2
    assert [part.key_id for part in known.narratives] == ["narrative-2"]
    assert known.narrative_key == "narrative-2"
    assert known.next_version(FIELD_GROUP_NARRATIVE) == 3
    assert life.decider.view(life.state)["erased"] == ["narrative", "subject-1"]


def refused(call: Any) -> tuple[Why, str]:
    with pytest.raises(Refused) as found:
        call()
    return found.value.why, found.value.wrong


def test_nobody_erases_alone() -> None:
    life = a_life()
    request = asked(life)

    assert refused(lambda: decided(life, request, FIRST)) == (Why.FORBIDDEN, "you asked for it yourself")
    assert kinds_of(decided(life, request, SECOND)) == ["erased"]


def test_a_legal_hold_forbids_asking_and_agreeing_until_it_is_lifted() -> None:
    life = a_life()
    request = asked(life)
    life.say(HOLD, SECOND)

    assert refused(lambda: decided(life, request)) == (Why.ILLEGAL, "a legal hold forbids every erasure")
    assert kinds_of(decided(life, request, agreed=False, reason="held")) == ["erasure_refused"]
    assert refused(lambda: asked(life))[1] == "a legal hold forbids every erasure"
    assert refused(lambda: life.say(HOLD, FIRST))[1] == "the referral is held already"
    life.say(LIFT, SECOND)
    assert kinds_of(decided(life, asked(life))) == ["erased"]


def test_only_the_request_that_waits_is_decided_and_only_as_it_was_read() -> None:
    life = a_life()
    other = intake_pb2.DecideErasureRequest(referral_id=REFERRAL, request_event_id=REFERRAL, agreed=True)
    assert refused(lambda: life.say(other, SECOND))[1] == "no such request waits"
    request = asked(life)
    assert refused(lambda: asked(life, 2))[1] == "another request waits for a second person"
    assert refused(lambda: life.say(other, SECOND))[1] == "no such request waits"
    stale = intake_pb2.DecideErasureRequest(referral_id=REFERRAL, request_event_id=request, agreed=True)
    assert refused(lambda: life.say(stale, SECOND))[0] is Why.STALE, "the keys that would go are not those"
    assert not life.state.known.erased


def test_a_request_that_was_refused_leaves_everything_as_it_was_and_its_key_is_not_used_again() -> None:
    life = a_life()
    decided(life, asked(life), agreed=False, reason="wrong_person")
    assert life.state.known.narrative_key == "narrative"
    assert len(life.state.known.subjects[1].parts) == 2

    [fact] = decided(life, asked(life, 2), subject=2)

    assert (list(fact.erased.key_ids), fact.erased.narrative_key_id) == (["subject-2", "narrative"], "narrative-3")
    assert refused(lambda: asked(life, 2))[1] == "the subject was erased already"
    assert list(decided(life, asked(life))[0].erased.key_ids) == ["subject-1", "narrative-3"]


def test_whom_the_referral_does_not_know_nobody_erases() -> None:
    assert refused(lambda: asked(a_life(), 3)) == (Why.INVALID, "there is no such subject")
    assert refused(lambda: asked(Life(IntakeDecider())))[0] is Why.UNKNOWN


def test_a_withdrawn_concern_is_erased_too() -> None:
    life = a_life()
    life.say(intake_pb2.WithdrawRequest(reason=intake_pb2.WITHDRAWAL_REASON_MISTAKE), OFFICER)

    assert kinds_of(decided(life, asked(life))) == ["erased"]


SUPPLIED = intake_pb2.InformationSupplied(information=sealed(FIELD_GROUP_NARRATIVE, version=2))
TOLD = (intake_pb2.SupplyInformationRequest(), SUPPLIED)
MOVED = (intake_pb2.AmendRequest(), intake_pb2.Amended(parts=[sealed(FIELD_GROUP_PLACE, version=2)]))


@pytest.mark.parametrize("more", [TOLD, MOVED], ids=["information", "place"])
def test_what_was_told_after_the_request_is_not_destroyed_unread(more: tuple[Any, Any]) -> None:
    life = a_life()
    request = asked(life)
    body, said = more
    life.say(body, OFFICER, said)

    why, wrong = refused(lambda: decided(life, request))

    assert (why, wrong) == (Why.ILLEGAL, "the raiser told more since it was asked for, which would go unread")
    assert not life.state.known.erased
    assert kinds_of(decided(life, request, agreed=False, reason="more_was_told")) == ["erasure_refused"]
    assert life.state.protected == UNPROTECTED
    life.say(body, OFFICER, said)
    assert life.state.protected == UNPROTECTED, "nothing waits that it could overtake"
    again = asked(life)
    assert again != request
    assert kinds_of(decided(life, again)) == ["erased"], "whoever asked anew had it before them"


def test_what_tells_nothing_under_the_key_that_goes_keeps_no_request_from_being_agreed() -> None:
    life = a_life()
    request = asked(life)
    further = intake_pb2.SealedSubject(number=3, role=SUBJECT_ROLE_CHILD, parts=[sealed(1, "subject-3")])
    life.say(intake_pb2.AmendRequest(), OFFICER, intake_pb2.Amended(subjects=[further]))

    assert kinds_of(decided(life, request)) == ["erased"]
    assert len(life.state.known.subjects[3].parts) == 1
