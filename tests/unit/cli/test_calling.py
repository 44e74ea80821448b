"""What a failed call means to the person who made it, and that unknown outcomes are repeated with the same key."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from safeguarding.v1.intake_pb2 import GetReferralRequest, RaiseConcernRequest
from services.chassis import errors
from services.chassis.deciding import Refused, Why
from services.chassis.errors import Unavailable, Violation
from services.cli import calling, exits
from services.cli.calling import Calls, failed
from services.cli.exits import Exit, Failed

FAULTS = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.OUT_OF_RANGE,  # no service of ours says this
}


class CallError(grpc.RpcError):
    """A failed call, as grpc gives it to a client."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status: Any = rpc_status.to_status(status)

    def code(self) -> grpc.StatusCode:
        code: grpc.StatusCode = self._status.code
        return code

    def details(self) -> str:
        return str(self._status.details)

    def trailing_metadata(self) -> Any:
        return self._status.trailing_metadata


def bare(code: grpc.StatusCode) -> CallError:
    """A failed call without details."""
    return CallError(Status(code=code.value[0], message="said by nobody"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Calls that reach nothing: each test gives its own RPC."""
    monkeypatch.setattr(calling, "LONGEST_PAUSE", 0.0)
    return Calls.__new__(Calls)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK], ids=str)
def test_every_status_code_ends_with_a_documented_exit_status(code: grpc.StatusCode) -> None:
    found = failed(bare(code), "type it again")

    assert found.status is (Exit.FAULT if code in FAULTS else Exit.REFUSED)
    assert found.code == code.name


def test_the_table_names_every_exit_status() -> None:
    rows = [line.split("|")[1].strip() for line in (exits.__doc__ or "").splitlines() if line.startswith("| ")]

    assert rows[1:] == [str(int(status)) for status in Exit]


def test_a_refusal_says_what_was_wrong_what_would_be_right_and_the_legal_moves() -> None:
    refused = Refused(Why.ILLEGAL, "the leg is declined", "make a legal move", legal=("told", "received"))

    found = failed(CallError(errors.refusal(refused)), "again")

    assert found.lines()[:3] == [
        "FAILED_PRECONDITION: the leg is declined",
        "  right: make a legal move",
        "  legal now: told, received",
    ]


def test_a_wrong_field_is_named_with_what_would_be_right() -> None:
    status = errors.invalid([Violation("concern.narrative.text", "at most 20000 characters")])

    found = failed(CallError(status), "again")

    assert (found.status, found.fields) == (Exit.REFUSED, (("concern.narrative.text", "at most 20000 characters"),))
    assert "  concern.narrative.text: at most 20000 characters" in found.lines()


@pytest.mark.parametrize(
    "status", [errors.unavailable(Unavailable("broker")), errors.timed_out()], ids=["away", "late"]
)
def test_no_answer_is_said_as_unknown_with_how_to_repeat(status: Status) -> None:
    found = failed(CallError(status), "referrals raise --key k")

    assert found.status is Exit.FAULT
    assert "unknown whether it happened" in found.wrong
    assert "referrals raise --key k" in found.next


def test_our_fault_says_the_error_to_look_for() -> None:
    found = failed(CallError(errors.bug("e-123")), "again")

    assert (found.status, found.wrong) == (Exit.FAULT, "our fault")
    assert "e-123" in found.next


def test_an_unknown_outcome_is_repeated_with_the_same_request(calls: Calls) -> None:
    request = RaiseConcernRequest(idempotency_key="the-same-key-all-along")
    seen: list[Any] = []

    def rpc(given: Any, timeout: float) -> str:
        seen.append(given.idempotency_key)
        if len(seen) < 3:
            raise CallError(errors.unavailable(Unavailable("store")))
        return "recorded"

    assert calls.tell(rpc, request, "again") == "recorded"
    assert seen == ["the-same-key-all-along"] * 3


def test_repeating_is_bounded_and_a_refusal_is_never_repeated(calls: Calls) -> None:
    turns: list[grpc.StatusCode] = []

    def away(given: Any, timeout: float) -> None:
        turns.append(grpc.StatusCode.UNAVAILABLE)
        raise bare(grpc.StatusCode.UNAVAILABLE)

    def refuses(given: Any, timeout: float) -> None:
        turns.append(grpc.StatusCode.NOT_FOUND)
        raise bare(grpc.StatusCode.NOT_FOUND)

    with pytest.raises(Failed, match="UNAVAILABLE"):
        calls.tell(away, GetReferralRequest(), "again")
    with pytest.raises(Failed, match="NOT_FOUND"):
        calls.tell(refuses, GetReferralRequest(), "again")

    assert turns == [grpc.StatusCode.UNAVAILABLE] * calling.REPEATS + [grpc.StatusCode.NOT_FOUND]
