"""Waits until something happens, and fails with what did not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

HAPPENS_SECONDS = 60.0
"""Long, because a machine may be busy: what does not happen fails all the same, and what does is not waited for."""
LOOK_EVERY = 0.05

T = TypeVar("T")


def happens(what: str, sooner: Callable[[], T | None], seconds: float = HAPPENS_SECONDS) -> T:
    """Wait until `sooner` gives something true, and return it; fail with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = sooner()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(LOOK_EVERY)
