"""Field rules: what they say of bytes that one protobuf reader takes and another does not."""

from __future__ import annotations

from safeguarding.v1.partner_pb2 import Reply
from services.chassis.checking import violations

NUMBER_NOUGHT = bytes([0x32, 0x02, 0x00, 0x48])
"""In `accepted`, which has no fields, one of number 0: Python's reader keeps it as unknown, others refuse it."""


def test_a_message_that_only_some_readers_can_read_is_refused_and_no_fault_of_ours() -> None:
    reply = Reply.FromString(NUMBER_NOUGHT)

    assert [(found.field, found.right) for found in violations(reply)] == [
        ("", "must be a message that every protobuf reader can read")
    ]
