"""Logs: one JSON line for each event, on stderr, with ids and never with people."""

import json
import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from services.chassis.redactor import plain

OURS = ("services.",)
"""Exceptions of these packages have texts written by us, without data; all others may quote data."""
_DEEPEST_CHAIN = 5
_MOST_FRAMES = 40


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything that is logged, also by libraries, through the redactor to `stream` (stderr)."""
    out = stream if stream is not None else sys.stderr
    structlog.contextvars.clear_contextvars()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            safe,
            lambda _logger, _method, event: json.dumps({"service": service, **event}, ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Foreign()]
    # Kafka's clients tell of every connection at INFO, which hides what matters.
    root.setLevel(max(getattr(logging, level), logging.WARNING))
    logging.captureWarnings(capture=True)


def get(name: str) -> FilteringBoundLogger:
    """A logger: `log.info("referral_accepted", referral_id=…)`; the event's name, then ids."""
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def safe(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: every value through the redactor, exceptions as class and frames."""
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = _exception(given)
    shown: dict[str, Any] = {key: plain(value) for key, value in event.items()}
    if error is not None:
        shown["error"] = described(error)
    return shown


def described(error: BaseException) -> list[dict[str, Any]]:
    """The exception and its causes: classes and frames, no locals; the text only of our own classes."""
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < _DEEPEST_CHAIN:
        kind = type(current)
        one: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
        if kind.__module__.startswith(OURS):
            one["text"] = plain(str(current))
        one["frames"] = _frames(current.__traceback__)
        chain.append(one)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _frames(found: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(found, limit=-_MOST_FRAMES)
    return [f"{_module(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def _module(path: str) -> str:
    """The end of the path: where a checkout lies on a machine is nobody's business."""
    for marker in ("/site-packages/", "/services/", "/build/protos/"):
        if marker in path:
            return (
                marker.strip("/").removeprefix("site-packages")
                + "/" * bool(marker != "/site-packages/")
                + (path.rpartition(marker)[2])
            )
    return path.rpartition("/")[2]


def _exception(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple) and len(given) == 3:
        found: BaseException | None = given[1]
        return found
    return sys.exc_info()[1] if given else None


class _Lines:
    """Writes finished lines. A full disk or a closed stream never stops the work: there is nobody left to tell."""

    _lock = threading.Lock()

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write one line."""
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = log = msg


class _Foreign(logging.Handler):
    """What libraries log: where and at which level, with the text before its arguments are put in.

    Arguments, and texts that were put together beforehand, may quote a record, a document or a query; so an
    argument is shown only where it is a number, and a text only where it has arguments.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record on to structlog."""
        get(record.name).log(
            record.levelno,
            "library",
            template=_template(record),
            numbers=[value for value in _arguments(record) if isinstance(value, int | float)],
            exc_info=record.exc_info,
        )


def _template(record: logging.LogRecord) -> str:
    if not isinstance(record.msg, str) or not record.args:
        return f"[{_module(record.pathname)}:{record.lineno}]"
    return record.msg


def _arguments(record: logging.LogRecord) -> tuple[Any, ...]:
    if isinstance(record.args, tuple):
        return record.args
    return tuple(record.args.values()) if record.args else ()
