"""Every point that the table names is a real one, and a run says which of them never failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.chassis import replies_in, service, starting
from tests.chaos import injected, points
from tests.chaos.injected import Faults
from tests.chaos.points import DECISION, POINTS

ALL = Counter(f"{service}: before {point}" for service, names in POINTS.items() for point in names)
OF_EVERY_SEND = {name for names in POINTS.values() for name in names if name.startswith("send by ")}


@pytest.mark.parametrize(
    ("patched", "services"),
    [(injected.deciding, ("intake", "triage", "partner-routing")), (injected.auditing, ("audit",))],
)
def test_what_is_made_to_fail_is_what_the_table_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patched: Callable[[Faults], None], services: Sequence[str]
) -> None:
    made: list[str] = []

    def noted(faults: Any, point: str, error: Any, real: Any, *, after: bool = True) -> Any:
        made.append(point)
        return real

    for name in ("failing", "failing_later"):
        monkeypatch.setattr(injected, name, noted)
    publishers = [(module, f"{kind}_publisher") for module in (starting, service) for kind in ("own", "shared")]
    for module, name in (*publishers, (replies_in, "AIOKafkaConsumer")):
        monkeypatch.setattr(module, name, vars(module)[name])  # put back at the end

    patched(Faults(tmp_path, services[0]))

    named = {name for each in services for name in POINTS[each]}
    bugs = {DECISION} if patched is injected.deciding else set()
    assert set(made) - bugs == named - OF_EVERY_SEND, "publishers fail under their own names, once they are made"
    assert bugs <= set(made)


def test_a_point_that_never_failed_is_named_and_wrong_in_a_long_run() -> None:
    some = ALL.copy()
    del some["triage: before keys"], some["audit: before memory"]

    assert points.never_failed(ALL) == []
    assert points.never_failed(some) == ["audit: memory", "triage: keys"]
    assert points.wrong(some, 49, 0) == []
    assert points.wrong(some, 50, 0) == ["50 injections, and these points never failed: audit: memory, triage: keys"]


def test_a_point_that_failed_after_what_it_does_has_failed() -> None:
    after = Counter({name.replace("before", "after"): count for name, count in ALL.items()})

    assert points.never_failed(after) == []


def test_too_few_failures_in_all_are_wrong() -> None:
    assert points.wrong(ALL, 60, ALL.total()) == []
    assert points.wrong(ALL, 60, 1_000) == [f"{ALL.total()} failures were injected, not 1000"]


def test_a_point_fails_more_often_until_it_has_failed_and_later_processes_know(tmp_path: Path) -> None:
    (tmp_path / "intake").write_text('{"share": 0.0, "until": 1e12, "seed": 7}')

    def struck() -> int:
        faults = Faults(tmp_path, "intake")
        return sum(faults.strike("before store save") for _ in range(100))

    assert struck() == 1, "once, since the share is none"
    assert struck() == 0, "the next process of the service knows that it has failed"
    assert (tmp_path / "intake.done").read_text() == "before store save\n"
