"""Row 9 for intake: what a concern costs, and what memory intake has, when so many are stored already."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tests.performance.calling import Desk
from tests.performance.ground import Ground
from tests.performance.result import Contest, Sample, flat


def intake(ground: Ground, sizes: Sequence[int], events: int) -> Contest:
    """Row 9, intake's part; triage's is triaging.py's, and the log's is row 11.memory."""
    arms = {f"{size:,} stored": size for size in sizes}
    return Contest(
        "as intake's store grows",
        f"{events:,} new concerns, measured after so many others",
        {name: partial(_after, ground, size, events) for name, size in arms.items()},
        flat("9.intake", "intake", "concerns", arms),
        arms,
    )


def _after(ground: Ground, size: int, events: int) -> Sample:
    """By a desk of its own, whose store and topics are new."""
    desk = Desk(ground)
    try:
        return desk.stream(size + events, warm=size)
    finally:
        desk.forget()
