"""A partner asks whoever raised the concern; the answer goes to that partner alone, as far as its agreement allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from safeguarding.v1 import intake_pb2, partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE, SERVICE_KIND_HOUSING, Actor, Sealed
from safeguarding.v1.concern_pb2 import Narrative
from safeguarding.v1.intake_pb2 import IntakeFact, Withdrawn
from safeguarding.v1.triage_pb2 import RequestedLeg, TriageFact
from services.chassis.deciding import Context, PartnerReply, Refused, Why
from services.chassis.directory import Partner
from services.chassis.sealing import copy_info, new_key, open_with, seal
from services.known import Known
from services.partner_routing.copies import RoutingCopier
from tests.unit.domains import DESK, NOON, REFERRAL, SYSTEM, Life, kinds_of, sealed
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FAILED,
    LEG,
    OTHER_LEG,
    Area,
    Disclosed,
    life_of,
    reply,
    request,
)

PARTNER = Actor(role=ROLE_PARTNER, id="council-a")
QUESTION = sealed(FIELD_GROUP_NARRATIVE, version=9)


def ask(life: Life, partner: str = "council-a", leg: str = LEG, key: str = "reply-0001") -> list[Any]:
    """The partner asks by Kafka."""
    life.gathered = {"keys": {}, "notes": {key: QUESTION}}
    return reply(life, {"asked": partner_pb2.AskedReply()}, partner, leg, key)


def put(life: Life, supplied_before: int = 0, leg: str = LEG) -> list[Any]:
    """Triage puts the question to the raiser."""
    asked = triage_pb2.InformationRequested(question=QUESTION, supplied_before=supplied_before, leg_id=leg)
    return life.hear("triage", TriageFact(information_requested=asked), DESK)


def answer(life: Life, part: Sealed | None = None) -> list[Any]:
    """The raiser answers."""
    supplied = intake_pb2.InformationSupplied(information=part or sealed(FIELD_GROUP_NARRATIVE, version=2))
    return life.hear("intake", IntakeFact(information_supplied=supplied))


class Withholding(Area):
    """Gives who, and never what the raiser wrote."""

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Disclosed:
        """See Area."""
        return Disclosed((), ((FIELD_GROUP_NARRATIVE, 0, "no_narrative"),))


def test_the_question_is_a_fact_and_the_answer_goes_to_the_partner_that_asked() -> None:
    life = life_of(request(), request(OTHER_LEG, SERVICE_KIND_HOUSING))

    [asked] = ask(life)
    assert (asked.information_asked.leg_id, asked.information_asked.question) == (LEG, QUESTION)
    assert put(life) == []
    [passed] = answer(life)

    assert passed.information_passed == routing_pb2.InformationPassed(leg_id=LEG, given=True, rule="what")
    assert answer(life) == [], "who has its answer gets no more of what the raiser writes"


@pytest.mark.parametrize("first", ["question", "answer"])
def test_it_does_not_matter_which_of_triages_and_intakes_facts_comes_first(first: str) -> None:
    life = life_of(request())
    ask(life)

    facts = [*put(life), *answer(life)] if first == "question" else [*answer(life), *put(life)]

    assert kinds_of(facts) == ["information_passed"]


def test_what_the_raiser_had_said_before_is_no_answer() -> None:
    life = life_of(request())
    answer(life)
    ask(life)

    assert put(life, supplied_before=1) == []
    assert kinds_of(answer(life)) == ["information_passed"]


def test_a_second_question_waits_for_the_first_and_then_for_its_own_answer() -> None:
    life = life_of(request())
    ask(life)
    [refused] = ask(life, key="reply-0002")
    assert refused.reply_refused.why == "illegal"
    put(life)
    answer(life)

    assert kinds_of(ask(life, key="reply-0003")) == ["information_asked"]
    assert put(life, supplied_before=1) == []
    assert kinds_of(answer(life)) == ["information_passed"]


def test_an_answer_that_the_agreement_withholds_is_recorded_with_its_rule() -> None:
    life = life_of(request())
    ask(life)
    put(life)
    life.rules = Withholding()

    [passed] = answer(life)

    assert passed.information_passed == routing_pb2.InformationPassed(leg_id=LEG, given=False, rule="no_narrative")


def test_nobody_gets_an_answer_whose_leg_has_ended() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    ask(life)
    put(life)
    reply(life, FAILED)

    assert kinds_of(answer(life)) == []


def test_nobody_can_be_asked_once_the_concern_was_withdrawn() -> None:
    life = life_of(request())
    life.hear("intake", IntakeFact(withdrawn=Withdrawn(reason=1)))  # type: ignore[arg-type]  # a number of the enum

    assert ask(life)[0].reply_refused.why == "illegal"
    command = routing_pb2.InboxCommand(referral_id=REFERRAL, leg_id=LEG, note="where?")
    with pytest.raises(Refused) as refused:
        life.say(routing_pb2.AskRaiserRequest(command=command), PARTNER, QUESTION)
    assert refused.value.why is Why.ILLEGAL
    assert "asked" not in refused.value.legal


def test_a_question_that_could_not_be_sealed_is_refused() -> None:
    life = life_of(request())
    body = partner_pb2.Reply(reply_id="reply-0001", referral_id=REFERRAL, leg_id=LEG, asked=partner_pb2.AskedReply())

    [fact] = life.give(PartnerReply(REFERRAL, body.reply_id, PARTNER, "council-a", body))

    assert fact.reply_refused.why == "illegal"


@pytest.mark.parametrize("given", [True, False])
def test_the_copy_holds_the_answer_where_it_is_given_and_nothing_where_it_is_withheld(given: bool) -> None:
    key, private = new_key(), X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    partner = Partner("council-a", "Council A", "council", (), (), public, kafka=True, lead=False)
    life = life_of(request())
    ask(life)
    put(life)
    if not given:
        life.rules = Withholding()
    said = seal(key, REFERRAL, "narrative", FIELD_GROUP_NARRATIVE, 2, Narrative(text="by the river"))
    [passed] = answer(life, said)

    class Rules:
        def partner(self, partner_id: str) -> Partner | None:
            return partner if partner_id == "council-a" else None

    keys: Mapping[str, Any] = {"keys": {REFERRAL: {"narrative": key}}}
    state = replace(life.state, known=replace(life.state.known, parts=(said,)))
    [copy] = RoutingCopier().copies(state, [passed], Context(NOON, Rules(), keys, SYSTEM))

    record = partner_pb2.PartnerRecord.FromString(copy.value)
    info = copy_info("council-a", LEG, passed.header.event_id)
    opened = partner_pb2.Copy.FromString(open_with(private.private_bytes_raw(), info, record.sealed_copy))
    assert [narrative.text for narrative in opened.answer.narratives] == (["by the river"] if given else [])
    assert opened.answer.rule == ("what" if given else "no_narrative")
    assert passed.information_passed.copy_sha256
