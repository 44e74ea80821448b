"""Whose replies a topic carries is said by its name alone; one that no partner can have is parked, and ends nobody."""

from __future__ import annotations

import re

import pytest

from safeguarding.v1.parked_pb2 import ParkedClass
from safeguarding.v1.partner_pb2 import Reply
from services.chassis.engine.reading import Unreadable
from services.chassis.kafka_in.chunk import Record
from services.partner_routing.stream import ReplyReader
from services.topics import LONGEST_PARTNER_ID, REPLIES_PATTERN, partner_topic, replies_of, replies_topic

READ = ReplyReader(b"\1" * 32)


def record(topic: str) -> Record:
    reply = Reply(reply_id="reply-0001", referral_id="8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01")
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
    topic = replies_topic("oak-school").name

    assert re.match(REPLIES_PATTERN, topic)
    assert re.match(REPLIES_PATTERN, partner_topic("oak-school").name) is None
    assert replies_of(topic) == "oak-school"
    assert READ(record(topic)).partner_id == "oak-school"
