"""What may go wrong in one arm without ending the whole run, and how a page says it."""

from __future__ import annotations

import subprocess
from typing import Any

import grpc
from kafka.errors import KafkaError
from pymongo.errors import PyMongoError

from services.cli.local.errors import StackError
from services.cli.local.home import CHECKOUT
from tests.performance.process import ArmEnded

FAILURES = (
    ArmEnded,
    StackError,
    grpc.RpcError,
    grpc.FutureTimeoutError,
    KafkaError,
    PyMongoError,
    subprocess.SubprocessError,
    RuntimeError,
    OSError,  # TimeoutError is one
)
"""Of a call, a client, a peer's program or the stack. A mistake in the benchmark itself still ends it."""
MOST_WORDS = 300


def reason(error: BaseException) -> str:
    """The error's kind and what it says, in one line and without this machine's paths."""
    kind, says = type(error).__name__, str(error)
    if isinstance(error, grpc.RpcError):
        kind = "RpcError"  # the classes under it are private
        call: Any = error
        if callable(getattr(call, "code", None)):
            says = f"{call.code().name} {call.details()}"
    elif isinstance(error, subprocess.TimeoutExpired):
        says = f"not within {error.timeout:.0f} s"
    elif isinstance(error, subprocess.CalledProcessError):
        says = f"ended with {error.returncode}"
    elif isinstance(error, OSError) and error.strerror:
        says = error.strerror
    return plain(f"{kind}: {says}" if says else kind)


def plain(words: str) -> str:
    """The last line of what was said, without this machine's paths: of a traceback, what was wrong."""
    lines = words.strip().splitlines() or [""]
    return lines[-1].replace(f"{CHECKOUT}/", "")[:MOST_WORDS]
