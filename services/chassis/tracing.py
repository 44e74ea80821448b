"""Traces: one `traceparent` from the first call through every record; spans carry ids only."""

import json
import re
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()
_NO_CONTEXT = Context()
_FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_tracer: Tracer | None = None
_passed_on: ContextVar[str] = ContextVar("traceparent", default="")
"""Someone else's traceparent, handed on as it came while we record nothing ourselves."""


def configure(service: str, trace_file: Path | None = None, ratio: float = 1.0) -> TracerProvider | None:
    """Record spans from now on, and write each to `trace_file`; without a file nothing is recorded.

    A traceparent that comes along is handed on either way. `ratio` is the share of new traces that is recorded.
    """
    global _tracer
    if trace_file is None:
        _tracer = None
        return None
    resource = Resource({"service.name": service})
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)), resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(_FileExporter(service, trace_file)))
    _tracer = provider.get_tracer("referrals")
    return provider


def span(
    name: str, parent: str = "", kind: SpanKind = SpanKind.INTERNAL, **ids: str | int
) -> AbstractContextManager[object]:
    """A span around a block; `parent` is a traceparent, or empty to go on within the present span.

    An exception's text never becomes part of it: it may hold personal data.
    """
    if _tracer is None:  # an SDK span costs 15 µs of every call, also where nobody reads it
        return _PassingOn(parent)
    return _tracer.start_as_current_span(
        name,
        context=context_of(parent) if parent else None,
        kind=kind,
        attributes=ids,
        record_exception=False,
        set_status_on_exception=False,
    )


class Begun:
    """A span that ends when it is told to, on whatever thread; blocks on several threads may lie within it."""

    __slots__ = ("_parent", "_span")

    def __init__(self, name: str, parent: str = "", kind: SpanKind = SpanKind.INTERNAL) -> None:
        """See `span`."""
        self._parent = parent
        self._span: Span | None = None
        if _tracer is not None:
            self._span = _tracer.start_span(name, context=context_of(parent) if parent else None, kind=kind)

    def within(self) -> AbstractContextManager[object]:
        """Around a block that is part of it."""
        if self._span is None:
            return _PassingOn(self._parent)
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def end(self) -> None:
        """It is over."""
        if self._span is not None:
            self._span.end()


def current() -> str:
    """The present traceparent; empty where there is none."""
    if _tracer is None:
        return _passed_on.get()
    found = trace.get_current_span().get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}" if found.is_valid else ""


def context_of(traceparent: str) -> Context:
    """The context that a traceparent names; a new trace where it is malformed."""
    return _PROPAGATOR.extract({TRACEPARENT: traceparent}, _NO_CONTEXT)


def of_headers(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """The traceparent in a record's headers; empty where there is none that could be one."""
    for name, value in headers:
        if name == TRACEPARENT and value is not None and value.isascii():
            return value.decode()
    return ""


def of_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The traceparent in a call's metadata; empty where there is none."""
    for name, value in metadata or ():
        if name == TRACEPARENT and isinstance(value, str):
            return value
    return ""


class _PassingOn:
    """Stands for a span while nothing is recorded."""

    __slots__ = ("_parent", "_token")

    def __init__(self, parent: str) -> None:
        self._parent = parent
        self._token: Token[str] | None = None

    def __enter__(self) -> None:
        if self._parent:
            self._token = _passed_on.set(self._parent if _FORM.fullmatch(self._parent) else "")

    def __exit__(self, *_error: object) -> None:
        if self._token is not None:
            _passed_on.reset(self._token)


class _FileExporter(SpanExporter):
    """Writes a line of JSON for each span, for local use and tests."""

    def __init__(self, service: str, path: Path) -> None:
        self._service = service
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them all."""
        lines = "".join(json.dumps(self._shown(span)) + "\n" for span in spans)
        with self._lock:
            self._file.write(lines)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _shown(self, span: ReadableSpan) -> dict[str, object]:
        own = span.get_span_context()
        return {
            "service": self._service,
            "name": span.name,
            "trace_id": f"{own.trace_id:032x}" if own else "",
            "span_id": f"{own.span_id:016x}" if own else "",
            "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
            "start_ns": span.start_time,
            "end_ns": span.end_time,
            "ids": dict(span.attributes or {}),
        }
