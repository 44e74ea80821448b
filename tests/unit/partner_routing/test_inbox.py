"""What a partner without Kafka finds in its inbox beside its work: what to stop, what was answered, where to come."""

from __future__ import annotations

from safeguarding.v1 import partner_pb2, routing_pb2
from safeguarding.v1.common_pb2 import SERVICE_KIND_HOUSING
from services.cli.inbox import row
from services.partner_routing.views import inbox
from tests.unit.domains import DESK, Life, kinds_of
from tests.unit.partner_routing.life import ACCEPTED, LEG, OTHER_LEG, SUPPORTED, life_of, reply, request
from tests.unit.partner_routing.test_asking import answer, ask, put
from tests.unit.partner_routing.test_conferences import called, decision, done, held

HOMES = "homes"
THIRD_LEG = "33333333-3333-4333-8333-333333333333"


def items(life: Life, partner: str = "council-a") -> list[routing_pb2.InboxItem]:
    """The inbox, by way of the store's query."""
    held = life.decider.view(life.state)["partners"]
    return inbox([life.document], partner, 10) if partner in held else []


def recall(life: Life, leg: str = LEG) -> None:
    """The desk takes a leg back."""
    life.say(routing_pb2.RecallRequest(leg_id=leg, reason="unsafe_to_contact"), DESK)


def test_a_leg_that_was_taken_back_stays_until_its_partner_says_that_it_stopped() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    recall(life)

    [item] = items(life)
    assert (item.leg_id, item.recall_reason, item.acknowledge_by.clock) == (LEG, "unsafe_to_contact", "recall")
    assert row(item)[-1].startswith("stop, and say so by recall ")

    said = reply(life, {"recall_acknowledged": partner_pb2.RecallAcknowledgedReply()})
    assert kinds_of(said) == ["recall_acknowledged"]
    assert items(life) == []


def test_it_is_the_partners_own_alone_and_comes_before_all_else() -> None:
    life = life_of(request(OTHER_LEG), request(LEG), request(THIRD_LEG, SERVICE_KIND_HOUSING))
    recall(life)

    assert [item.leg_id for item in items(life)] == [LEG, OTHER_LEG]
    assert [item.recall_reason for item in items(life, HOMES)] == [""]


def test_a_partner_sees_that_the_raiser_answered_its_question() -> None:
    life = life_of(request())
    ask(life)
    put(life)
    assert not items(life)[0].answered

    answer(life)

    [item] = items(life)
    assert item.answered
    assert row(item)[-1] == "the raiser answered"


def test_a_partner_finds_where_it_is_invited_and_what_it_has_still_to_do_once_its_work_is_done() -> None:
    life = life_of(request())
    reply(life, ACCEPTED)
    conference = called(life)
    assert list(items(life)[0].conference_ids) == [conference]
    held(life, conference, [decision()])
    reply(life, SUPPORTED)

    [item] = items(life)
    assert f"conference {conference}" in row(item)[-1]

    done(life, conference)
    assert items(life) == []
