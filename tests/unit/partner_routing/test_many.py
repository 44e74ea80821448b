"""A partner may have very many legs, and say very much: neither is more than the service can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from safeguarding.v1 import procedure_pb2, routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OPERATOR, ROLE_PARTNER, ROLE_SUPERVISOR, ROLE_TRIAGE
from safeguarding.v1.common_pb2 import SHIELDED_PART_ADDRESS, Actor, Shield
from safeguarding.v1.procedure_pb2 import STAGE_STRATEGY_DISCUSSION
from services.chassis.commanding import Commands
from services.chassis.deciding import Command, Refused
from services.chassis.engine import Answer
from services.chassis.engine.away import Busy
from services.chassis.identity import Identity
from services.partner_routing import api
from services.partner_routing.api import RoutingApi
from services.partner_routing.domain.replies import MOST_REFUSED, MOST_SPOKEN
from services.partner_routing.domain.state import STAFF
from services.partner_routing.views import Referrals, inbox
from tests.unit.domains import DESK, REFERRAL, Life, kinds_of
from tests.unit.partner_routing.life import (
    ACCEPTED,
    LEG,
    ON_HOLD,
    PROGRESS,
    RECEIVED,
    SUPPORTED,
    life_of,
    reply,
    request,
    routed,
)
from tests.unit.partner_routing.test_asking import QUESTION

COUNCIL = Actor(role=ROLE_PARTNER, id="council-a")
ROOM = 500
"""For which the engine has room; the real one has for ten thousand."""
MANY = ROOM + 1


class Crowded:
    """An engine that refuses more at once than it has room for, and answers each with a leg that expired."""

    def __init__(self) -> None:
        self.taken: list[Command] = []

    def submit(self, commands: Sequence[Command]) -> list[Future[Answer[Any]]]:
        """See Engine."""
        if len(commands) > ROOM:
            raise Busy(1.0)
        self.taken += commands
        expired = routing_pb2.RoutingFact(expired=routing_pb2.Expired(leg_id=LEG))
        futures: list[Future[Answer[Any]]] = [Future() for _ in commands]
        for future in futures:
            future.set_result(Answer((expired,), None, 1))
        return futures


def test_a_partner_with_more_referrals_than_may_wait_is_released_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    document = life_of(request()).document
    whole = {"facts": document.facts, "revision": "r", "published": 0}
    stored = [{"_id": str(number), **whole} for number in range(MANY)]
    engine, context = Crowded(), SimpleNamespace(time_remaining=lambda: None)
    collection = SimpleNamespace(find=lambda query: iter(stored))
    parts: Any = SimpleNamespace(engine=engine, commands=Commands(b"k" * 32), collection=collection)
    monkeypatch.setattr(api, "caller", lambda: Identity(ROLE_OPERATOR, "op-1"))
    routing: Any = RoutingApi(parts, lambda: None, None)  # type: ignore[arg-type,return-value]  # asked for neither

    released = routing.ReleasePartner(routing_pb2.ReleasePartnerRequest(partner_id="council-a"), context)

    assert released.legs == MANY
    assert [command.referral_id for command in engine.taken] == [each["_id"] for each in stored]
    assert len({command.cause_id for command in engine.taken}) == 1, "each referral tells its causes apart"


def after(spoken: int, of_another: int = 0) -> Life:
    """A referral on whose leg its partner, which works on it, has said so much, and others so much."""
    life = life_of(request())
    reply(life, ACCEPTED)
    life.document.state = replace(life.state, spoken={"council-a": spoken, "homes": of_another, STAFF: of_another})
    return life


def test_what_partners_and_the_desk_do_is_counted_and_what_follows_by_rule_is_not() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    reply(life, ON_HOLD)
    reply(life, ON_HOLD)
    life.say(routing_pb2.RecallRequest(leg_id=LEG, reason="unsafe_to_contact"), DESK)

    assert life.state.spoken == {"council-a": 3, STAFF: 1}, "a refused reply is a record too"


@pytest.mark.parametrize("step", [ON_HOLD, PROGRESS, {"asked": {}}], ids=["on_hold", "progress", "asked"])
def test_nobody_fills_a_referral_with_what_can_be_said_for_ever(step: dict[str, Any]) -> None:
    life = after(MOST_SPOKEN)
    life.gathered = {"keys": {}, "notes": {"reply-0001": QUESTION}}

    assert kinds_of(reply(life, step, key="reply-0001")) == ["reply_refused"]
    of_the_same_name = Actor(role=ROLE_TRIAGE, id="council-a")
    assert kinds_of(life.say(STAGE, of_the_same_name)) == ["stage_reached"]
    assert kinds_of(reply(life, SUPPORTED)) == ["completed", "outcome_known"], "what brings it to its end is taken"


def test_neither_does_the_desk_which_can_still_hide_and_recall() -> None:
    life, supervisor = life_of(request()), Actor(role=ROLE_SUPERVISOR, id="s-1")
    stage = procedure_pb2.RecordStageRequest(stage=STAGE_STRATEGY_DISCUSSION)
    hide = routing_pb2.ShieldRequest(shield=Shield(part=SHIELDED_PART_ADDRESS), reason="afraid")
    lift = routing_pb2.ShieldRequest(shield=hide.shield, lift=True)
    life.document.state = replace(life.state, spoken={STAFF: MOST_SPOKEN - 1})

    assert kinds_of(life.say(stage, DESK)) == ["stage_reached"]
    assert kinds_of(life.say(hide, DESK)) == ["shielded"]
    for more in (stage, procedure_pb2.CallConferenceRequest(), routing_pb2.RecordVictimStepRequest(), lift):
        with pytest.raises(Refused, match="too many records of the desk's"):
            life.say(more, supervisor)
    assert kinds_of(life.say(routing_pb2.RecallRequest(leg_id=LEG, reason="unsafe_to_contact"), DESK))[0] == "recalled"

    life.document.state = replace(life.state, spoken={STAFF: MOST_REFUSED}, shielded=())
    with pytest.raises(Refused, match="too many records of the desk's"):
        life.say(hide, DESK)


VICTIM_STEP = routing_pb2.RecordVictimStepRequest(referral_id=REFERRAL)
STAGE = procedure_pb2.RecordStageRequest(leg_id=LEG, stage=STAGE_STRATEGY_DISCUSSION)


@pytest.mark.parametrize("body", [VICTIM_STEP, STAGE], ids=["victim step", "stage"])
def test_what_can_be_recorded_for_ever_by_a_call_ends_as_well(body: Any) -> None:
    with pytest.raises(Refused, match="too many records of yours"):
        after(MOST_SPOKEN).say(body, COUNCIL)


def test_up_to_that_all_is_taken_however_much_others_said() -> None:
    life = after(MOST_SPOKEN - 1, of_another=MOST_REFUSED)
    assert kinds_of(life.say(STAGE, COUNCIL)) == ["stage_reached"]

    life = after(MOST_SPOKEN - 1, of_another=MOST_REFUSED)
    assert kinds_of(reply(life, ON_HOLD)) == ["on_hold"]
    assert kinds_of(reply(life, PROGRESS)) == ["reply_refused"], "that was the last"


def test_refusals_end_too_and_what_is_legal_is_still_taken() -> None:
    life = after(MOST_REFUSED - 1, of_another=MOST_REFUSED)

    assert kinds_of(reply(life, RECEIVED)) == ["reply_refused"]
    assert reply(life, RECEIVED) == []
    assert kinds_of(reply(life, SUPPORTED)) == ["completed", "outcome_known"]


class Collection:
    """Routing's documents, as far as an inbox asks for them; notes which were read whole."""

    def __init__(self, lives: Sequence[Life]) -> None:
        self.stored: list[dict[str, Any]] = [
            {
                "_id": str(number),
                "revision": "r",
                "published": 0,
                "facts": life.document.facts,
                "view": life.decider.view(life.state),
            }
            for number, life in enumerate(lives)
        ]
        self.whole: list[str] = []

    def find(self, query: Mapping[str, Any], fields: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """By a partner, the view alone; or by ids."""
        if fields is not None:
            of_partner = [each for each in self.stored if query["view.partners"] in each["view"]["partners"]]
            return [{"_id": each["_id"], "view": each["view"]} for each in of_partner]
        self.whole = query["_id"]["$in"]
        return [each for each in self.stored if each["_id"] in self.whole]


def lives() -> list[Life]:
    """Ten referrals of one partner, a later one with an earlier deadline; one was taken on, one taken back."""
    made = []
    for number in range(10):
        life = life_of()
        life.now -= timedelta(minutes=number)
        life.hear("triage", routed(request()), DESK)
        made.append(life)
    reply(made[9], ACCEPTED)
    made[4].say(routing_pb2.RecallRequest(leg_id=LEG, reason="unsafe_to_contact"), DESK)
    return made


def test_an_inbox_reads_the_referrals_that_it_lists_and_no_others() -> None:
    collection = Collection(lives())
    referrals = Referrals(collection)  # type: ignore[arg-type]  # as far as it is asked

    items = inbox(referrals.most_urgent("council-a", 3), "council-a", 3)

    assert [item.referral_id for item in items] == ["4", "8", "7"], "to be stopped, then the first to be answered"
    assert collection.whole == ["4", "8", "7"]
    everything = inbox(referrals.most_urgent("council-a", 10), "council-a", 10)
    assert [item.referral_id for item in everything] == ["4", "8", "7", "6", "5", "3", "2", "1", "0", "9"]
    assert inbox(referrals.most_urgent("homes", 3), "homes", 3) == []


def test_an_inbox_looks_at_what_was_saved_before_its_view_said_how_urgent_it_is() -> None:
    collection = Collection(lives())
    del collection.stored[2]["view"]["inbox"]
    referrals = Referrals(collection)  # type: ignore[arg-type]  # as far as it is asked

    referrals.most_urgent("council-a", 3)

    assert collection.whole == ["2", "4", "8"]
