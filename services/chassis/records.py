"""A record on its way to Kafka, and the headers that each of ours carries: CloudEvents' Kafka binding."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

Headers = list[tuple[str, bytes]]
_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT = ("content-type", b"application/protobuf")


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
        _SPECVERSION,
        ("ce_id", event_id.encode()),
        _constant("ce_type", type),
        _constant("ce_source", source),
        ("ce_subject", subject.encode()),
        ("ce_time", _rfc3339(time)),
        _constant("ce_dataschema", dataschema),
        _CONTENT,
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


@lru_cache(maxsize=256)
def _constant(name: str, text: str) -> tuple[str, bytes]:
    """A header that many records share; these texts are names of our own messages and services."""
    return name, text.encode()


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
