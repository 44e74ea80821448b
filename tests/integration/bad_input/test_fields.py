"""A request with any one field wrong is refused by name, with what would be right, and changes nothing."""

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from safeguarding.v1 import intake_pb2
from tests.integration.bad_input.right_requests import RIGHT, concern
from tests.integration.bad_input.support import details
from tests.integration.bad_input.wrong_fields import Wrong, wrongs
from tests.integration.house import CALL_SECONDS, STUBS, House, Who, new_key, refused

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("nothing_changes")]

UNARY = sorted(set(RIGHT) - {"Intake/RaiseConcerns"})


def rpc(house: House, method: str, who: Who) -> Any:
    service, _, name = method.partition("/")
    return getattr(house.stub(service, who), name)


def a_raising() -> intake_pb2.RaiseConcernRequest:
    """A right concern under a key of its own."""
    return intake_pb2.RaiseConcernRequest(idempotency_key=new_key(), concern=concern())


def test_every_rpc_has_a_right_request_here() -> None:
    declared = {
        f"{service.name}/{method.name}"
        for name in ("intake", "triage", "routing", "procedure", "insight", "equality", "audit", "parked")
        for service in descriptor_pool.Default()
        .FindFileByName(f"safeguarding/v1/{name}.proto")
        .services_by_name.values()
        for method in service.methods
    }

    assert set(RIGHT) == declared
    assert {method.partition("/")[0] for method in declared} == set(STUBS)


@pytest.mark.parametrize("method", UNARY)
def test_each_wrong_field_is_named_with_what_would_be_right(house: House, callers: dict[str, Who], method: str) -> None:
    role, right = RIGHT[method]
    call = rpc(house, method, callers[role])
    failures = []
    found = list(wrongs(right))
    for wrong in found:
        said = problem(call, wrong)
        if said:
            failures.append(f"{wrong.field} {wrong.how}: {said}")

    assert found or method == "ParkedRecords/ListParked", "there is nothing to get wrong"
    assert failures == []


def problem(call: Any, wrong: Wrong) -> str:
    """What is not as it should be of the answer to a wrong request; empty where all is."""
    error = refused(lambda: call(wrong.request, timeout=CALL_SECONDS))
    if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
        return f"{error.code().name} {error.details()}"
    violations = details(error, error_details_pb2.BadRequest).field_violations
    if {violation.field for violation in violations} != {wrong.field}:
        return f"names {[violation.field for violation in violations]}"
    if not all(violation.description for violation in violations):
        return "does not say what would be right"
    return "" if wrong.field in (error.details() or "") else f"the text does not name the field: {error.details()}"


def test_a_long_narrative_is_refused_without_being_quoted(house: House, callers: dict[str, Who]) -> None:
    request = a_raising()
    request.concern.narrative.text = "marked-word " * 2000

    error = refused(lambda: rpc(house, "Intake/RaiseConcern", callers["officer"])(request, timeout=CALL_SECONDS))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "20000" in (error.details() or "")
    assert "marked-word" not in str(rpc_status.from_call(error))  # type: ignore[arg-type]


def test_an_area_that_the_force_does_not_have_is_refused_with_those_it_has(
    house: House, callers: dict[str, Who]
) -> None:
    request = a_raising()
    request.concern.area = "nowhere"

    error = refused(lambda: rpc(house, "Intake/RaiseConcern", callers["officer"])(request, timeout=CALL_SECONDS))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    [violation] = details(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == "concern.area"
    assert "bristol" in violation.description
    assert "nowhere" not in (error.details() or "")


@pytest.mark.parametrize("method", sorted(RIGHT))
def test_bytes_that_are_no_such_message_are_refused_as_the_callers_fault(
    house: House, callers: dict[str, Who], method: str
) -> None:
    service = method.partition("/")[0]
    role, _ = RIGHT[method]
    channel: Any = house.channel(STUBS[service][1], callers[role])
    path = f"/safeguarding.v1.{method}"
    garbage = b"\xff\xff marked-word"
    if method == "Intake/RaiseConcerns":
        error = refused(lambda: channel.stream_unary(path)(iter([garbage]), timeout=CALL_SECONDS))
    else:
        error = refused(lambda: channel.unary_unary(path)(garbage, timeout=CALL_SECONDS))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error.details()
    assert method in (error.details() or ""), "says which message would be right"
    assert "marked-word" not in (error.details() or "")


def test_in_a_bulk_each_wrong_concern_is_refused_alone_and_by_name(house: House, callers: dict[str, Who]) -> None:
    right = a_raising()
    found = [wrong for wrong in wrongs(right) if wrong.field != "idempotency_key"]
    stream = (
        intake_pb2.RaiseConcernsRequest(concerns=[wrong.request for wrong in found[start : start + 100]])  # type: ignore[misc]
        for start in range(0, len(found), 100)
    )

    answer = rpc(house, "Intake/RaiseConcerns", callers["system"])(stream, timeout=CALL_SECONDS)

    assert not answer.raised
    assert [refusal.field for refusal in answer.refused] == [wrong.field for wrong in found]
    assert {refusal.code for refusal in answer.refused} == {grpc.StatusCode.INVALID_ARGUMENT.value[0]}
    assert all(refusal.message for refusal in answer.refused)


def test_more_than_a_hundred_concerns_in_one_message_are_all_refused(house: House, callers: dict[str, Who]) -> None:
    message = intake_pb2.RaiseConcernsRequest(concerns=[a_raising()] * 101)

    answer = rpc(house, "Intake/RaiseConcerns", callers["system"])(iter([message]), timeout=CALL_SECONDS)

    assert not answer.raised
    assert len(answer.refused) == 101
    assert {refusal.field for refusal in answer.refused} == {"concerns"}
