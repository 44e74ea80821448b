"""A partner's reply that cannot be taken becomes a fact and a note to that partner, and blocks nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from safeguarding.v1 import partner_pb2, routing_pb2
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.sealing import copy_info, open_with
from services.cli.local import partners
from tests.integration.bad_input.right_requests import LEG, REFERRAL
from tests.integration.bad_input.support import abuse, ask_if_known
from tests.integration.house import House, Who, new_key
from tests.waiting import happens

pytestmark = pytest.mark.integration

PARTNER = "police-safeguarding"


@dataclass
class Leg:
    """One leg of the partner, and one of another on the same referral."""

    referral_id: str
    own: str
    others: str


@pytest.fixture(scope="module")
def leg(house: House, callers: dict[str, Who], journey: Any) -> Leg:
    referral_id = house.raise_concern(abuse(), callers["officer"]).referral_id

    def found() -> Leg | None:
        legs = {each.partner_id: each.leg_id for each in legs_of(journey, referral_id)}
        other = next((legs[name] for name in legs if name != PARTNER), "")
        return Leg(referral_id, legs[PARTNER], other) if PARTNER in legs and other else None

    return happens("both legs are offered", found)


def legs_of(journey: Any, referral_id: str) -> list[routing_pb2.JourneyLeg]:
    found = ask_if_known(journey, routing_pb2.GetJourneyRequest(referral_id=referral_id))
    return list(found.legs) if found else []


def state_of(journey: Any, leg: Leg, leg_id: str) -> int:
    [state] = [each.state for each in legs_of(journey, leg.referral_id) if each.leg_id == leg_id]
    return state


def a_reply(leg: Leg, **changed: Any) -> partner_pb2.Reply:
    """An answer that takes the leg on, but for what is changed."""
    fields = {"reply_id": new_key(), "referral_id": leg.referral_id, "leg_id": leg.own, **changed}
    if not {"outcome", "accepted"} & set(fields):
        fields["accepted"] = partner_pb2.AcceptedReply()
    return partner_pb2.Reply(**fields)


def refusals(house: House, since: dict[tuple[str, int], int]) -> list[RoutingFact]:
    """The refusals of this partner's replies on routing's topic since then."""
    facts = [RoutingFact.FromString(record.value) for record in house.records(["referrals.routing.v1"], since)]
    return [fact for fact in facts if fact.reply_refused.partner_id == PARTNER]


def notes(house: House, since: dict[tuple[str, int], int]) -> dict[str, partner_pb2.Copy]:
    """What the partner can decrypt of its topic since then, by event id."""
    private = bytes.fromhex(partners.private_key_file(house.stack.home, PARTNER).read_text().strip())
    found = {}
    for record in house.records([f"partner.{PARTNER}.v1"], since):
        sealed = partner_pb2.PartnerRecord.FromString(record.value)
        info = copy_info(PARTNER, sealed.leg_id, sealed.event_id)
        found[sealed.event_id] = partner_pb2.Copy.FromString(open_with(private, info, sealed.sealed_copy))
    return found


def test_each_wrong_reply_is_refused_with_an_encrypted_note_and_a_right_one_is_taken(
    house: House, leg: Leg, journey: Any
) -> None:
    login = house.partner_login(PARTNER)
    done = partner_pb2.OutcomeReply(outcome=partner_pb2.OUTCOME_SUPPORTED)
    key = leg.referral_id.encode()
    wrong: dict[str, tuple[partner_pb2.Reply | bytes | None, bytes | None, str]] = {
        "not protobuf": (b"\xff\xff\xff", key, "unreadable"),
        "no value": (None, key, "unreadable"),
        "against the field rules": (a_reply(leg, reply_id="x"), key, "unreadable"),
        "a leg of no referral": (a_reply(leg, leg_id=LEG), key, "foreign_leg"),
        "another partner's leg": (a_reply(leg, leg_id=leg.others), key, "foreign_leg"),
        "a referral that is none": (a_reply(leg, referral_id=REFERRAL), REFERRAL.encode(), "foreign_leg"),
        "another key": (a_reply(leg), new_key().encode(), "wrong_key"),
        "no key": (a_reply(leg), None, "wrong_key"),
        "an illegal step": (a_reply(leg, outcome=done), key, "illegal"),
        "a note that cannot be opened": (a_reply(leg, sealed_note=b"garbage" * 20), key, "unreadable_note"),
    }
    before = house.ends(["referrals.routing.v1", f"partner.{PARTNER}.v1"])

    for reply, with_key, _ in wrong.values():
        raw = reply.SerializeToString() if isinstance(reply, partner_pb2.Reply) else reply
        house.send("", login["replies_topic"], raw, with_key, login=login["login"])

    happens("all are refused", lambda: len(refusals(house, before)) >= len(wrong))
    happens("the partner is told", lambda: len(notes(house, before)) >= len(wrong))
    facts, told = refusals(house, before), notes(house, before)
    assert sorted(fact.reply_refused.why for fact in facts) == sorted(why for _, _, why in wrong.values())
    for fact in facts:
        note = told[fact.header.event_id].refusal
        assert (note.wrong, note.reply_id) == (fact.reply_refused.why, fact.reply_refused.reply_id)
        assert note.right, f"says what would be right for {note.wrong}"
    for name, (reply, _, why) in wrong.items():
        if isinstance(reply, partner_pb2.Reply) and why != "unreadable":
            named = [fact for fact in facts if fact.reply_refused.reply_id == reply.reply_id]
            assert [fact.reply_refused.why for fact in named] == [why], name
    own = [fact.reply_refused.why for fact in facts if fact.header.referral_id == leg.referral_id]
    assert own == ["illegal"], "whatever names what is not the partner's writes nothing on anybody's referral"

    taken = a_reply(leg)
    house.send("", login["replies_topic"], taken.SerializeToString(), key, login=login["login"])
    happens("the right one is taken", lambda: state_of(journey, leg, leg.own) == routing_pb2.LEG_STATE_ACCEPTED)
    assert state_of(journey, leg, leg.others) == routing_pb2.LEG_STATE_OFFERED


def test_a_reply_that_came_twice_is_taken_once(house: House, leg: Leg, journey: Any) -> None:
    login = house.partner_login(PARTNER)
    progress = partner_pb2.Reply(
        reply_id=new_key(),
        referral_id=leg.referral_id,
        leg_id=leg.own,
        progress=partner_pb2.ProgressReply(on_hold=True),
    )
    before = house.ends(["referrals.routing.v1"])
    for _ in range(2):
        raw, key = progress.SerializeToString(), leg.referral_id.encode()
        house.send("", login["replies_topic"], raw, key, login=login["login"])
    last = a_reply(leg)
    house.send("", login["replies_topic"], last.SerializeToString(), leg.referral_id.encode(), login=login["login"])

    [refused] = happens("the reply after them is read", lambda: refusals(house, before))

    assert refused.reply_refused.reply_id == last.reply_id
    facts = [RoutingFact.FromString(record.value) for record in house.records(["referrals.routing.v1"], before)]
    assert len([fact for fact in facts if fact.HasField("on_hold") and fact.on_hold.leg_id == leg.own]) == 1
