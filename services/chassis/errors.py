"""What goes wrong, said to a caller: one gRPC status each, with google.rpc details for programs."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from services.chassis.deciding import Refused, Why

DOMAIN = "referrals.safeguarding"

STATUS_OF: Mapping[Why, grpc.StatusCode] = {
    Why.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Why.UNKNOWN: grpc.StatusCode.NOT_FOUND,
    Why.STALE: grpc.StatusCode.ABORTED,
    Why.CONFLICT: grpc.StatusCode.ALREADY_EXISTS,
    Why.ILLEGAL: grpc.StatusCode.FAILED_PRECONDITION,
    Why.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
}

# gRPC sends a status in HTTP headers, which many clients limit to 8 KiB in all.
MOST_VIOLATIONS = 25
MOST_MOVES = 25


class Unavailable(Exception):
    """What the call needs is away; nothing was promised, and the same call may be repeated.

    `what` names the thing that is away (broker, store, engine), without addresses or data.
    """

    def __init__(self, what: str, retry_after: float = 1.0) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after
        """Seconds that the caller is asked to wait."""


class TimedOut(Exception):
    """The deadline passed before the outcome was known: it is unknown, never failed."""


class Unauthenticated(Exception):
    """The certificate does not say who calls."""

    def __init__(self, wrong: str, right: str) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.right = right


class Violation(NamedTuple):
    """A field that breaks its rule: its path in the request, and what would be right. Never its value."""

    field: str
    right: str


def refusal(refused: Refused) -> Status:
    """The status of a refusal."""
    info: list[Message] = [_info(refused.why.name, wrong=str(refused), right=refused.right)]
    if refused.field:
        info.append(_bad_request([Violation(refused.field, refused.right)]))
    if refused.why is Why.ILLEGAL:
        info.append(_legal(refused.legal))
    return status(STATUS_OF[refused.why], f"{refused}; {refused.right}", info)


def invalid(violations: Iterable[Violation]) -> Status:
    """The status of a request whose fields break their rules."""
    found = list(violations)
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    text = f"{first.field or 'request'}: {first.right}{more}"
    info = _info(Why.INVALID.name, wrong="a field breaks its rule", right="see the field violations")
    return status(grpc.StatusCode.INVALID_ARGUMENT, text, [info, _bad_request(found)])


def unavailable(away: Unavailable) -> Status:
    """The status of a call whose needs are away for now."""
    pause = Duration()
    pause.FromNanoseconds(int(away.retry_after * 1_000_000_000))
    text = f"the {away.what} is away; repeat with the same key"
    info = _info("UNAVAILABLE", wrong=f"the {away.what} is away", right="repeat with the same key")
    return status(grpc.StatusCode.UNAVAILABLE, text, [info, details.RetryInfo(retry_delay=pause)])


def busy(retry_after: float) -> Status:
    """The status of a call that would wait too long behind others."""
    pause = Duration()
    pause.FromNanoseconds(int(retry_after * 1_000_000_000))
    text = "too many calls are waiting; repeat later with the same key"
    info = _info("BUSY", wrong="too many calls are waiting", right="repeat later with the same key")
    return status(grpc.StatusCode.RESOURCE_EXHAUSTED, text, [info, details.RetryInfo(retry_delay=pause)])


def timed_out() -> Status:
    """The status of a call whose outcome was not known in time."""
    text = "unknown, repeat with the same key"
    info = _info("UNKNOWN_OUTCOME", wrong="the deadline passed", right="repeat with the same key")
    return status(grpc.StatusCode.DEADLINE_EXCEEDED, text, [info])


def unauthenticated(error: Unauthenticated) -> Status:
    """The status of a call by someone whose certificate names nobody."""
    info = _info("UNAUTHENTICATED", wrong=error.wrong, right=error.right)
    return status(grpc.StatusCode.UNAUTHENTICATED, f"{error.wrong}; {error.right}", [info])


def bug(error_id: str) -> Status:
    """The status of our own fault: an id that finds it in the log, and nothing else."""
    info = details.ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"errorId": error_id})
    return status(grpc.StatusCode.INTERNAL, f"our fault, error {error_id}", [info])


def status(code: grpc.StatusCode, text: str, info: Iterable[Message]) -> Status:
    """A google.rpc.Status with its details."""
    made = Status(code=code.value[0], message=text)
    for message in info:
        made.details.append(_any(message))
    return made


def _any(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed


def _info(reason: str, *, wrong: str, right: str) -> Message:
    found: Message = details.ErrorInfo(reason=reason, domain=DOMAIN, metadata={"wrong": wrong, "right": right})
    return found


def _bad_request(violations: list[Violation]) -> Message:
    fields = details.BadRequest.FieldViolation
    listed = [fields(field=field, description=right) for field, right in violations[:MOST_VIOLATIONS]]
    if len(violations) > MOST_VIOLATIONS:
        listed.append(fields(field="", description=f"and {len(violations) - MOST_VIOLATIONS} more"))
    found: Message = details.BadRequest(field_violations=listed)
    return found


def _legal(moves: tuple[str, ...]) -> Message:
    violation = details.PreconditionFailure.Violation
    listed = [violation(type="LEGAL_MOVE", subject=move, description="legal now") for move in moves[:MOST_MOVES]]
    found: Message = details.PreconditionFailure(violations=listed)
    return found
