"""When what Kafka has acknowledged is told to the store by a save of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.chassis.engine.outbox import FEW, RAISE_AT, RAISE_EVERY, RAISE_FEW_EVERY, Outbox


@pytest.mark.parametrize(
    ("count", "due_after"), [(1, RAISE_FEW_EVERY), (FEW, RAISE_FEW_EVERY), (FEW + 1, RAISE_EVERY), (RAISE_AT, 0.0)]
)
def test_few_wait_longer_than_many_and_very_many_not_at_all(count: int, due_after: float) -> None:
    outbox = Outbox("triage", "facts", "TriageFact")
    assert not outbox.raise_due(100.0)
    for number in range(count):
        document: Any = SimpleNamespace(id=f"{number}", revision="1", published=0, length=lambda writer: 1)
        outbox.acknowledged(document)

    assert outbox.raise_due(100.01) is (due_after == 0.0)
    assert outbox.raise_due(100.0 + due_after - 0.01) is (due_after == 0.0)
    assert outbox.raise_due(100.0 + due_after + 0.01)
