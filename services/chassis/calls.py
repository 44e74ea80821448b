"""The one interceptor of every gRPC server: who calls, whether they may, whether the request is right."""

from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn, TypeAlias
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from opentelemetry.trace import SpanKind

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from services.chassis import checking, errors, logs, tracing
from services.chassis.admission import Admission
from services.chassis.deciding import Refused, Why
from services.chassis.directory import Directory
from services.chassis.engine.away import Away, Busy
from services.chassis.errors import TimedOut, Unauthenticated, Unavailable, Violation
from services.chassis.identity import ROLE_NAMES, Identity, name_of
from services.chassis.metrics import METRICS, Metrics
from services.chassis.roles import roles_of

OPEN = frozenset({"/grpc.health.v1.Health/Check"})
"""Asked by load balancers and supervisors: a certificate of our authority is enough."""
REFLECTION = frozenset({"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"})

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, grpc.ServicerContext], Any]
Urgent = Callable[[Any], bool]
"""Of a request, as it was parsed."""

MARGIN = 0.25
"""Seconds before the caller's deadline at which we answer that something is away, so that it hears it from us."""

TIME_TO_REPEAT = 2 * MARGIN
"""Seconds without which a call that failed is not worth repeating."""
DO_NOT_REPEAT = ("grpc-retry-pushback-ms", "-1")

_CALLER: ContextVar[Identity] = ContextVar("caller")
_CONTEXT: ContextVar[grpc.ServicerContext | None] = ContextVar("context", default=None)
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
_log = logs.get(__name__)


def nothing_is_urgent(request: Any) -> bool:
    """Every request may be told to return later."""
    return False


def caller() -> Identity:
    """Who makes the present call. Raises LookupError outside one."""
    return _CALLER.get()


def seconds_left(context: grpc.ServicerContext, *, at_most: float = 30.0) -> float:
    """How long the caller still waits; `at_most` where they set no deadline or a longer one."""
    left: float | None = context.time_remaining()
    return at_most if left is None else min(left, at_most)


def seconds_to_answer(*, at_most: float) -> float:
    """How long the present call may still wait and be answered before its caller gives up; `at_most` outside one."""
    context = _CONTEXT.get()
    left = seconds_left(context, at_most=at_most) if context is not None else at_most
    return max(0.0, left - min(MARGIN, left / 10))


