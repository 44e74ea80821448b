"""Where what decisions need cannot be had for one referral, its inputs fail, and no others wait for them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis.engine.away import Away
from services.chassis.engine.gathering import gathered
from tests.fakes.decider import State
from tests.unit.engine.conftest import House

Work = Sequence[tuple[State, Any]]


class Broken(Exception):
    """What a gather did not expect."""


def test_one_referral_fails_alone_and_its_record_is_parked_until_the_mend(referral: str) -> None:
    other = str(uuid.uuid4())
    broken = {referral}

    def gather(work: Work) -> Mapping[str, Any]:
        if any(given.referral_id in broken for _, given in work):
            raise Broken
        return {}

    house = House(gather=gather)
    house.engine.start()
    house.hear(house.record(referral, 1), house.record(other, 1)).result(60)
    with pytest.raises(Broken):
        house.say(referral, "a command").result(60)

    [entry] = house.parked.entries()
    assert (entry.kind, entry.error) == (ParkedClass.PARKED_CLASS_BUG, "Broken")
    assert house.published(other) == ["upstream 1"]
    broken.clear()
    assert [future.result(60) for future in house.engine.replay()] == [True]
    assert house.published(referral) == ["upstream 1"]
    assert not house.died.is_set()
    house.stop()


def test_what_fails_only_together_fails_for_all() -> None:
    def gather(work: Work) -> Mapping[str, Any]:
        if len(work) > 1:
            raise Broken
        return {"some": 1}

    found, failed = gathered(gather, [("a", (State(), 1)), ("b", (State(), 2))])

    assert found == {}
    assert {referral_id: type(error) for referral_id, error in failed.items()} == {"a": Broken, "b": Broken}


def test_a_referral_fails_for_any_of_its_inputs_and_no_other_fails_with_it() -> None:
    def gather(work: Work) -> Mapping[str, Any]:
        if any(given == 1 for _, given in work):
            raise Broken
        return {"found": [given for _, given in work]}

    found, failed = gathered(gather, [("a", (State(), 1)), ("a", (State(), 2)), ("b", (State(), 3))])

    assert found == {"found": [3]}
    assert set(failed) == {"a"}


def test_what_is_met_alone_is_told_of_it_and_what_is_met_together_of_the_others() -> None:
    def gather(work: Work) -> Mapping[str, Any]:
        if any(given == 3 for _, given in work):
            raise LookupError
        if len(work) > 1:
            raise Broken
        return {}

    _, failed = gathered(gather, [("a", (State(), 1)), ("b", (State(), 2)), ("c", (State(), 3))])

    assert {referral_id: type(error) for referral_id, error in failed.items()} == {
        "a": Broken,
        "b": Broken,
        "c": LookupError,
    }


def test_what_is_away_is_waited_for_by_all() -> None:
    def gather(work: Work) -> Mapping[str, Any]:
        if len(work) > 1:
            raise Broken
        raise Away("keys")

    with pytest.raises(Away):
        gathered(gather, [("a", (State(), 1)), ("b", (State(), 2))])
