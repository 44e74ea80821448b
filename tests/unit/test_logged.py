"""A failed test shows what services complained of while it ran, and nothing from before."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.logged import warnings_since

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def line(level: str, minute: int, event: str) -> str:
    return json.dumps({"level": level, "time": f"2026-03-01T12:{minute:02}:00Z", "event": event})


def test_only_warnings_since_the_test_began_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "house" / "home" / "logs" / "triage.log"
    log.parent.mkdir(parents=True)
    early = json.dumps({"level": "error", "time": "2026-03-01T11:59:59Z", "event": "early"})
    log.write_text("\n".join([early, line("info", 1, "calm"), "[kafka] no JSON", line("warning", 2, "slow")]))

    assert list(warnings_since(tmp_path, BEGAN)) == [("house/home/logs/triage.log", line("warning", 2, "slow"))]


def test_a_log_without_any_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "intake.log").write_text(line("info", 1, "calm"))

    assert list(warnings_since(tmp_path, BEGAN)) == []
