"""A record on its way to Kafka, and the headers that each of ours carries: CloudEvents' Kafka binding."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

Headers = list[tuple[str, bytes]]


class OutRecord(NamedTuple):
    """One record to be sent. The key is the referral id, so that a referral's records stay in order."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


def ce_headers(
    *,
    event_id: str,
    type: str,
    source: str,
    subject: str,
    time: Timestamp | datetime,
    dataschema: str,
    traceparent: str = "",
) -> Headers:
    """The headers of one event, in CloudEvents' binary mode: copies for routing, which readers never trust.

    `type` is the message that it is, such as safeguarding.v1.Raised; `source` the writing service; `subject`
    the referral id; `dataschema` the message of the whole value, such as safeguarding.v1.IntakeFact.
    Source: CloudEvents 1.0.2, Kafka protocol binding 3.2.
    """
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", _rfc3339(time)),
        ("ce_dataschema", dataschema.encode()),
        ("content-type", b"application/protobuf"),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return headers


def header(headers: Sequence[tuple[str, bytes | None]], name: str) -> bytes | None:
    """The first value of the header, or None."""
    return next((value for found, value in headers if found == name), None)


def as_mapping(headers: Sequence[tuple[str, bytes | None]]) -> Mapping[str, str]:
    """Headers as text by name, for reading a trace context; those that are no ASCII text are left out."""
    return {name: value.decode() for name, value in headers if value is not None and value.isascii()}


def _rfc3339(time: Timestamp | datetime) -> bytes:
    if isinstance(time, datetime):
        made = Timestamp()
        made.FromDatetime(time)
        time = made
    return _words(time.seconds, time.nanos)


@lru_cache(maxsize=16)
def _words(seconds: int, nanos: int) -> bytes:
    """Facts of one turn share their time, and the words for it cost more than all other headers."""
    return Timestamp(seconds=seconds, nanos=nanos).ToJsonString().encode()
