"""What a caller of the engine may rely on."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from safeguarding.v1.triage_pb2 import Linked
from services.chassis import sealing
from services.chassis.deciding import Command, Refused, Why
from services.chassis.engine import Away, engine, outbox
from tests.unit.engine.conftest import DESK, House


def test_a_command_is_answered_after_its_fact_is_stored_and_published(house: House, referral: str) -> None:
    """The answer comes last."""
    answer = house.say(referral, "hello").result(60)

    assert [fact.linked.by for fact in answer.facts] == ["hello"]
    assert answer.sequence == 1
    assert house.stored(referral) == ["hello"]
    assert house.published(referral) == ["hello"]


def test_the_same_key_and_body_give_the_first_answer_and_no_second_effect(house: House, referral: str) -> None:
    """A client may repeat as often as it likes."""
    first = house.say(referral, "hello", key="k").result(60)
    house.say(referral, "more").result(60)
    again = house.say(referral, "hello", key="k").result(60)

    assert [f.header.event_id for f in again.facts] == [f.header.event_id for f in first.facts]
    assert house.stored(referral) == ["hello", "more"]


def test_the_same_key_with_another_body_is_a_conflict(house: House, referral: str) -> None:
    """A key names one request."""
    house.say(referral, "hello", key="k").result(60)

    with pytest.raises(Refused) as refused:
        house.say(referral, "other", key="k").result(60)

    assert refused.value.why is Why.CONFLICT
    assert house.stored(referral) == ["hello"]


def test_a_command_on_an_older_state_is_stale_and_names_the_current_sequence(house: House, referral: str) -> None:
    """The caller decided on what is no longer so."""
    house.say(referral, "hello").result(60)

    with pytest.raises(Refused) as refused:
        house.say(referral, "late", seen=0).result(60)

    assert refused.value.why is Why.STALE
    assert "1" in refused.value.right


def test_who_may_not_know_of_a_referral_never_learns_that_it_has_moved_on(house: House, referral: str) -> None:
    """UNKNOWN comes before STALE."""
    house.say(referral, "hello").result(60)

    with pytest.raises(Refused) as refused:
        house.say(referral, "unknown", seen=0).result(60)

    assert refused.value.why is Why.UNKNOWN


def test_a_refused_or_failing_command_fails_alone(referral: str) -> None:
    """All in one batch: the queue fills before the engine starts."""
    house = House()
    futures = [house.say(referral, by) for by in ("one", "refuse", "bug", "two", "nothing")]
    house.engine.start()

    assert futures[0].result(60).sequence == 2
    with pytest.raises(Refused):
        futures[1].result(60)
    with pytest.raises(ValueError, match="bug"):
        futures[2].result(60)
    assert futures[3].result(60).facts[0].linked.by == "two"
    assert futures[4].result(60).facts == ()
    assert house.stored(referral) == ["one", "two"]
    house.stop()


def test_a_refused_send_answers_unknown_and_a_repeat_gives_the_first_answer(
    house: House, referral: str, eventually: Callable[[Callable[[], Any]], None]
) -> None:
    """Never OK before the broker has it; never twice."""
    house.publisher.refuse = 2

    with pytest.raises(Away):
        house.say(referral, "hello", key="k").result(60)
    eventually(lambda: house.published(referral) == ["hello"] and house.engine.away is None)
    again = house.say(referral, "hello", key="k").result(60)

    assert again.facts[0].linked.by == "hello"
    assert house.published(referral) == ["hello"]
    assert ("broker", False) in house.standing
    assert house.standing[-1] == ("broker", True)


def test_a_lost_answer_of_the_broker_repeats_the_same_bytes(
    house: House, referral: str, eventually: Callable[[Callable[[], Any]], None]
) -> None:
    """Delivery is at least once; the effect, and the event id, are one."""
    house.publisher.lose_answer = 1

    with pytest.raises(Away):
        house.say(referral, "hello").result(60)
    eventually(lambda: len(house.published(referral)) == 2)

    first, second = house.publisher.on("own.v1")
    assert first == second
    assert house.stored(referral) == ["hello"]


@pytest.mark.parametrize("point", ["load", "save", "lost_answer"])
def test_a_store_that_times_out_answers_unknown_and_nothing_is_lost_or_doubled(
    house: House, referral: str, point: str, eventually: Callable[[Callable[[], Any]], None]
) -> None:
    """Also where the save happened and only its answer was lost: what was stored is published."""
    house.say(referral, "before").result(60)
    house.store.failing[point] = 1

    with pytest.raises(Away):
        house.say(referral, "hello", key="k").result(60)
    eventually(lambda: house.engine.away is None)
    answer = house.say(referral, "hello", key="k").result(60)

    assert answer.facts[0].linked.by == "hello"
    assert house.stored(referral) == ["before", "hello"]
    assert house.published(referral) == ["before", "hello"]


def test_while_something_is_away_commands_are_turned_away_at_once(
    house: House, referral: str, eventually: Callable[[Callable[[], Any]], None]
) -> None:
    """Nobody waits for a deadline to learn what we know already."""
    house.publisher.refuse = 10**6
    with pytest.raises(Away):
        house.say(referral, "hello").result(60)

    with pytest.raises(Away):
        house.say(referral, "while away")
    house.publisher.refuse = 0
    eventually(lambda: house.engine.away is None)


def test_stopping_finishes_what_was_taken_and_refuses_what_comes(house: House, referral: str) -> None:
    """What was acknowledged is finished."""
    future = house.say(referral, "hello")
    assert house.engine.stop(5)

    assert future.result(0).facts[0].linked.by == "hello"
    with pytest.raises(Away):
        house.say(referral, "late")
    assert house.store.documents[referral]["published"] == 1


def test_what_a_dead_process_left_unpublished_is_found_and_published(
    referral: str, eventually: Callable[[Callable[[], Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store knows what Kafka has not acknowledged."""
    monkeypatch.setattr(outbox, "RAISE_FEW_EVERY", 0.0)
    first = House()
    first.publisher.refuse = 10**6
    first.engine.start()
    with pytest.raises(Away):
        first.say(referral, "hello").result(60)

    second = House(store=first.store)
    second.engine.start()

    eventually(lambda: second.published(referral) == ["hello"])
    eventually(lambda: second.store.documents[referral]["published"] == 1)
    second.stop()
    first.publisher.refuse = 0
    first.stop()


