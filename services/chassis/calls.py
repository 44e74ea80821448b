"""One call: who makes it, whether they may, whether there is room, whether the request is right, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.trace import SpanKind

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from services.chassis import checking, tracing
from services.chassis.admission import Admission
from services.chassis.call_status import InvalidRequest, status_of
from services.chassis.deciding import Refused, Why
from services.chassis.directory import Directory
from services.chassis.engine.away import Busy
from services.chassis.errors import TimedOut, Violation
from services.chassis.identity import ROLE_NAMES, Identity, Name, name_of
from services.chassis.later import Later
from services.chassis.metrics import Metrics

Behaviour = Callable[[Any, grpc.ServicerContext], Any]
Urgent = Callable[[Any], bool]
"""Of a request, as it was parsed."""
B = TypeVar("B", bound=Callable[..., Any])

MARGIN = 0.25
"""Seconds before the caller's deadline at which we answer that something is away, so that it hears it from us."""
LONGEST_WAIT = 30.0
"""Seconds that a caller is taken to wait who sets no deadline."""

_CALLER: ContextVar[Identity] = ContextVar("caller")
_CONTEXT: ContextVar[grpc.ServicerContext | None] = ContextVar("context", default=None)


def nothing_is_urgent(request: Any) -> bool:
    """Every request may be told to return later."""
    return False


def promptly(behaviour: B) -> B:
    """Mark a handler that waits for nothing: it is called on gRPC's own threads, and gives what it asked for Later."""
    behaviour.promptly = True  # type: ignore[attr-defined]  # functions may carry marks
    return behaviour


def caller() -> Identity:
    """Who makes the present call. Raises LookupError outside one."""
    return _CALLER.get()


def seconds_left(context: grpc.ServicerContext, *, at_most: float = LONGEST_WAIT) -> float:
    """How long the caller still waits; `at_most` where they set no deadline or a longer one."""
    left: float | None = context.time_remaining()
    return at_most if left is None else min(left, at_most)


def seconds_to_answer(*, at_most: float) -> float:
    """How long the present call may still wait and be answered before its caller gives up; `at_most` outside one."""
    context = _CONTEXT.get()
    return _to_answer(seconds_left(context, at_most=at_most) if context is not None else at_most)


@dataclass(frozen=True, slots=True)
class House:
    """What every call of a server is held against."""

    directory: Directory
    domain: str
    urgent: Urgent
    room: Admission
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Method:
    """What is known of one RPC, found once."""

    short: str
    """As Service/Method."""
    roles: frozenset[int]
    parse: Callable[[bytes], Any]
    """From the bytes of a request to the message."""
    checked_by_handler: bool
    ok: Any
    """The latency histogram's child for calls that end well."""
    busy: Any
    """The same for those that there is no room for, of which there may be very many."""


class Guarded:
    """A handler with all of ours around it. Who calls it waits; reception.py takes a call's steps one by one."""

    def __init__(self, house: House, method: Method, behaviour: Behaviour, *, streams: bool = False) -> None:
        """`streams` where requests come as a stream."""
        self.house = house
        self.method = method
        self.behaviour = behaviour
        self.streams = streams
        self.promptly: bool = getattr(behaviour, "promptly", False)

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Answer one call on the caller's thread."""
        call = Call(self, context)
        try:
            if self.streams:
                call.enter_stream(request)
            else:
                call.enter(request)
            answer = call.behave()
            if isinstance(answer, Later):
                answer = answer.now(call.to_answer)
        except Exception as error:
            status = call.failed(error)
            if status is None:
                raise
        else:
            call.answered()
            return answer
        context.abort_with_status(status)


