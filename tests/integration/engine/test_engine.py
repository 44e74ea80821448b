"""The engine on a real store and a real broker: what a turn costs, and what it survives at each point."""

from __future__ import annotations

import uuid

import pytest

from services.chassis.engine import Away, publishing
from services.chassis.kafka_in.chunk import Chunk
from tests.integration.engine.conftest import Works, command, upstream_records

pytestmark = pytest.mark.integration

POINTS = [
    ("load", "before"),
    ("load", "after"),
    ("save", "before"),
    ("save", "after"),
    ("publish", "before"),
    ("publish", "after"),
]


def ids(count: int) -> list[str]:
    """New referral ids."""
    return [str(uuid.uuid4()) for _ in range(count)]


def test_a_full_turn_costs_one_read_one_insert_one_update_and_one_wait(works: Works) -> None:
    """Four hundred referrals that the store knows, and a hundred new ones, in one turn."""
    known, new = ids(400), ids(100)
    works.start(reading=False)
    works.engine.handle(Chunk(upstream_records(works, known, 1))).result(30)
    works.wait_for(lambda: works.collection.count_documents({"pending": True}) == 0)
    works.commands.counts.clear()
    works.costs.turns.clear()
    works.publisher.waits = 0

    records = upstream_records(works, known, 2) + upstream_records(works, new, 1)
    works.engine.handle(Chunk(records)).result(30)

    [(inputs, sent)] = works.costs.turns
    assert inputs == 500
    assert sent == {"find": 1, "insert": 1, "update": 1}
    assert works.publisher.waits == 1


@pytest.mark.parametrize(("point", "when"), POINTS, ids=[f"{point} {when}" for point, when in POINTS])
def test_a_fault_at_any_point_is_waited_out_and_every_effect_happens_once(
    works: Works, point: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost answers included: what may have happened is looked up, never assumed."""
    if point == "load":
        monkeypatch.setattr(publishing, "LARGEST_TURN", 0)  # nothing is remembered, so each step reads
    referrals = ids(50)
    works.write(referrals, [1])
    works.start()
    works.wait_for(lambda: works.engine.counts["applied"] >= 50)
    works.faults.fail(point, when, times=3)
    # One step at a time: a turn that lost its answer finds everything applied and needs no second save, so each
    # step is sure to meet one fault only.
    for step in (2, 3, 4):
        works.write(referrals, [step])
        works.wait_until_handled(50 * step)

    assert works.faults.met[f"{point} {when}"] == 3
    published = works.published()
    assert sorted(published) == sorted(referrals)
    for referral, records in published.items():
        first_of_each = list(dict.fromkeys(event for event, _ in records))
        assert len(first_of_each) == 4, referral
        assert len(set(records)) == 4, "the same event id with other bytes"
        stored = works.collection.find_one({"_id": referral})
        assert stored is not None
        assert [bytes(raw) for raw in stored["facts"]["triage"]] == list(dict.fromkeys(value for _, value in records))
    assert works.parked.entries() == []
    assert not works.died.is_set()


def test_a_decider_that_raises_parks_what_it_met_and_nothing_is_skipped(works: Works) -> None:
    """The record lies on the parked topic, later ones behind it, and a replay after the mend handles all in order."""
    referrals = ids(20)
    works.decider.broken = True
    works.write(referrals, [1, 2])
    works.start()
    works.wait_for(lambda: len(works.parked.entries()) == 40)
    assert works.published() == {}

    works.decider.broken = False
    assert all(future.result(30) for future in works.engine.replay())

    works.wait_for(lambda: works.parked.entries() == [])
    assert {referral: len(records) for referral, records in works.published().items()} == dict.fromkeys(referrals, 2)


@pytest.mark.parametrize("point", ["save", "publish"])
def test_a_command_whose_answer_was_lost_is_unknown_and_its_repeat_gives_one_effect(works: Works, point: str) -> None:
    """Never OK before store and broker have it."""
    [referral] = ids(1)
    works.start(reading=False)
    given = command(referral, "hello")
    works.faults.fail(point, "after")

    with pytest.raises(Away):
        works.engine.submit([given])[0].result(30)
    works.wait_for(lambda: works.engine.away is None)
    answer = works.engine.submit([given])[0].result(30)

    assert [fact.linked.by for fact in answer.facts] == ["hello"]
    assert len(dict.fromkeys(works.published()[referral])) == 1
