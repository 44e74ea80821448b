"""From a record to an input: which writer, which message, and whether it is what it claims to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError, Message

from safeguarding.v1.parked_pb2 import ParkedClass
from services.chassis.checking import violations
from services.chassis.deciding import Input, Upstream
from services.chassis.kafka_in.chunk import Record


class Unreadable(Exception):
    """The record cannot be handled; it is parked whole under this class."""

    def __init__(self, parked: int, error: str) -> None:
        super().__init__(error)
        self.parked = parked
        self.error = error
        """The class of the error, never what the record holds."""


Reader = Callable[[Record], Input]
"""Gives the input that a record holds, or raises Unreadable."""

FactReader = Callable[[Record], Upstream]


def facts_of(writer: str, fact_type: type[Message]) -> FactReader:
    """A reader of one writer's facts."""

    def read(record: Record) -> Upstream:
        fact: Any = parsed(record, fact_type)
        header = fact.header
        referral_id, sequence = header.referral_id, header.sequence
        if record.key != referral_id.encode():
            raise Unreadable(ParkedClass.PARKED_CLASS_WRONG_KEY, "WrongKey")
        if not sequence:
            raise Unreadable(ParkedClass.PARKED_CLASS_UNREADABLE, "NoSequence")
        return Upstream(referral_id, header.event_id, header.actor, writer, fact, sequence)

    return read


def parsed(record: Record, message_type: type[Message]) -> Message:
    """The record's value as a message that keeps its field rules, or Unreadable."""
    value = record.value
    if value is None:
        raise Unreadable(ParkedClass.PARKED_CLASS_UNREADABLE, "Empty")
    try:
        message = message_type.FromString(value)
    except DecodeError as error:
        raise Unreadable(ParkedClass.PARKED_CLASS_UNREADABLE, "DecodeError") from error
    if violations(message):
        raise Unreadable(ParkedClass.PARKED_CLASS_UNREADABLE, "ValidationError")
    return message


def readers_of(topics: Mapping[str, tuple[str, type[Message]]]) -> dict[str, Reader]:
    """Readers by topic, from each topic's writer and message."""
    return {topic: facts_of(writer, fact_type) for topic, (writer, fact_type) in topics.items()}
