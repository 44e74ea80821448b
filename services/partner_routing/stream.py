"""Kafka in: partners' replies. The partner is the topic's, never the body's; nothing here ever blocks a topic."""

from __future__ import annotations

import uuid
from typing import Any

from google.protobuf.message import DecodeError

from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.concern_pb2 import Narrative
from safeguarding.v1.parked_pb2 import ParkedClass
from safeguarding.v1.partner_pb2 import Reply
from services.chassis.deciding import PartnerReply
from services.chassis.engine.reading import Unreadable, parsed
from services.chassis.kafka_in.chunk import Record
from services.chassis.sealing import CannotOpen, open_with, reply_info
from services.topics import replies_of

REPLIES = uuid.UUID("b1c2a64e-0f0d-5a1e-9f7c-41f4c0f6b9d2")
"""Namespace of the causes of replies, and of the records on which foreign replies are refused."""


class ReplyReader:
    """Reads one record of a replies topic; `private_key` is routing's own (X25519)."""

    def __init__(self, private_key: bytes) -> None:
        self._private_key = private_key

    def __call__(self, record: Record) -> PartnerReply:
        """The reply, or, where it is not one, an input that says what was wrong. Raises nothing for what it holds, and
        Unreadable where no partner can have such a topic."""
        partner_id = replies_of(record.topic)
        if not partner_id:
            raise Unreadable(ParkedClass.PARKED_CLASS_UNREADABLE, "NoTopicOfReplies")
        try:
            reply: Any = parsed(record, Reply)
        except Unreadable:
            return self._wrong(record, partner_id, None, "unreadable")
        if record.key != reply.referral_id.encode():
            return self._wrong(record, partner_id, reply, "wrong_key")
        note = None
        if reply.sealed_note:
            try:
                info = reply_info(partner_id, reply.leg_id, reply.reply_id)
                note = Narrative.FromString(open_with(self._private_key, info, reply.sealed_note))
            except (CannotOpen, DecodeError):
                return self._wrong(record, partner_id, reply, "unreadable_note")
        cause_id = str(uuid.uuid5(REPLIES, f"{partner_id}/{reply.reply_id}"))
        return PartnerReply(reply.referral_id, cause_id, _actor(partner_id), partner_id, reply, note=note)

    def _wrong(self, record: Record, partner_id: str, reply: Any, wrong: str) -> PartnerReply:
        """Refused on a record of its own, named by its place, so that nobody writes on another's referral."""
        cause_id = str(uuid.uuid5(REPLIES, f"{record.topic}/{record.partition}/{record.offset}"))
        return PartnerReply(cause_id, cause_id, _actor(partner_id), partner_id, reply, wrong)


def _actor(partner_id: str) -> Actor:
    return Actor(role=ROLE_PARTNER, id=partner_id)
