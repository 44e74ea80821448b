"""What every reader would park, or no broker takes, is never stored, published or acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.parked_pb2 import ParkedClass
from safeguarding.v1.triage_pb2 import Linked, RequestedLeg, Routed, TriageFact
from services.chassis.deciding import Context
from services.chassis.engine import judge
from services.chassis.engine.document import Copy
from services.chassis.engine.judge import MOST_BYTES, MOST_NAMED, MadeWrong, must_keep_rules
from tests.fakes.decider import OTHER, TOO_LONG, State
from tests.unit.engine.conftest import DESK, NOON, House

Eventually = Callable[[Callable[[], Any]], None]


def test_a_command_that_leads_to_such_a_fact_fails_and_changes_nothing(
    house: House, referral: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was wrong is told by the field and its rule, never by what it holds."""
    house.say(referral, "before").result(60)

    with pytest.raises(MadeWrong, match=r"linked\.by") as failed:
        house.say(referral, TOO_LONG).result(60)
    house.say(referral, "after").result(60)

    assert house.stored(referral) == house.published(referral) == ["before", "after"]
    assert TOO_LONG not in str(failed.value)
    assert TOO_LONG not in caplog.text


def test_a_record_that_leads_to_such_a_fact_is_parked_and_goes_on_after_the_mend(house: House, referral: str) -> None:
    house.decider.wrong = True
    house.hear(house.record(referral, 1)).result(60)

    [entry] = house.parked.entries()
    assert (entry.kind, entry.error) == (ParkedClass.PARKED_CLASS_BUG, "MadeWrong")
    assert house.stored(referral) == house.published(referral) == []

    house.decider.wrong = False
    assert [future.result(60) for future in house.engine.replay()] == [True]
    assert house.published(referral) == ["upstream 1"]


def test_a_clock_that_leads_to_such_a_fact_fails_and_is_offered_again(
    house: House, referral: str, eventually: Eventually
) -> None:
    house.decider.clock = NOON + timedelta(minutes=1)
    house.say(referral, "start").result(60)
    house.decider.wrong = True
    house.now = NOON + timedelta(minutes=2)
    eventually(lambda: house.engine.counts["failed"] == 1)
    assert house.stored(referral) == ["start"]

    house.decider.wrong = False
    house.engine.rescan()

    eventually(lambda: house.published(referral) == ["start", "clock"])


def test_who_acts_is_held_against_the_rules_as_well(house: House, referral: str) -> None:
    """A header holds what the directory says of a caller."""
    house.say(referral, "start").result(60)
    fact = TriageFact.FromString(house.store.documents[referral]["facts"]["triage"][0])
    must_keep_rules([fact], headers=True)

    fact.header.actor.CopyFrom(Actor(role=DESK.role, id=DESK.id, kind="k" * 61))

    with pytest.raises(MadeWrong, match=r"header\.actor\.kind"):
        must_keep_rules([fact], headers=True)


def linked(by: str) -> Linked:
    return Linked(other_referral_id=OTHER, by=by, score=1)


def test_of_several_facts_each_is_held_against_its_rules() -> None:
    right, wrong = TriageFact(linked=linked("one")), TriageFact(linked=linked(TOO_LONG))
    must_keep_rules([right, right], headers=False)

    for facts in ([wrong, right], [right, wrong]):
        with pytest.raises(MadeWrong, match=r"linked breaks its rules at by"):
            must_keep_rules(facts, headers=False)


def test_of_very_many_wrong_fields_a_few_are_named() -> None:
    """A log line and an answer are to hold them."""
    fact = TriageFact(routed=Routed(legs=[RequestedLeg()] * (MOST_NAMED + 1)))

    with pytest.raises(MadeWrong) as failed:
        must_keep_rules([fact], headers=False)

    assert str(failed.value).count("legs[") == MOST_NAMED


def test_a_fact_that_no_broker_takes_fails_as_a_copy_does(
    house: House, referral: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.say(referral, "as long").result(60)
    [stored] = house.store.documents[referral]["facts"]["triage"]
    monkeypatch.setattr(judge, "MOST_BYTES", len(stored))

    house.say(referral, "as long").result(60)
    with pytest.raises(MadeWrong, match="is longer than"):
        house.say(referral, "a longer one").result(60)

    assert house.stored(referral) == ["as long", "as long"]


class OneCopy:
    """For each turn of decisions, a copy of so many bytes."""

    def __init__(self) -> None:
        self.bytes = 0

    def copies(self, state: State, facts: Sequence[Any], context: Context) -> list[Copy]:
        """See Copier."""
        return [Copy(facts[0].header.event_id, "partner.council.v1", "PartnerRecord.Offer", b"c" * self.bytes)]


def test_a_copy_that_no_broker_takes_fails_what_led_to_it_and_keeps_nothing_else_waiting(referral: str) -> None:
    """Sent, it would be refused and sent again for ever, and the whole turn with it."""
    copier = OneCopy()
    house = House(copier=copier)
    house.engine.start()
    try:
        copier.bytes = MOST_BYTES
        house.say(referral, "fits").result(60)
        copier.bytes += 1
        with pytest.raises(MadeWrong, match="a record of 900,001 bytes"):
            house.say(referral, "does not").result(60)
        copier.bytes = 1
        house.say(referral, "goes on").result(60)
    finally:
        house.stop()

    assert house.stored(referral) == ["fits", "goes on"]