class InvalidRequest(Exception):
    """A request breaks the rules of its fields."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{len(violations)} fields")
        self.violations = violations


@dataclass(frozen=True, slots=True)
class _Method:
    """What the interceptor knows of one RPC, found once."""

    name: str
    """As /package.Service/Method."""
    short: str
    """As Service/Method."""
    roles: frozenset[int]
    parse: Callable[[bytes], Any] | None
    """From the bytes of a request to the message; None where the RPC is shut."""
    checked_by_handler: bool
    ok: Any
    """The latency histogram's child for calls that end well."""


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps every handler. An RPC that declares no roles is refused.

    `checked_by_handler` are RPCs (/package.Service/Method) whose handlers call `checking.violations`
    themselves, as where each part of a bulk stands alone. `reflection` opens reflection to every certificate.
    `urgent` says of a request that it cannot wait for room (admission.py).
    """

    def __init__(
        self,
        directory: Directory,
        domain: str,
        *,
        checked_by_handler: Collection[str] = (),
        reflection: bool = False,
        urgent: Urgent = nothing_is_urgent,
        metrics: Metrics = METRICS,
    ) -> None:
        self._directory = directory
        self._domain = domain
        self._checked_by_handler = frozenset(checked_by_handler)
        self._open = OPEN | REFLECTION if reflection else OPEN
        self._urgent = urgent
        self._room = Admission()
        self._metrics = metrics
        self._wrapped: dict[str, Handler] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Give the wrapped handler; each is wrapped once."""
        name = handler_call_details.method
        known = self._wrapped.get(name)
        if known is not None:
            return known
        handler = continuation(handler_call_details)
        if handler is None:  # not remembered: the names of methods that do not exist have no end
            return None
        wrapped = handler if name in self._open else self._wrap(name, handler)
        self._wrapped[name] = wrapped
        return wrapped

    def _wrap(self, name: str, handler: Handler) -> Handler:
        short = name.rpartition(".")[2]
        ok = self._metrics.rpc_seconds.labels(short, grpc.StatusCode.OK.name)
        method = _Method(
            name, short, roles_of(name), handler.request_deserializer, name in self._checked_by_handler, ok
        )
        # Requests are parsed here, not by gRPC, which calls bytes that are no message a fault of ours (INTERNAL).
        coding = {"request_deserializer": None, "response_serializer": handler.response_serializer}
        if not method.roles or handler.request_deserializer is None:
            return _closed(handler, coding)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._guarded(method, handler.unary_unary), **coding)
        if handler.stream_unary is not None:
            return grpc.stream_unary_rpc_method_handler(self._guarded(method, handler.stream_unary), **coding)
        # No RPC of ours streams answers; whoever adds one adds its guard here, and until then it stays shut.
        return _closed(handler, coding)

    def _guarded(self, method: _Method, behaviour: Behaviour) -> Behaviour:
        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            began = perf_counter()
            parent = tracing.of_metadata(context.invocation_metadata())
            with tracing.span(method.short, parent, SpanKind.SERVER):
                try:
                    answer = self._answer(method, behaviour, request, context)
                    method.ok.observe(perf_counter() - began)
                    return answer
                except Exception as error:
                    if _answered(context):
                        raise
                    status = _status_of(error, method)
            code = _CODES[status.code]
            self._metrics.rpc_seconds.labels(method.short, code).observe(perf_counter() - began)
            context.abort_with_status(_final(rpc_status.to_status(status), context))

        return guarded

    def _answer(self, method: _Method, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        identity = self._admitted(method, context)
        if context.time_remaining() == 0:  # it waited in the queue for longer than its caller did
            raise TimedOut
        if isinstance(request, Iterator):  # a bulk, which its handler bounds itself
            room: Any = nullcontext()
            request = (_read(method, raw) for raw in request)
        else:
            request = _parsed(method, request)
            # Our own services are never kept waiting: what they ask for is part of what was let in already.
            sender = f"{identity.role_name}/{identity.id}"
            room = self._room.entered(sender, urgent=identity.role == ROLE_SERVICE or self._urgent(request))
        with room:
            if not isinstance(request, Iterator):
                _check(method, request)
            token, call = _CALLER.set(identity), _CONTEXT.set(context)
            try:
                return behaviour(request, context)
            finally:
                _CALLER.reset(token)
                _CONTEXT.reset(call)

    def _admitted(self, method: _Method, context: grpc.ServicerContext) -> Identity:
        name = name_of(context.auth_context(), self._domain)  # type: ignore[arg-type]  # the stub says bytes for a list of them
        if name.role not in method.roles:
            roles = ", ".join(sorted(ROLE_NAMES[role] for role in ROLE_NAMES if role in method.roles))
            raise Refused(Why.FORBIDDEN, f"role {name.role_name} may not call {method.short}", f"it is open to {roles}")
        return self._directory.find(name)


def _answered(context: Any) -> bool:
    """Whether the handler itself told gRPC what to answer (the stubs do not know `code`)."""
    return context.code() is not None


def _final(status: Any, context: grpc.ServicerContext) -> Any:
    """The status, which says not to repeat where there is no time for it.

    A channel repeats UNAVAILABLE by itself, and its caller would hear of the deadline and not of what is away.
    """
    if status.code is not grpc.StatusCode.UNAVAILABLE or seconds_left(context) > TIME_TO_REPEAT:
        return status
    return status._replace(trailing_metadata=(*status.trailing_metadata, DO_NOT_REPEAT))


def _parsed(method: _Method, raw: bytes) -> Any:
    assert method.parse is not None  # noqa: S101 - an RPC without it is shut
    try:
        return method.parse(raw)
    except DecodeError:
        right = f"send the request of {method.short} as package safeguarding.v1 defines it"
        raise InvalidRequest([Violation("", right)]) from None


def _read(method: _Method, raw: bytes) -> Any:
    request = _parsed(method, raw)
    _check(method, request)
    return request


def _check(method: _Method, request: Any) -> None:
    found = None if method.checked_by_handler else checking.violations(request)
    if found:
        raise InvalidRequest(found)


def _status_of(error: Exception, method: _Method) -> Status:
    """The status that tells the caller; refusals and bugs are logged, without what the caller sent."""
    match error:
        case Refused():
            _log.info("call_refused", method=method.short, why=error.why.value, wrong=str(error))
            return errors.refusal(error)
        case InvalidRequest():
            first = [violation.field for violation in error.violations[:5]]
            _log.info("call_invalid", method=method.short, first_fields=first, violations=len(error.violations))
            return errors.invalid(error.violations)
        case Unauthenticated():
            _log.warning("call_unauthenticated", method=method.short, wrong=error.wrong)
            return errors.unauthenticated(error)
        case Unavailable():
            _log.warning("call_unavailable", method=method.short, what=error.what)
            return errors.unavailable(error)
        case Away():
            _log.warning("call_unavailable", method=method.short, what=error.what)
            return errors.unavailable(Unavailable(error.what))
        case Busy():
            _log.debug("call_refused_busy", method=method.short)  # admission.py counts them: there may be very many
            return errors.busy(error.retry_after)
        case TimedOut() | TimeoutError():
            _log.warning("call_timed_out", method=method.short)
            return errors.timed_out()
    error_id = uuid4().hex
    _log.error("call_failed", method=method.short, error_id=error_id, exc_info=error)
    return errors.bug(error_id)


def _closed(handler: Handler, coding: dict[str, Any]) -> Handler:
    """A handler of the same shape that refuses everyone."""
    closed = rpc_status.to_status(errors.refusal(Refused(Why.FORBIDDEN, "this RPC is open to no role", "call another")))

    def refuse(_request: Any, context: grpc.ServicerContext) -> NoReturn:
        context.abort_with_status(closed)

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(refuse, **coding)
