"""Every role at every RPC with an object that is somebody else's: it is answered as if there were none.

Which objects are whose is written here from the design's words: a raiser has the referrals that they raised, a partner
the legs that it was offered; desk, protection, auditor and operator have all, as far as their RPCs go.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_status import rpc_status

from services.chassis.identity import ROLES
from tests.integration.bad_input.right_requests import RIGHT
from tests.integration.bad_input.support import abuse
from tests.integration.bad_input.test_fields import rpc
from tests.integration.bad_input.test_replies import legs_of
from tests.integration.bad_input.test_roles import OPEN_TO
from tests.integration.house import CALL_SECONDS, House, Who, new_key, refused
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("theirs", "nothing_changes")]

OF_RAISERS = (
    "Intake/SupplyInformation",
    "Intake/Amend",
    "Intake/Withdraw",
    "Intake/GetReferral",
    "Routing/ReadOutcome",
    "Equality/AnswerEquality",
)
OF_PARTNERS = sorted(method for method in RIGHT if method.startswith("PartnerInbox/") and method != "PartnerInbox/List")
RECEIPTS = "Audit/GetReceipt"
SEE_THIS_RECEIPT = {"auditor", "protection", "triage", "supervisor"}
"""Who may see what was raised, and so its receipt (docs/proof.md)."""
NAME_NO_OBJECT = {
    *("Intake/RaiseConcern", "Intake/RaiseConcerns", "Triage/ListWork", "PartnerInbox/List", "Audit/Search"),
    *("Audit/GetConsistency", "Audit/GetEntries", "ParkedRecords/ListParked", "ParkedRecords/ReplayParked"),
    *("Keys/Open", "Watched/FindWatched", "Routing/ReleasePartner", "Insight/GetFigure", "Insight/GetOwnService"),
    "Equality/GetEqualityFigure",
}
OF_EVERYBODY = sorted(set(RIGHT) - set(OF_RAISERS) - set(OF_PARTNERS) - {RECEIPTS} - NAME_NO_OBJECT)
"""Whoever has the role may name any referral."""


@pytest.fixture(scope="module")
def theirs(house: House) -> dict[str, str]:
    """A referral of somebody's who calls nowhere here, a leg of it that is not safe-harbour's, and its first event."""
    stranger = house.who("officer", "pc-stranger", kind="police_officer")
    raised = house.raise_concern(abuse(), stranger)
    journey = house.stub("Routing", house.desk).GetJourney

    def leg() -> str | None:
        legs = legs_of(journey, raised.referral_id)
        return next((each.leg_id for each in legs if each.partner_id != "safe-harbour"), None)

    return {
        "referral_id": raised.referral_id,
        "leg_id": happens("a leg is offered", leg),
        "event_id": raised.event_id,
    }


@pytest.fixture(scope="module")
def nobodys() -> dict[str, str]:
    return {"referral_id": new_key(), "leg_id": new_key(), "event_id": new_key()}


def about(method: str, ids: dict[str, str]) -> Message:
    """The right request, about these objects, under a key of its own."""
    request: Any = copy.deepcopy(RIGHT[method][1])
    for holder in _holders(request):
        for name in ("referral_id", "leg_id", "event_id"):
            if name in holder.DESCRIPTOR.fields_by_name:
                setattr(holder, name, ids[name])
        if "idempotency_key" in holder.DESCRIPTOR.fields_by_name:
            holder.idempotency_key = new_key()
    return request  # type: ignore[no-any-return]  # a copy of what RIGHT holds


def _holders(request: Any) -> Iterator[Any]:
    yield request
    if "command" in request.DESCRIPTOR.fields_by_name:
        yield request.command


def answer(house: House, who: Who, method: str, ids: dict[str, str]) -> tuple[str, str, bytes]:
    """How it is refused: code, words and details."""
    request = about(method, ids)
    error = refused(lambda: rpc(house, method, who)(request, timeout=CALL_SECONDS))
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an error of a call is that call
    assert status is not None
    return error.code().name, status.message, status.SerializeToString(deterministic=True)


def test_every_rpc_is_spoken_of() -> None:
    assert {*OF_RAISERS, *OF_PARTNERS, *OF_EVERYBODY, RECEIPTS, *NAME_NO_OBJECT} == set(RIGHT)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_somebody_elses_object_is_answered_as_none(
    house: House, callers: dict[str, Who], theirs: dict[str, str], nobodys: dict[str, str], role: str
) -> None:
    for method in (*OF_RAISERS, *OF_PARTNERS, RECEIPTS):
        if method == RECEIPTS and role in SEE_THIS_RECEIPT:
            continue
        foreign = answer(house, callers[role], method, theirs)

        assert foreign == answer(house, callers[role], method, nobodys), method
        assert foreign[0] == ("NOT_FOUND" if role in OPEN_TO[method] else "PERMISSION_DENIED"), method


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_referral_that_there_is_opens_nothing_to_another_role(
    house: House, callers: dict[str, Who], theirs: dict[str, str], nobodys: dict[str, str], role: str
) -> None:
    for method in OF_EVERYBODY:
        if role in OPEN_TO[method]:
            assert answer(house, callers[role], method, nobodys)[0] == grpc.StatusCode.NOT_FOUND.name, method
        else:
            denied = answer(house, callers[role], method, theirs)
            assert denied[0] == grpc.StatusCode.PERMISSION_DENIED.name, method
            assert denied == answer(house, callers[role], method, nobodys), method
