"""What a partner of the scenario says to each copy: it asks first, and goes on once the raiser has answered."""

from __future__ import annotations

from safeguarding.v1 import partner_pb2
from safeguarding.v1.partner_pb2 import Copy
from services.cli.demo.story import NOTE, note_of, replies
from services.cli.local.home import CHECKOUT
from services.cli.scenario import load_scenario

[STATED] = [
    stated
    for stated in load_scenario(CHECKOUT / "deploy" / "local" / "scenario")
    if any(partner.question for partner in stated.partners.values())
]
[ASKS] = [partner for partner in STATED.partners.values() if partner.question]
[OTHER] = [partner for partner in STATED.partners.values() if not partner.question]


def said(copy: Copy) -> list[str | None]:
    return [reply.WhichOneof("step") for reply in replies(copy, STATED, ASKS)]


def test_a_partner_asks_at_the_offer_and_goes_on_at_the_answer() -> None:
    assert said(Copy(leg_id="leg", offer=partner_pb2.Offer())) == ["received", "asked"]
    assert said(Copy(leg_id="leg", answer=partner_pb2.AnswerNotice())) == ["accepted", "progress", "outcome"]
    assert said(Copy(leg_id="leg", expiry=partner_pb2.ExpiryNotice())) == []


def test_each_thing_that_is_said_has_an_id_of_its_own() -> None:
    copies = [Copy(leg_id="leg", offer=partner_pb2.Offer()), Copy(leg_id="leg", answer=partner_pb2.AnswerNotice())]
    ids = [reply.reply_id for copy in copies for reply in replies(copy, STATED, ASKS)]

    assert len(ids) == len(set(ids)) == 5


def test_the_question_and_the_outcome_have_words() -> None:
    copies = [Copy(leg_id="leg", offer=partner_pb2.Offer()), Copy(leg_id="leg", answer=partner_pb2.AnswerNotice())]
    words = [note_of(reply, ASKS) for copy in copies for reply in replies(copy, STATED, ASKS)]

    assert words == ["", ASKS.question, "", "", NOTE]
    assert not OTHER.question
