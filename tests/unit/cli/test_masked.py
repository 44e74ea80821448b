"""What `tail` and `parked show` print of a record: decoded, and nothing that is sealed or anybody's own words."""

from __future__ import annotations

import json

import pytest
from google.protobuf.message import Message

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.common_pb2 import CONCERN_KIND_RURAL_CRIME, FIELD_GROUP_NARRATIVE, FactHeader, Sealed
from safeguarding.v1.intake_pb2 import IntakeFact, Raised
from safeguarding.v1.parked_pb2 import Parked, ParkedRecord
from safeguarding.v1.partner_pb2 import AcceptedReply, PartnerRecord, Reply
from services import topics
from services.chassis.kafka_in.chunk import Record
from services.cli import masked

CANARY = "quillfeather"
REFERRAL = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01"
COPIES, REPLIES = topics.partner_topics("oak-school")


def a_record(topic: str, value: Message | bytes) -> Record:
    raw = value if isinstance(value, bytes) else value.SerializeToString()
    return Record(topic, 3, 7, 1_795_000_000_000, REFERRAL.encode(), raw, ())


def raised() -> IntakeFact:
    header = FactHeader(event_id=REFERRAL, referral_id=REFERRAL, sequence=1, cause_id="cause")
    header.occurred_at.seconds = 1_795_000_000
    header.actor.role, header.actor.id = ROLE_OFFICER, "officer-1"
    part = Sealed(
        key_id="narrative", nonce=bytes(12), ciphertext=CANARY.encode() * 2, group=FIELD_GROUP_NARRATIVE, version=1
    )
    return IntakeFact(header=header, raised=Raised(kinds=[CONCERN_KIND_RURAL_CRIME], area="somerset", parts=[part]))


def test_a_fact_is_decoded_and_what_is_sealed_is_said_to_be() -> None:
    record = a_record(topics.INTAKE.name, raised())

    shown = masked.shown(record)

    assert shown["type"] == "Raised"
    assert shown["by"] == "officer/officer-1"
    assert shown["content"]["raised"] == {
        "kinds": ["CONCERN_KIND_RURAL_CRIME"],
        "area": "somerset",
        "parts": ["[sealed]"],
    }
    assert f"{topics.INTAKE.name}/3/7 Raised {REFERRAL} by officer/officer-1" in masked.line(record)


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (topics.INTAKE.name, raised()),
        (topics.INTAKE.name, CANARY.encode()),
        (
            COPIES.name,
            PartnerRecord(event_id=REFERRAL, referral_id=REFERRAL, leg_id=REFERRAL, sealed_copy=CANARY.encode()),
        ),
        (
            REPLIES.name,
            Reply(
                reply_id=CANARY,
                referral_id=REFERRAL,
                leg_id=REFERRAL,
                sealed_note=CANARY.encode(),
                accepted=AcceptedReply(),
            ),
        ),
        (REPLIES.name, Reply(reply_id="reply-01", referral_id=CANARY, leg_id=CANARY, accepted=AcceptedReply())),
        (
            topics.parked_topic("triage").name,
            ParkedRecord(parked=Parked(topic=topics.INTAKE.name, key=CANARY.encode(), value=CANARY.encode())),
        ),
        ("somebody.elses.topic", CANARY.encode()),
    ],
    ids=["fact", "garbage", "copy", "reply", "false reply", "parked", "unknown topic"],
)
def test_nothing_that_somebody_wrote_is_shown(topic: str, value: Message | bytes) -> None:
    content = json.dumps(masked.shown(a_record(topic, value))["content"])

    assert CANARY not in content
    assert CANARY not in masked.line(a_record(topic, value)).partition("content")[2]
