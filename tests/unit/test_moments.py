"""Our reading of a Timestamp is protobuf's own."""

from datetime import UTC

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.times import FIRST_SECOND, LAST_SECOND
from services.moments import moment


@pytest.mark.parametrize("seconds", [FIRST_SECOND, -1, 0, 1, 1_763_884_800, LAST_SECOND])
@pytest.mark.parametrize("nanos", [0, 1, 999, 1_000, 123_456_789, 999_999_999])
def test_a_moment_is_what_protobuf_reads(seconds: int, nanos: int) -> None:
    at = Timestamp(seconds=seconds, nanos=nanos)

    assert moment(at) == at.ToDatetime(UTC)
    assert moment(at).tzinfo is UTC
