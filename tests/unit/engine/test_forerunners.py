"""A fact that another soon follows waits a moment for it; nothing is lost, overtaken or committed by that."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.chassis.deciding import Input, Upstream
from services.chassis.engine import forerunners
from tests.unit.engine.conftest import House

Eventually = Callable[[Callable[[], Any]], None]


def first(given: Input) -> bool:
    return isinstance(given, Upstream) and given.sequence == 1


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """An engine whose first facts wait for as long as a test may take."""
    monkeypatch.setattr(forerunners, "LONGEST_WAIT", 600.0)
    made = House(early=first)
    made.engine.start()
    yield made
    made.stop()


def test_a_fact_and_what_follows_it_are_one_save(patient: House, referral: str, eventually: Eventually) -> None:
    one, two = patient.record(referral, 1), patient.record(referral, 2)

    assert list(patient.hear(one).result(60)) == [one.position]
    assert "save" not in patient.store.calls
    assert list(patient.hear(two).result(60)) == []

    assert patient.store.calls.count("save") == 1
    assert patient.published(referral) == ["upstream 1", "upstream 2"]
    eventually(lambda: patient.released == [one.position])


def test_together_they_wait_for_nothing(patient: House, referral: str) -> None:
    assert list(patient.hear(patient.record(referral, 1), patient.record(referral, 2)).result(60)) == []
    assert patient.published(referral) == ["upstream 1", "upstream 2"]


def test_what_nothing_follows_is_handled_alone(
    patient: House, referral: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forerunners, "LONGEST_WAIT", 0.01)
    one = patient.record(referral, 1)
    patient.hear(one).result(60)

    eventually(lambda: patient.released == [one.position])
    assert patient.published(referral) == ["upstream 1"]


def test_a_command_is_decided_after_the_fact_that_waits(patient: House, referral: str) -> None:
    patient.hear(patient.record(referral, 1)).result(60)

    assert patient.say(referral, "someone").result(60).sequence == 2
    assert patient.published(referral) == ["upstream 1", "someone"]


def test_a_store_that_is_away_loses_neither(patient: House, referral: str, eventually: Eventually) -> None:
    one = patient.record(referral, 1)
    patient.hear(one).result(60)
    patient.store.failing.update(save=2, load=1)
    patient.hear(patient.record(referral, 2)).result(60)

    assert patient.published(referral) == ["upstream 1", "upstream 2"]
    eventually(lambda: patient.released == [one.position])


def test_a_repeat_of_what_waits_is_one_effect(patient: House, referral: str) -> None:
    one = patient.record(referral, 1)
    patient.hear(one).result(60)

    assert list(patient.hear(one).result(60)) == []
    assert patient.published(referral) == ["upstream 1"]


def test_what_comes_in_bulk_waits_for_nothing(patient: House, referral: str) -> None:
    many = [patient.record(str(uuid.uuid4()), 1) for _ in range(forerunners.LARGEST_TURN + 1)]
    assert list(patient.hear(*many).result(60)) == []


def test_what_cannot_be_read_is_parked_as_ever(patient: House, referral: str) -> None:
    assert list(patient.hear(patient.record(referral, 1, value=b"\xff")).result(60)) == []
    assert len(patient.parked.entries()) == 1
