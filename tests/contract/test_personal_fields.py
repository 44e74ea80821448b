"""Every text or bytes field of the language is either marked as personal or stated here, with why it is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from safeguarding.v1 import (
    access_pb2,
    audit_pb2,
    equality_pb2,
    insight_pb2,
    intake_pb2,
    parked_pb2,
    partner_pb2,
    procedure_pb2,
    routing_pb2,
    triage_pb2,
)
from tests.integration.bad_input.wrong_fields import rules_of

FILES = sorted(
    {
        file.DESCRIPTOR.name
        for file in (
            *(access_pb2, audit_pb2, equality_pb2, insight_pb2, intake_pb2, parked_pb2),
            *(partner_pb2, procedure_pb2, routing_pb2, triage_pb2),
        )
    }
    | {"safeguarding/v1/common.proto", "safeguarding/v1/concern.proto"}
)

# By name: the field means the same wherever it stands. Whoever adds a field that is neither here nor marked must
# think which of the two it is.
IDS = {
    "contact_id", "event_id", "referral_id", "other_referral_id", "referral_ids", "leg_id", "replaces_leg_id",
    "cause_id", "key_id", "came_back_leg_ids", "leg_ids_that_have_it", "key_ids", "rule_id", "rule_ids", "actor_id",
    "partner_id", "reference",
    "unconfirmed_rules", "unconfirmed",
    "narrative_key_id", "request_event_id", "conference_id", "conference_ids", "leg_ids", "attended_leg_ids",
    "owner_leg_id",
}  # fmt: skip
"""Made by us, or the pseudonyms of officers and partners."""
CHOSEN_BY_CLIENTS = {"idempotency_key", "reply_id"}
"""Ids that clients choose, held to a form in which no sentence can be written."""
CODES = {
    "action", "agreement", "area", "by", "clock", "columns", "enhanced_reason", "error", "field", "ground", "kind",
    "method", "name", "recall_reason",
    "not_asked", "purpose", "quarter", "reason", "respond_clock", "rule", "stopped_clocks", "topic", "type", "why",
    "without_consent", "work_clock", "writer",
}  # fmt: skip
"""Words of ours, or held to a list or to a form."""
OUR_WORDS = {"to_do", "unconfirmed_reason"} | {"message", "necessity", "right", "source", "words", "wrong"}
"""Sentences from rules, agreements and this code, without what anybody wrote."""
UNREADABLE = {"ciphertext", "nonce", "sealed_copy", "sealed_note", "copy_sha256", "sha256", "request_hmac"}
"""Encrypted, or a hash of what is encrypted, or keyed."""
CLEAR_BY_PLACE = {
    "Actor.id", "Standing.id",
    "GetReceiptResponse.receipt", "GetConsistencyResponse.proof", "GetEntriesResponse.bundle",
    "GetEntriesResponse.checkpoint", "SearchResponse.checkpoint", "SearchRequest.page", "SearchResponse.next_page",
}  # fmt: skip
"""A pseudonym; a time with a place in audit's log; parts of that log: pseudonyms and hashes of what is encrypted."""
PERSONAL_BY_PLACE = {"OverrideGradeRequest.reason", "RaiserDetails.name"}
"""Marked, though their names are those of codes elsewhere."""
CLEAR = IDS | CHOSEN_BY_CLIENTS | CODES | OUR_WORDS | UNREADABLE

PERSONAL = {
    "Contact", "Circumstances", "Identifiers", "Identity", "Narrative", "Place", "RaiserDetails", "Vehicle",
}  # fmt: skip
"""Messages of which every text is somebody's."""


def messages() -> Iterator[Descriptor]:
    for name in FILES:
        yield from descriptor_pool.Default().FindFileByName(name).message_types_by_name.values()


def texts(message: Descriptor) -> Iterator[FieldDescriptor]:
    return (
        field for field in message.fields if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
    )


def named(field: FieldDescriptor) -> str:
    return field.full_name.removeprefix("safeguarding.v1.")


def is_marked(field: FieldDescriptor) -> bool:
    marked: bool = field.GetOptions().debug_redact
    return marked


ALL = [field for message in messages() for field in texts(message)]


@pytest.mark.parametrize("field", ALL, ids=named)
def test_a_text_is_marked_as_personal_or_is_known_to_be_none(field: FieldDescriptor) -> None:
    clear = named(field) in CLEAR_BY_PLACE or (field.name in CLEAR and named(field) not in PERSONAL_BY_PLACE)

    assert is_marked(field) != clear, (
        f"{named(field)}: mark it [debug_redact = true], or state in this file why it is not personal"
    )


@pytest.mark.parametrize("name", sorted(PERSONAL))
def test_every_text_of_a_personal_message_is_marked(name: str) -> None:
    [message] = [message for message in messages() if message.name == name]

    assert [field.name for field in texts(message)]
    assert [field.name for field in texts(message) if not is_marked(field)] == []


def test_what_stands_in_the_tables_is_still_used() -> None:
    names = {field.name for field in ALL}

    assert sorted(CLEAR - names) == []
    assert {named(field) for field in ALL} >= CLEAR_BY_PLACE | PERSONAL_BY_PLACE


def test_what_clients_choose_can_hold_no_sentence() -> None:
    chosen = [field for field in ALL if field.name in CHOSEN_BY_CLIENTS and rules_of(field).WhichOneof("type")]

    assert chosen
    assert {rules_of(field).string.pattern for field in chosen} == {"^[A-Za-z0-9._:-]+$"}
