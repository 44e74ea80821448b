"""Traces: one `traceparent` from the first call through every record; spans carry ids only."""

import json
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()
_NO_CONTEXT = Context()
_NOTHING_EXPORTED = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
_tracer = _NOTHING_EXPORTED.get_tracer("referrals")


def configure(service: str, trace_file: Path | None = None, ratio: float = 1.0) -> TracerProvider:
    """Record spans from now on, and write each to `trace_file`; without a file nothing is recorded.

    The ids of a trace are made and handed on either way. `ratio` is the share of new traces that is recorded.
    """
    global _tracer
    provider = _NOTHING_EXPORTED
    if trace_file is not None:
        resource = Resource({"service.name": service})
        provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)), resource=resource)
        provider.add_span_processor(SimpleSpanProcessor(_FileExporter(service, trace_file)))
    _tracer = provider.get_tracer("referrals")
    return provider


@contextmanager
def span(
    name: str, parent: str = "", kind: SpanKind = SpanKind.INTERNAL, **ids: str | int
) -> Generator[Span, None, None]:
    """A span around a block; `parent` is a traceparent, or empty to go on within the present span.

    An exception's text never becomes part of it: it may hold personal data.
    """
    with _tracer.start_as_current_span(
        name,
        context=context_of(parent) if parent else None,
        kind=kind,
        attributes=ids,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        yield current


def current() -> str:
    """The present span's traceparent; empty where there is none."""
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
