"""Every role at every RPC of the running services: open exactly where this table says, which repeats no proto."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest

from services.chassis.identity import ROLES
from tests.integration.bad_input.right_requests import RIGHT
from tests.integration.bad_input.test_fields import rpc
from tests.integration.house import CALL_SECONDS, House, Who

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("nothing_changes")]

EXPECTED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
}
RAISERS = {"officer", "volunteer", "public", "partner", "system"}
DESK = {"triage", "supervisor"}
OPEN_TO: dict[str, set[str]] = {
    "Intake/RaiseConcern": RAISERS,
    "Intake/RaiseConcerns": {"system", "officer", "partner"},
    "Intake/SupplyInformation": RAISERS,
    "Intake/Amend": RAISERS,
    "Intake/Withdraw": RAISERS,
    "Intake/GetReferral": RAISERS,
    "Keys/Open": {"service"},
    "Protection/ReviewErasure": {"protection"},
    "Protection/RequestErasure": {"protection"},
    "Protection/DecideErasure": {"protection"},
    "Protection/SetHold": {"protection"},
    "Watched/FindWatched": {"service"},
    "Triage/OverrideGrade": DESK,
    "Triage/RequestInformation": DESK,
    "Triage/TakeNoFurtherAction": DESK,
    "Triage/Route": DESK,
    "Triage/Reopen": {"supervisor"},
    "Triage/EnterInError": {"supervisor"},
    "Triage/ConfirmLink": DESK,
    "Triage/RejectLink": DESK,
    "Triage/RecordThrive": DESK,
    "Triage/ListWork": DESK,
    "Triage/GetAssessment": DESK | {"protection"},
    "Routing/ReadOutcome": RAISERS,
    "Routing/RecordTold": DESK,
    "Routing/Recall": DESK,
    "Equality/AnswerEquality": {"public", "volunteer", "officer"},
    "Equality/GetEqualityFigure": {"supervisor", "protection", "auditor"},
    "Insight/GetFigure": {"supervisor", "protection", "auditor"},
    "Insight/GetOwnService": {"partner"},
    "Routing/RecordVictimStep": DESK | {"partner"},
    "Procedures/RecordStage": DESK | {"protection", "partner"},
    "Procedures/CallConference": DESK,
    "Procedures/RecordConference": DESK,
    "Procedures/CompleteDecision": DESK | {"partner"},
    "Procedures/ReadConferences": DESK | {"protection", "partner"},
    "Routing/Shield": DESK | {"protection"},
    "Routing/PreviewDisclosure": DESK | {"protection"},
    "Routing/GetJourney": DESK | {"protection", "auditor"},
    "Routing/ReleasePartner": {"operator"},
    "PartnerInbox/List": {"partner"},
    "PartnerInbox/OpenCopy": {"partner"},
    "PartnerInbox/Acknowledge": {"partner"},
    "PartnerInbox/Accept": {"partner"},
    "PartnerInbox/Decline": {"partner"},
    "PartnerInbox/Progress": {"partner"},
    "PartnerInbox/Complete": {"partner"},
    "PartnerInbox/Fail": {"partner"},
    "PartnerInbox/Tell": {"partner"},
    "PartnerInbox/AcknowledgeRecall": {"partner"},
    "PartnerInbox/AskRaiser": {"partner"},
    "PartnerInbox/ConfirmErasure": {"partner"},
    "ParkedRecords/ListParked": {"operator"},
    "ParkedRecords/ReplayParked": {"operator"},
    "Audit/Timeline": {"auditor", "protection"},
    "Audit/Search": {"auditor", "protection"},
    "Audit/GetReceipt": RAISERS | DESK | {"auditor", "protection"},
    "Audit/GetConsistency": RAISERS | DESK | {"auditor", "protection", "operator"},
    "Audit/GetEntries": {"auditor"},
}


def test_the_table_names_every_rpc() -> None:
    assert set(OPEN_TO) == set(RIGHT)


@pytest.mark.parametrize("method", sorted(OPEN_TO))
def test_an_rpc_is_open_to_the_roles_of_the_table_and_to_no_other(
    house: House, callers: dict[str, Who], method: str
) -> None:
    assert set(callers) == set(ROLES)

    found = {role for role in ROLES if may_call(house, callers[role], method)}

    assert found == OPEN_TO[method]


def may_call(house: House, who: Who, method: str) -> bool:
    """Whether the role lets the call through; an empty request is then refused for another reason, or harmless."""
    request = type(RIGHT[method][1])()
    if method == "ParkedRecords/ReplayParked":
        request = RIGHT[method][1]  # an empty one replays everything
    call = rpc(house, method, who)
    code = code_of(lambda: call(iter([request]) if method == "Intake/RaiseConcerns" else request, timeout=CALL_SECONDS))
    assert code in EXPECTED, f"{who.role} at {method}: {code.name}"
    return code is not grpc.StatusCode.PERMISSION_DENIED


def code_of(call: Callable[[], object]) -> grpc.StatusCode:
    """The code that a call ends with."""
    try:
        call()
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK
