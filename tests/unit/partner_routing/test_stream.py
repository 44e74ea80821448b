"""Whose replies a topic carries is said by its name alone; one that no partner can have is parked, and ends nobody."""

from __future__ import annotations

import re
from typing import Any

import pytest

from safeguarding.v1.parked_pb2 import ParkedClass
from safeguarding.v1.partner_pb2 import Reply
from services.chassis.engine.reading import Unreadable
from services.chassis.kafka_in.chunk import Record
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.stream import ReplyReader
from services.topics import LONGEST_PARTNER_ID, REPLIES_PATTERN, partner_of, partner_topic, replies_of, replies_topic
from tests.unit.domains import REFERRAL, Life
from tests.unit.partner_routing.life import LEG, RECEIVED, Area

READ = ReplyReader(b"\1" * 32)


def record(topic: str, **more: Any) -> Record:
    reply = Reply(reply_id="reply-0001", referral_id=REFERRAL, leg_id=LEG, **{**RECEIVED, **more})
    return Record(topic, 0, 1, 0, reply.referral_id.encode(), reply.SerializeToString(), ())


@pytest.mark.parametrize(
    "topic",
    [
        "partner.Oak_School.replies.v1",
        "partner.oak.school.replies.v1",
        "partner.-oak-.replies.v1",
        "partner.routing.replies.v1",
        f"partner.{'o' * (LONGEST_PARTNER_ID + 1)}.replies.v1",
        partner_topic("oak-school").name,
    ],
)
def test_a_record_on_a_topic_that_no_partner_can_have_for_replies_is_parked(topic: str) -> None:
    assert replies_of(topic) == ""
    with pytest.raises(Unreadable) as parked:
        READ(record(topic))

    assert (parked.value.parked, parked.value.error) == (ParkedClass.PARKED_CLASS_UNREADABLE, "NoTopicOfReplies")


def test_every_topic_of_replies_is_found_and_its_partner_known() -> None:
    for partner in ("oak-school-2", "o" * LONGEST_PARTNER_ID):
        topic = replies_topic(partner).name
        assert re.match(REPLIES_PATTERN, topic)
        assert replies_of(topic) == partner
        assert (READ(record(topic)).partner_id, READ(record(topic)).wrong) == (partner, "")


@pytest.mark.parametrize(
    "topic",
    [
        partner_topic("oak-school").name,
        "partner.Oak_School.replies.v1",
        "partner.oak.school.replies.v1",
        "partner..replies.v1",
        "partner.oak-school.replies.v10",
        "old.partner.oak-school.replies.v1",
    ],
)
def test_a_topic_whose_name_is_not_like_one_of_replies_is_not_even_read(topic: str) -> None:
    assert re.search(REPLIES_PATTERN, topic) is None
    assert replies_of(topic) == ""
    assert partner_of(topic) in ("", "oak-school")


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"value": b"\xff"}, "unreadable"),
        ({"value": None}, "unreadable"),
        ({"key": b"another"}, "wrong_key"),
        ({"key": None}, "wrong_key"),
        ({"value": record("any", sealed_note=b"sealed to nobody").value}, "unreadable_note"),
    ],
    ids=["no message", "nothing", "another's key", "no key", "a note that does not open"],
)
def test_what_is_no_reply_is_refused_on_a_record_of_its_own_and_in_its_partners_name(
    changed: dict[str, Any], wrong: str
) -> None:
    """It may name another's referral: nobody writes on that."""
    given = READ(record(replies_topic("oak-school").name)._replace(**changed))

    assert (given.wrong, given.partner_id, given.actor.id) == (wrong, "oak-school", "oak-school")
    assert given.referral_id == given.cause_id != REFERRAL
    life = Life(RoutingDecider(), Area())
    [refused] = life.give(given)
    assert (refused.reply_refused.partner_id, refused.reply_refused.why) == ("oak-school", wrong)
