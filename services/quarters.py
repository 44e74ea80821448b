"""The calendar quarter of a moment: the only period for which anything is counted. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


def quarter(at: datetime) -> str:
    """The calendar quarter of a moment, where days count in England."""
    day = at.astimezone(LONDON)
    return f"{day.year}-Q{(day.month + 2) // 3}"
