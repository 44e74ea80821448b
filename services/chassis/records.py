"""A record on its way to Kafka, and the headers that each of ours carries: CloudEvents' Kafka binding."""

from collections.abc import Mapping, Sequence
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


class Heading:
    """The headers of one writer's events of one type, in CloudEvents' binary mode: copies for routing, never trusted.

    `type` is the message that it is, such as safeguarding.v1.Raised; `source` the writing service; `dataschema`
    the message of the whole value, such as safeguarding.v1.IntakeFact. What all events share is encoded once.
    Source: CloudEvents 1.0.2, Kafka protocol binding 3.2.
    """

    __slots__ = ("_schema", "_source", "_type")

    def __init__(self, type: str, source: str, dataschema: str) -> None:
        self._type = ("ce_type", type.encode())
        self._source = ("ce_source", source.encode())
        self._schema = ("ce_dataschema", dataschema.encode())

    def of(self, event_id: str, subject: bytes, time: bytes, traceparent: str = "") -> Headers:
        """The headers of one event; `subject` is the referral id, `time` as `rfc3339` gives it."""
        headers = [
            _SPECVERSION,
            ("ce_id", event_id.encode()),
            self._type,
            self._source,
            ("ce_subject", subject),
            ("ce_time", time),
            self._schema,
            _CONTENT,
        ]
        if traceparent:
            headers.append(("traceparent", traceparent.encode()))
        return headers


def rfc3339(time: Timestamp) -> bytes:
    """The words for a time. Facts of one turn share theirs, and making it costs more than all other headers."""
    return _words(time.seconds, time.nanos)


def header(headers: Sequence[tuple[str, bytes | None]], name: str) -> bytes | None:
    """The first value of the header, or None."""
    return next((value for found, value in headers if found == name), None)


def as_mapping(headers: Sequence[tuple[str, bytes | None]]) -> Mapping[str, str]:
    """Headers as text by name, for reading a trace context; those that are no ASCII text are left out."""
    return {name: value.decode() for name, value in headers if value is not None and value.isascii()}


@lru_cache(maxsize=16)
def _words(seconds: int, nanos: int) -> bytes:
    return Timestamp(seconds=seconds, nanos=nanos).ToJsonString().encode()