class Call:
    """One call under way: it is entered, behaves, and ends by `answered` or `failed`, on whatever threads."""

    __slots__ = ("_began", "_context", "_guarded", "_identity", "_request", "_sender", "_span")

    def __init__(self, guarded: Guarded, context: grpc.ServicerContext) -> None:
        self._began = perf_counter()
        self._guarded = guarded
        self._context = context
        parent = tracing.of_metadata(context.invocation_metadata())
        self._span = tracing.Begun(guarded.method.short, parent, SpanKind.SERVER)
        self._sender = ""
        """Who takes up room; nobody does before there was some."""

    @property
    def to_answer(self) -> float:
        """Seconds within which an answer still reaches the caller."""
        return _to_answer(seconds_left(self._context))

    def enter(self, raw: bytes) -> None:
        """Let a request in, which may be told that there is no room for it. Raises what it is to be told."""
        house, method = self._guarded.house, self._guarded.method
        name = self._named()
        request = _parsed(method, raw)
        sender = f"{name.role}/{name.id}"
        # Our own services are never kept waiting: what they ask for is part of what was let in already.
        house.room.enter(sender, urgent=name.role == ROLE_SERVICE or house.urgent(request))
        self._sender = sender
        self._find(name)
        _check(method, request)
        self._request = request

    def enter_stream(self, raws: Iterator[bytes]) -> None:
        """Let a bulk in, whose room reception.py bounds, and whose messages are read as its handler asks for them."""
        self._find(self._named())
        method = self._guarded.method
        self._request = (_read(method, raw) for raw in raws)

    def behave(self) -> Any:
        """What the handler answers, perhaps Later."""
        token, call = _CALLER.set(self._identity), _CONTEXT.set(self._context)
        try:
            with self._span.within():
                return self._guarded.behaviour(self._request, self._context)
        finally:
            _CALLER.reset(token)
            _CONTEXT.reset(call)

    def answered(self) -> None:
        """The call ends well."""
        self._end()
        self._guarded.method.ok.observe(perf_counter() - self._began)

    def failed(self, error: Exception) -> Any:
        """The call ends with this grpc.Status; None where the handler itself has told gRPC what to answer."""
        self._end()
        context: Any = self._context  # the stubs do not know `code`
        if context.code() is not None:
            return None
        method = self._guarded.method
        status = status_of(error, method.short, seconds_left(self._context))
        if isinstance(error, Busy):
            seconds = method.busy
        else:
            seconds = self._guarded.house.metrics.rpc_seconds.labels(method.short, status.code.name)
        seconds.observe(perf_counter() - self._began)
        return status

    def _named(self) -> Name:
        """Who calls by their certificate, if their role may. Reads no file: most of a flood is refused next."""
        house, method = self._guarded.house, self._guarded.method
        name = name_of(self._context.auth_context(), house.domain)  # type: ignore[arg-type]  # the stub says bytes for a list of them
        if name.role not in method.roles:
            roles = ", ".join(sorted(ROLE_NAMES[role] for role in ROLE_NAMES if role in method.roles))
            raise Refused(Why.FORBIDDEN, f"role {name.role_name} may not call {method.short}", f"it is open to {roles}")
        return name

    def _find(self, name: Name) -> None:
        """Whoever that is at present. Raises Refused for one who was removed."""
        self._identity = self._guarded.house.directory.find(name)
        if self._context.time_remaining() == 0:  # it waited in the queue for longer than its caller did
            raise TimedOut

    def _end(self) -> None:
        if self._sender:
            self._guarded.house.room.leave(self._sender)
            self._sender = ""
        self._span.end()


def _to_answer(left: float) -> float:
    return max(0.0, left - min(MARGIN, left / 10))


def _parsed(method: Method, raw: bytes) -> Any:
    try:
        return method.parse(raw)
    except DecodeError:
        right = f"send the request of {method.short} as package safeguarding.v1 defines it"
        raise InvalidRequest([Violation("", right)]) from None


def _read(method: Method, raw: bytes) -> Any:
    request = _parsed(method, raw)
    _check(method, request)
    return request


def _check(method: Method, request: Any) -> None:
    found = None if method.checked_by_handler else checking.violations(request)
    if found:
        raise InvalidRequest(found)
