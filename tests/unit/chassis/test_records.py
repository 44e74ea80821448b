"""Headers of a record: CloudEvents, and one trace from the first call on."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.records import Heading, as_mapping, header, rfc3339

NOON = Timestamp()
NOON.FromDatetime(datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=UTC))
RAISED = Heading("safeguarding.v1.Raised", "intake", "safeguarding.v1.IntakeFact")


def test_headers_are_cloud_events_in_the_binary_mode_of_kafka() -> None:
    headers = RAISED.of("e-1", b"r-1", rfc3339(NOON), "00-" + "a" * 32 + "-" + "b" * 16 + "-01")

    assert as_mapping(headers) == {
        "ce_specversion": "1.0",
        "ce_id": "e-1",
        "ce_type": "safeguarding.v1.Raised",
        "ce_source": "intake",
        "ce_subject": "r-1",
        "ce_time": "2026-11-22T12:00:00.500Z",
        "ce_dataschema": "safeguarding.v1.IntakeFact",
        "content-type": "application/protobuf",
        "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    }


def test_without_a_trace_there_is_no_traceparent() -> None:
    assert header(RAISED.of("e-1", b"r-1", rfc3339(NOON)), "traceparent") is None


def test_foreign_headers_without_a_value_or_a_text_are_left_out() -> None:
    assert as_mapping([("ce_id", None), ("ce_type", b"\xff"), ("ce_source", b"intake")]) == {"ce_source": "intake"}
    assert header([("a", b"1"), ("a", b"2")], "a") == b"1"
