"""What services logged during a test that failed, so that a failure elsewhere can be understood from its report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

LEVELS = ("warning", "error", "critical")
LAST_LINES = 30
LAST_BYTES = 1_000_000


def warnings_since(folder: Path, moment: datetime) -> Iterator[tuple[str, str]]:
    """The log's path and its last warnings and errors since then, for each `logs/*.log` below the folder with any."""
    for path in sorted(folder.rglob("logs/*.log")):
        found = [line for line in _end_of(path).splitlines() if _matters(line, moment)]
        if found:
            yield str(path.relative_to(folder)), "\n".join(found[-LAST_LINES:])


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        return file.read().decode(errors="replace")


def _matters(line: str, moment: datetime) -> bool:
    try:
        said = json.loads(line)
        return said["level"] in LEVELS and datetime.fromisoformat(said["time"]) >= moment
    except (ValueError, KeyError, TypeError):  # the broker's and the store's lines, and one that the cut went through
        return False
