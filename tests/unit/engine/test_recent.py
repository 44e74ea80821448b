"""What a process saved a moment ago is not read again, and never decided on where someone else may have saved since."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from safeguarding.v1.triage_pb2 import Linked, TriageFact
from services.chassis.engine import recent
from tests.unit.engine.conftest import House


def hear(house: House, referral: str, *sequences: int) -> None:
    """One chunk of intake's facts, handled."""
    assert house.hear(*(house.record(referral, sequence) for sequence in sequences)).result(60) == []


def test_a_fact_that_follows_at_once_needs_no_read(house: House, referral: str) -> None:
    hear(house, referral, 1)
    hear(house, referral, 2)
    hear(house, referral, 3, 4)
    assert "load" not in house.store.calls
    assert house.stored(referral) == ["upstream 1", "upstream 2", "upstream 3", "upstream 4"]
    assert house.published(referral) == house.stored(referral)


def test_what_another_process_saved_meanwhile_is_read_and_kept(house: House, referral: str) -> None:
    hear(house, referral, 1)
    other = TriageFact(linked=Linked(by="another process"))
    other.header.sequence = 2
    other.header.event_id = "00000000-0000-4000-8000-000000000001"
    stored = house.store.documents[referral]
    stored["facts"]["triage"].append(other.SerializeToString())
    stored.update(revision="another's", published=2)
    hear(house, referral, 2)
    assert house.engine.counts["conflicts"] == 1
    assert house.stored(referral) == ["upstream 1", "another process", "upstream 2"]


def test_a_command_is_decided_on_what_is_stored(house: House, referral: str) -> None:
    hear(house, referral, 1)
    house.store.calls.clear()
    answer = house.say(referral, "someone").result(60)
    assert house.store.calls == ["load", "save"]
    assert answer.sequence == 2


@pytest.mark.parametrize("sequence", [2, 4])
def test_a_repeat_and_a_gap_are_held_against_what_is_stored(house: House, referral: str, sequence: int) -> None:
    hear(house, referral, 1)
    hear(house, referral, 2)
    house.store.calls.clear()
    house.hear(house.record(referral, sequence)).result(60)
    assert house.store.calls[0] == "load"


def test_after_a_save_without_an_answer_the_store_is_read(house: House, referral: str) -> None:
    hear(house, referral, 1)
    house.store.failing["lost_answer"] = 1
    hear(house, referral, 2)
    assert "load" in house.store.calls
    assert house.stored(referral) == ["upstream 1", "upstream 2"]


def test_no_more_is_remembered_than_a_second_brings(house: House, referral: str) -> None:
    hear(house, referral, 1)
    with patch.object(recent, "MOST", 1):
        hear(house, "00000000-0000-4000-8000-000000000002", 1)
    house.store.calls.clear()
    hear(house, referral, 2)
    assert house.store.calls[0] == "load"
