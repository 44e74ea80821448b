"""What a call that failed is answered with, as gRPC sends it; refusals and bugs are logged, without what was sent."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import uuid4

from grpc_status import rpc_status

from services.chassis import errors, logs
from services.chassis.deciding import Refused
from services.chassis.engine.away import Away, Busy
from services.chassis.errors import TimedOut, Unauthenticated, Unavailable, Violation

TIME_TO_REPEAT = 0.5
"""Seconds without which a call that failed is not worth repeating."""
DO_NOT_REPEAT = ("grpc-retry-pushback-ms", "-1")
_FINEST = 0.1
"""Seconds to which a time to return is rounded: under a flood, statuses are made for a few times and not for each."""

_log = logs.get(__name__)


class InvalidRequest(Exception):
    """A request breaks the rules of its fields."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{len(violations)} fields")
        self.violations = violations


def status_of(error: Exception, method: str, seconds_left: float) -> Any:
    """The grpc.Status that tells the caller, who waits so much longer."""
    match error:
        case Busy():
            # Logged by admission.py as a number: there may be very many, and also a line that nobody reads takes 10 µs.
            return _busy(max(1, round(error.retry_after / _FINEST)))
        case Refused():
            _log.info("call_refused", method=method, why=error.why.value, wrong=str(error))
            status = errors.refusal(error)
        case InvalidRequest():
            first = [violation.field for violation in error.violations[:5]]
            _log.info("call_invalid", method=method, first_fields=first, violations=len(error.violations))
            status = errors.invalid(error.violations)
        case Unauthenticated():
            _log.warning("call_unauthenticated", method=method, wrong=error.wrong)
            status = errors.unauthenticated(error)
        case Unavailable():
            _log.warning("call_unavailable", method=method, what=error.what)
            return _away(error, seconds_left)
        case Away():
            _log.warning("call_unavailable", method=method, what=error.what)
            return _away(Unavailable(error.what), seconds_left)
        case TimedOut() | TimeoutError():
            _log.warning("call_timed_out", method=method)
            status = errors.timed_out()
        case _:
            error_id = uuid4().hex
            _log.error("call_failed", method=method, error_id=error_id, exc_info=error)
            status = errors.bug(error_id)
    return rpc_status.to_status(status)


@lru_cache(maxsize=64)
def _busy(tenths: int) -> Any:
    return rpc_status.to_status(errors.busy(tenths * _FINEST))


def _away(error: Unavailable, seconds_left: float) -> Any:
    """The status, which says not to repeat where there is no time for it.

    A channel repeats UNAVAILABLE by itself, and its caller would hear of the deadline and not of what is away.
    """
    status: Any = rpc_status.to_status(errors.unavailable(error))
    if seconds_left > TIME_TO_REPEAT:
        return status
    return status._replace(trailing_metadata=(*status.trailing_metadata, DO_NOT_REPEAT))
