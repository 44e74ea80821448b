"""A move that is not legal, or not this caller's, is refused with the legal ones; an ended agreement gives none."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from safeguarding.v1 import common_pb2, partner_pb2, routing_pb2
from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.routing_pb2 import LegState
from tests.integration.bad_input.right_requests import LEG, REFERRAL
from tests.integration.bad_input.support import ask, code_of, details, said
from tests.integration.house import UNSIGNED, House, Who, new_key, refused
from tests.waiting import happens

pytestmark = pytest.mark.integration

BELOW = triage.NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD


def test_an_illegal_step_of_a_leg_names_the_legal_ones(harbour: Any, leg: routing_pb2.InboxItem) -> None:
    complete = routing_pb2.CompleteRequest(command=said(leg), outcome=partner_pb2.OUTCOME_SUPPORTED)

    error = refused(lambda: ask(harbour.Complete, complete))

    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert moves(error) == {"received", "accepted", "declined", "asked"}
    acknowledged = ask(harbour.Acknowledge, routing_pb2.AcknowledgeRequest(command=said(leg)))
    assert acknowledged.state == LegState.LEG_STATE_RECEIVED


def moves(error: grpc.RpcError) -> set[str]:
    """The legal moves that a refusal names."""
    return {violation.subject for violation in details(error, error_details_pb2.PreconditionFailure).violations}


def test_an_ended_leg_is_not_recalled(
    house: House, harbour: Any, leg: routing_pb2.InboxItem, callers: dict[str, Who]
) -> None:
    ask(harbour.Decline, routing_pb2.DeclineRequest(command=said(leg), reason=partner_pb2.DECLINE_REASON_ALREADY_KNOWN))
    recall = routing_pb2.RecallRequest(
        idempotency_key=new_key(), referral_id=leg.referral_id, leg_id=leg.leg_id, reason="raised_in_error"
    )

    call = house.stub("Routing", callers["triage"]).Recall
    assert code_of(call, recall) is grpc.StatusCode.FAILED_PRECONDITION
    recall.leg_id = LEG
    assert code_of(call, recall) is grpc.StatusCode.NOT_FOUND


def test_nobody_is_told_before_there_is_an_outcome(
    house: House, leg: routing_pb2.InboxItem, callers: dict[str, Who]
) -> None:
    told = routing_pb2.RecordToldRequest(
        idempotency_key=new_key(),
        referral_id=leg.referral_id,
        told=partner_pb2.ToldReply(audience=partner_pb2.AUDIENCE_RAISER),
    )
    routing = house.stub("Routing", callers["triage"])

    error = refused(lambda: ask(routing.RecordTold, told))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert moves(error) == {"Recall"}
    told.referral_id = REFERRAL
    assert code_of(routing.RecordTold, told) is grpc.StatusCode.NOT_FOUND


def test_the_desk_cannot_end_what_was_routed_and_hears_what_it_may_do(
    house: House, leg: routing_pb2.InboxItem, callers: dict[str, Who]
) -> None:
    desk = house.stub("Triage", callers["supervisor"])
    seen = ask(desk.GetAssessment, triage.GetAssessmentRequest(referral_id=leg.referral_id, reason="triage")).item

    def command(sequence: int) -> triage.DeskCommand:
        return triage.DeskCommand(idempotency_key=new_key(), referral_id=leg.referral_id, seen_sequence=sequence)

    end = triage.TakeNoFurtherActionRequest(command=command(seen.sequence), reason=BELOW)
    error = refused(lambda: ask(desk.TakeNoFurtherAction, end))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert moves(error) == {"EnterInError", "OverrideGrade", "RecordThrive", "RequestInformation", "Route"}

    same = triage.OverrideGradeRequest(command=command(seen.sequence), grade=seen.grade)
    error = refused(lambda: ask(desk.OverrideGrade, same))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert moves(error) == {"EnterInError", "OverrideGrade", "RecordThrive", "RequestInformation", "Route"}

    stale = triage.RequestInformationRequest(command=command(seen.sequence + 1), question="where?")
    error = refused(lambda: ask(desk.RequestInformation, stale))
    assert error.code() is grpc.StatusCode.ABORTED
    assert f"sequence {seen.sequence}" in (error.details() or "")


def test_only_a_supervisor_lowers_a_red_grade(
    house: House, leg: routing_pb2.InboxItem, callers: dict[str, Who]
) -> None:
    desk = house.stub("Triage", callers["triage"])
    seen = ask(desk.GetAssessment, triage.GetAssessmentRequest(referral_id=leg.referral_id, reason="triage")).item
    assert seen.grade == common_pb2.GRADE_RED
    command = triage.DeskCommand(idempotency_key=new_key(), referral_id=leg.referral_id, seen_sequence=seen.sequence)

    lower = triage.OverrideGradeRequest(command=command, grade=common_pb2.GRADE_GREEN, reason="calm now")
    assert code_of(desk.OverrideGrade, lower) is grpc.StatusCode.PERMISSION_DENIED
    lower.reason = " "
    error = refused(lambda: ask(desk.OverrideGrade, lower))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [each.field for each in details(error, error_details_pb2.BadRequest).field_violations] == ["reason"]


def test_an_absent_referral_is_not_found_by_the_desk(house: House, callers: dict[str, Who]) -> None:
    desk, routing = house.stub("Triage", callers["triage"]), house.stub("Routing", callers["triage"])
    command = triage.DeskCommand(idempotency_key=new_key(), referral_id=REFERRAL, seen_sequence=1)
    absent = [
        (desk.GetAssessment, triage.GetAssessmentRequest(referral_id=REFERRAL, reason="triage")),
        (desk.OverrideGrade, triage.OverrideGradeRequest(command=command, grade=common_pb2.GRADE_GREEN, reason="why")),
        (desk.RequestInformation, triage.RequestInformationRequest(command=command, question="where?")),
        (desk.TakeNoFurtherAction, triage.TakeNoFurtherActionRequest(command=command, reason=BELOW)),
        (routing.GetJourney, routing_pb2.GetJourneyRequest(referral_id=REFERRAL)),
    ]

    assert {type(request).__name__: code_of(call, request).name for call, request in absent} == {
        type(request).__name__: "NOT_FOUND" for _, request in absent
    }


def test_a_partner_whose_agreement_is_not_in_force_is_offered_nothing(
    house: House, leg: routing_pb2.InboxItem, journey: Any
) -> None:
    """It would be the first choice: as local as the one that is asked, and before it by name."""

    def housed() -> str | None:
        legs = ask(journey, routing_pb2.GetJourneyRequest(referral_id=leg.referral_id)).legs
        return next((each.partner_id for each in legs if each.service == common_pb2.SERVICE_KIND_HOUSING), None)

    assert happens("somebody is asked for housing", housed) == "meadow-homes"
    unsigned = house.stub("PartnerInbox", house.who("partner", UNSIGNED))
    assert not ask(unsigned.List, routing_pb2.ListRequest(limit=500)).items