def test_two_processes_on_one_referral_both_take_effect_once(referral: str) -> None:
    """A save on another's revision is repeated from the read."""
    one = House()
    two = House(store=one.store, publisher=one.publisher)
    one.engine.start()
    two.engine.start()

    futures = [house.say(referral, f"{n}") for n in range(100) for house in (one, two)]
    for future in futures:
        future.result(60)

    assert sorted(one.stored(referral)) == sorted([f"{n}" for n in range(100)] * 2)
    ids = [record.headers[1][1] for record in one.publisher.on("own.v1")]
    assert len(set(ids)) == 200
    one.stop()
    two.stop()


def many(count: int) -> list[Command]:
    return [Command(str(uuid.uuid4()), str(uuid.uuid4()), DESK, Linked(by="one"), b"one") for _ in range(count)]


def test_commands_that_come_quickly_are_decided_together(
    house: House, referral: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment for which they gather lasts as long as the test says; after fewer there is none."""
    over, asked_for = threading.Event(), list[float]()

    def sleep(seconds: float) -> None:
        asked_for.append(seconds)
        over.wait(60)

    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    monkeypatch.setattr(engine, "GATHER_SECONDS", 60.0)
    for count in (engine.GATHERS_FROM - 1, engine.GATHERS_FROM):
        for answer in house.engine.submit(many(count)):
            answer.result(30)
    turns = house.engine.counts["turns"]

    answers = [house.say(referral, by) for by in ("first", "second", "third")]
    over.set()
    for answer in answers:
        answer.result(60)

    assert asked_for
    assert house.engine.counts["turns"] == turns + 1
    assert house.stored(referral) == ["first", "second", "third"]


def test_what_memory_made_of_keys_goes_where_a_command_destroys_keys(house: House, referral: str) -> None:
    """A cipher holds its key."""
    sealing._cipher(b"k" * 32)
    house.say(referral, "something else").result(60)
    assert sealing._cipher.cache_info().currsize

    erasing = Command(referral, "erasure", DESK, Linked(by="erased"), b"", drops=["keys.subject-1"])
    [future] = house.engine.submit([erasing])
    future.result(60)

    assert sealing._cipher.cache_info().currsize == 0
