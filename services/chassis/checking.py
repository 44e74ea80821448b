"""Holds a message against the field rules in its proto, and says where it breaks them, never with what."""

from typing import Any

import protovalidate
from google.protobuf.message import Message

from services.chassis.errors import Violation
from services.chassis.surely import surely_right
from services.chassis.times import wrong_times

_VALIDATOR = protovalidate.Validator()


def violations(message: Message) -> list[Violation]:
    """Every field that breaks its rule, with what would be right; empty where all is well."""
    if surely_right(message):
        return []
    times = [Violation(path, "must be a time between the years 1 and 9999") for path in wrong_times(message)]
    try:
        found = _VALIDATOR.collect_violations(message)
    except ValueError:
        # Bytes that protobuf's Python reader takes and its others do not: an unknown field of number 0, for one.
        return [Violation("", "must be a message that every protobuf reader can read"), *times]
    return [*(_violation(each.proto) for each in found), *times]


def _violation(found: Any) -> Violation:
    path = found.field.elements if found.field is not None else ()
    return Violation(".".join(_step(element) for element in path), found.message or f"must keep {found.rule_id}")


def _step(element: Any) -> str:
    place = element.subscript
    if place is None:
        return str(element.field_name)
    if place.field == "index":
        return f"{element.field_name}[{place.value}]"
    return f"{element.field_name}[key]"  # a map's key is the caller's own text: it may be personal
