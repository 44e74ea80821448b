"""Field rules: what they say of bytes that one protobuf reader takes and another does not."""

from __future__ import annotations

from safeguarding.v1.intake_pb2 import RaiseConcernRequest
from services.chassis.checking import violations

NUMBER_NOUGHT = bytes([0x12, 0x02, 0x00, 0x48])
"""In its concern a field of number 0, which no message has and Python's reader keeps as unknown."""


def test_a_message_that_only_some_readers_can_read_is_refused_and_no_fault_of_ours() -> None:
    request = RaiseConcernRequest.FromString(NUMBER_NOUGHT)

    assert [(found.field, found.right) for found in violations(request)] == [
        ("", "must be a message that every protobuf reader can read")
    ]
