"""A command that is well formed and yet wrong: illegal, stale, repeated, another's, or nobody's."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from safeguarding.v1 import common_pb2, concern_pb2, intake_pb2, partner_pb2, procedure_pb2, routing_pb2
from safeguarding.v1.routing_pb2 import LegState
from tests.integration.bad_input.right_requests import LEG, REFERRAL, concern
from tests.integration.bad_input.support import ask, code_of, details, said
from tests.integration.house import House, Who, new_key, refused

pytestmark = pytest.mark.integration

OTHER_KINDS = [common_pb2.CONCERN_KIND_ROAD_DANGER]
MISTAKE = intake_pb2.WITHDRAWAL_REASON_MISTAKE


def raised_twice(intake: Any) -> tuple[intake_pb2.RaiseConcernRequest, intake_pb2.RaiseConcernResponse]:
    request = intake_pb2.RaiseConcernRequest(idempotency_key=new_key(), concern=concern())
    return request, ask(intake.RaiseConcern, request)


def test_a_repeated_command_has_its_first_answer_also_after_others_came(intake: Any) -> None:
    request, first = raised_twice(intake)
    amend = intake_pb2.AmendRequest(
        idempotency_key=new_key(),
        referral_id=first.referral_id,
        seen_sequence=1,
        narrative=concern_pb2.Narrative(text="rather"),
    )
    amended = ask(intake.Amend, amend)
    supply = intake_pb2.SupplyInformationRequest(
        idempotency_key=new_key(),
        referral_id=first.referral_id,
        seen_sequence=2,
        information=concern_pb2.Narrative(text="more"),
    )
    supplied = ask(intake.SupplyInformation, supply)

    assert (first.sequence, amended.sequence, supplied.sequence) == (1, 2, 3)
    assert ask(intake.RaiseConcern, request) == first
    assert ask(intake.Amend, amend) == amended
    assert ask(intake.SupplyInformation, supply) == supplied


def test_a_key_with_another_body_is_refused_and_changes_nothing(intake: Any) -> None:
    request, first = raised_twice(intake)
    request.concern.narrative.text = "something else"

    error = refused(lambda: ask(intake.RaiseConcern, request))

    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    [violation] = details(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == "idempotency_key"
    kept = ask(intake.GetReferral, intake_pb2.GetReferralRequest(referral_id=first.referral_id))
    assert (kept.sequence, kept.concern.narrative.text) == (1, "what happened")


def test_a_key_that_another_method_used_is_refused(intake: Any) -> None:
    _, first = raised_twice(intake)
    withdraw = intake_pb2.WithdrawRequest(
        idempotency_key=new_key(), referral_id=first.referral_id, seen_sequence=1, reason=MISTAKE
    )
    ask(intake.Withdraw, withdraw)
    amend = intake_pb2.AmendRequest(
        idempotency_key=withdraw.idempotency_key, referral_id=first.referral_id, seen_sequence=2, kinds=OTHER_KINDS
    )

    assert code_of(intake.Amend, amend) is grpc.StatusCode.ALREADY_EXISTS


def test_the_same_key_of_two_callers_makes_two_referrals(house: House, intake: Any, callers: dict[str, Who]) -> None:
    request, first = raised_twice(intake)

    other = ask(house.stub("Intake", callers["volunteer"]).RaiseConcern, request)

    assert other.referral_id != first.referral_id


@pytest.mark.parametrize("seen", [1, 3, 4_000_000_000])
def test_a_stale_command_is_told_the_current_sequence(intake: Any, seen: int) -> None:
    _, first = raised_twice(intake)
    amend = {"referral_id": first.referral_id, "kinds": [common_pb2.CONCERN_KIND_EXPLOITATION]}
    ask(intake.Amend, intake_pb2.AmendRequest(idempotency_key=new_key(), seen_sequence=1, **amend))  # type: ignore[arg-type]

    error = refused(
        lambda: ask(intake.Amend, intake_pb2.AmendRequest(idempotency_key=new_key(), seen_sequence=seen, **amend))  # type: ignore[arg-type]
    )

    assert error.code() is grpc.StatusCode.ABORTED
    [violation] = details(error, error_details_pb2.BadRequest).field_violations
    assert (violation.field, violation.description) == ("seen_sequence", "read it again and name sequence 2")


def test_a_withdrawn_concern_takes_no_more(intake: Any) -> None:
    _, first = raised_twice(intake)
    own = {"referral_id": first.referral_id}
    ask(intake.Withdraw, intake_pb2.WithdrawRequest(idempotency_key=new_key(), seen_sequence=1, reason=MISTAKE, **own))

    again = intake_pb2.WithdrawRequest(idempotency_key=new_key(), seen_sequence=2, reason=MISTAKE, **own)
    error = refused(lambda: ask(intake.Withdraw, again))

    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "raise it again" in (error.details() or "")


def test_a_foreign_and_an_absent_referral_cannot_be_told_apart(
    house: House, callers: dict[str, Who], intake: Any
) -> None:
    _, mine = raised_twice(intake)
    stranger = callers["volunteer"]
    theirs, routing = house.stub("Intake", stranger), house.stub("Routing", stranger)
    more = concern_pb2.Narrative(text="more")

    def requests(referral_id: str) -> list[tuple[Any, Any]]:
        key = {"idempotency_key": new_key(), "referral_id": referral_id, "seen_sequence": 1}
        return [
            (theirs.GetReferral, intake_pb2.GetReferralRequest(referral_id=referral_id)),
            (theirs.Amend, intake_pb2.AmendRequest(**key, narrative=more)),  # type: ignore[arg-type]
            (theirs.Amend, intake_pb2.AmendRequest(**{**key, "seen_sequence": 7}, narrative=more)),  # type: ignore[arg-type]
            (theirs.SupplyInformation, intake_pb2.SupplyInformationRequest(**key, information=more)),  # type: ignore[arg-type]
            (theirs.Withdraw, intake_pb2.WithdrawRequest(**key, reason=MISTAKE)),  # type: ignore[arg-type]
            (theirs.Withdraw, intake_pb2.WithdrawRequest(**{**key, "seen_sequence": 7}, reason=MISTAKE)),  # type: ignore[arg-type]
            (routing.ReadOutcome, routing_pb2.ReadOutcomeRequest(referral_id=referral_id)),
        ]

    assert_alike(requests(mine.referral_id), requests(REFERRAL))


def test_a_foreign_and_an_absent_leg_cannot_be_told_apart(
    house: House, leg: routing_pb2.InboxItem, journey: Any
) -> None:
    police = house.who("partner", "police-response")
    other, procedures = house.stub("PartnerInbox", police), house.stub("Procedures", police)
    tell = partner_pb2.ToldReply(audience=partner_pb2.AUDIENCE_RAISER)

    def requests(referral_id: str, leg_id: str) -> list[tuple[Any, Any]]:
        made: list[tuple[Any, Any]] = [
            (other.OpenCopy, routing_pb2.OpenCopyRequest(referral_id=referral_id, leg_id=leg_id))
        ]
        question = routing_pb2.InboxCommand(
            idempotency_key=new_key(), referral_id=referral_id, leg_id=leg_id, note="a question"
        )
        made.append((other.AskRaiser, routing_pb2.AskRaiserRequest(command=question)))
        own = {"idempotency_key": new_key(), "referral_id": referral_id}
        stage = procedure_pb2.STAGE_STRATEGY_DISCUSSION
        made += [
            (procedures.RecordStage, procedure_pb2.RecordStageRequest(**own, stage=stage, leg_id=leg_id)),  # type: ignore[arg-type]
            (
                procedures.CompleteDecision,
                procedure_pb2.CompleteDecisionRequest(**own, conference_id=LEG, number=1),
            ),
            (procedures.ReadConferences, procedure_pb2.ReadConferencesRequest(referral_id=referral_id)),
        ]
        for note in ("", "a note"):
            command = routing_pb2.InboxCommand(
                idempotency_key=new_key(), referral_id=referral_id, leg_id=leg_id, note=note
            )
            made += [
                (other.Acknowledge, routing_pb2.AcknowledgeRequest(command=command)),
                (other.Accept, routing_pb2.AcceptRequest(command=command)),
                (
                    other.Decline,
                    routing_pb2.DeclineRequest(command=command, reason=partner_pb2.DECLINE_REASON_NO_CAPACITY),
                ),
                (other.Progress, routing_pb2.ProgressRequest(command=command)),
                (other.Complete, routing_pb2.CompleteRequest(command=command, outcome=partner_pb2.OUTCOME_SUPPORTED)),
                (other.Fail, routing_pb2.FailRequest(command=command, reason=partner_pb2.FAILURE_REASON_UNREACHABLE)),
                (other.Tell, routing_pb2.TellRequest(command=command, told=tell)),
                (other.AcknowledgeRecall, routing_pb2.AcknowledgeRecallRequest(command=command)),
            ]
        return made

    absent = requests(REFERRAL, LEG)
    assert_alike(requests(leg.referral_id, leg.leg_id), absent)
    assert_alike(requests(leg.referral_id, LEG), absent)
    legs = ask(journey, routing_pb2.GetJourneyRequest(referral_id=leg.referral_id)).legs
    assert [found.state for found in legs if found.leg_id == leg.leg_id] == [LegState.LEG_STATE_OFFERED]


def assert_alike(foreign: list[tuple[Any, Any]], absent: list[tuple[Any, Any]]) -> None:
    """Each foreign request is refused with the very bytes that an absent one gets."""
    for (call, one), (_, other) in zip(foreign, absent, strict=True):
        said_of_foreign, said_of_absent = (refused(lambda r=r, c=call: ask(c, r)) for r in (one, other))  # type: ignore[misc]
        name = type(one).__name__
        assert said_of_foreign.code() is grpc.StatusCode.NOT_FOUND, name
        assert said_of_foreign.code() is said_of_absent.code(), name
        assert said_of_foreign.details() == said_of_absent.details(), name
        assert said_of_foreign.trailing_metadata() == said_of_absent.trailing_metadata(), name


def test_a_repeated_step_has_its_first_answer_also_after_the_leg_moved_on(
    harbour: Any, leg: routing_pb2.InboxItem
) -> None:
    accept = routing_pb2.AcceptRequest(command=said(leg))
    first = ask(harbour.Accept, accept)
    ask(harbour.Progress, routing_pb2.ProgressRequest(command=said(leg)))

    assert first.state == LegState.LEG_STATE_ACCEPTED
    assert ask(harbour.Accept, accept) == first
    accept.command.note = "with other words"
    assert code_of(harbour.Accept, accept) is grpc.StatusCode.ALREADY_EXISTS
