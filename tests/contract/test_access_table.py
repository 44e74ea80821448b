"""Every RPC is either known to read personal data, and then which look it leaves, or known to read none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from safeguarding.v1 import (
    audit_pb2,
    equality_pb2,
    insight_pb2,
    intake_pb2,
    parked_pb2,
    procedure_pb2,
    routing_pb2,
    triage_pb2,
)
from safeguarding.v1.access_pb2 import AccessKind
from services.chassis.identity import ROLES
from services.chassis.roles import roles_of

PACKAGE = "safeguarding.v1"
LOOKS = {
    "Intake/GetReferral": AccessKind.ACCESS_KIND_VIEWED,
    "Keys/Open": AccessKind.ACCESS_KIND_KEYS_OPENED,
    "Protection/ReviewErasure": AccessKind.ACCESS_KIND_VIEWED,
    "Triage/ListWork": AccessKind.ACCESS_KIND_SEARCHED,
    "Triage/GetAssessment": AccessKind.ACCESS_KIND_VIEWED,
    "Routing/ReadOutcome": AccessKind.ACCESS_KIND_VIEWED,
    "Insight/GetFigure": AccessKind.ACCESS_KIND_SEARCHED,
    "Insight/GetOwnService": AccessKind.ACCESS_KIND_SEARCHED,
    "Equality/GetEqualityFigure": AccessKind.ACCESS_KIND_SEARCHED,
    "Routing/PreviewDisclosure": AccessKind.ACCESS_KIND_VIEWED,
    "Procedures/ReadConferences": AccessKind.ACCESS_KIND_VIEWED,
    "Routing/GetJourney": AccessKind.ACCESS_KIND_VIEWED,
    "PartnerInbox/List": AccessKind.ACCESS_KIND_SEARCHED,
    "PartnerInbox/OpenCopy": AccessKind.ACCESS_KIND_DISCLOSED,
    "Audit/Timeline": AccessKind.ACCESS_KIND_VIEWED,
    "Audit/Search": AccessKind.ACCESS_KIND_SEARCHED,
    "Audit/GetReceipt": AccessKind.ACCESS_KIND_VIEWED,
    "Audit/GetEntries": AccessKind.ACCESS_KIND_EXPORTED,
}
"""What reads personal or pseudonymous data of people; tests/integration/privacy holds the running services to it."""

LOOKS_AT_NOTHING = {
    # Commands: their facts say who did what, and their answers hold ids, sequences and states only.
    "Intake/RaiseConcern", "Intake/RaiseConcerns", "Intake/SupplyInformation", "Intake/Amend", "Intake/Withdraw",
    "Protection/RequestErasure", "Protection/DecideErasure", "Protection/SetHold", "PartnerInbox/ConfirmErasure",
    "Triage/OverrideGrade", "Triage/RequestInformation", "Triage/TakeNoFurtherAction", "Triage/Route",
    "Triage/Reopen", "Triage/EnterInError",
    "Triage/ConfirmLink", "Triage/RejectLink", "Triage/RecordThrive",
    "Routing/RecordTold", "Routing/Recall", "Routing/Shield", "Routing/RecordVictimStep", "Routing/ReleasePartner",
    "PartnerInbox/Acknowledge", "PartnerInbox/Accept", "PartnerInbox/Decline", "PartnerInbox/Progress",
    "PartnerInbox/Complete", "PartnerInbox/Fail", "PartnerInbox/Tell", "PartnerInbox/AcknowledgeRecall",
    "PartnerInbox/AskRaiser",
    # Of it nothing tells: no fact, and no look. Its answer says only whether answers are kept.
    "Equality/AnswerEquality",
    "Procedures/RecordStage", "Procedures/CallConference", "Procedures/RecordConference", "Procedures/CompleteDecision",
    # Operators see positions and classes of errors, never content.
    "ParkedRecords/ListParked", "ParkedRecords/ReplayParked",
    # Which referrals are about staff, as pseudonyms, to audit alone, which flags looks by it.
    "Watched/FindWatched",
    # Hashes, which are public.
    "Audit/GetConsistency",
}  # fmt: skip


def methods() -> Iterator[MethodDescriptor]:
    files = (audit_pb2, equality_pb2, insight_pb2, intake_pb2, parked_pb2, procedure_pb2, routing_pb2, triage_pb2)
    for file in files:
        for service in descriptor_pool.Default().FindFileByName(file.DESCRIPTOR.name).services_by_name.values():
            yield from service.methods


def named(method: MethodDescriptor) -> str:
    return f"{method.containing_service.name}/{method.name}"


def holds_personal_data(message: Descriptor, above: frozenset[str] = frozenset()) -> bool:
    """Whether a marked field lies in the message, however deep."""
    if message.full_name in above:
        return False
    inside = above | {message.full_name}
    return any(
        field.GetOptions().debug_redact
        or (field.message_type is not None and holds_personal_data(field.message_type, inside))
        for field in message.fields
    )


def test_every_rpc_is_in_one_of_the_two_tables() -> None:
    assert {named(method) for method in methods()} == set(LOOKS) | LOOKS_AT_NOTHING
    assert not set(LOOKS) & LOOKS_AT_NOTHING


def test_every_rpc_whose_answer_can_hold_personal_data_leaves_a_look() -> None:
    personal = {named(method) for method in methods() if holds_personal_data(method.output_type)}

    assert personal
    assert personal <= set(LOOKS)


def test_every_kind_of_look_that_a_call_can_leave_is_in_the_table() -> None:
    no_looks = {AccessKind.ACCESS_KIND_UNSPECIFIED, AccessKind.ACCESS_KIND_FLAGGED}

    assert set(LOOKS.values()) == set(AccessKind.values()) - no_looks


RAISE_AND_FOLLOW = {
    "Intake/RaiseConcern", "Intake/SupplyInformation", "Intake/Amend", "Intake/Withdraw", "Intake/GetReferral",
    "Equality/AnswerEquality", "Routing/ReadOutcome", "Audit/GetReceipt", "Audit/GetConsistency",
}  # fmt: skip
"""Raising, one's own concern, what came of it, and its proof."""


@pytest.mark.parametrize("role", ["volunteer", "public"])
def test_citizens_raise_and_follow_their_own_concerns_and_do_nothing_else(role: str) -> None:
    """Police Support Volunteers, Cadets, Neighbourhood and Farm Watch and SpeedWatch are volunteers."""
    assert {named(method) for method in methods() if ROLES[role] in roles_of(f"/{PACKAGE}.{named(method)}")} == (
        RAISE_AND_FOLLOW
    )
