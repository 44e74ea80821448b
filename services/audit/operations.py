"""Which facts are the operations whose logs the Data Protection Act 2018, section 62, asks for, and with which reason.

Collection, alteration, consultation, disclosure, combination and erasure; each log says what was done, when, by whom
and, here for all six and not only for two of them, why.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from safeguarding.v1.access_pb2 import ACCESS_KIND_DISCLOSED, ACCESS_KIND_FLAGGED, AccessFact
from safeguarding.v1.audit_pb2 import (
    OPERATION_ALTERATION,
    OPERATION_COLLECTION,
    OPERATION_COMBINATION,
    OPERATION_CONSULTATION,
    OPERATION_DISCLOSURE,
    OPERATION_ERASURE,
    OPERATION_UNSPECIFIED,
    Operation,
)
from safeguarding.v1.intake_pb2 import Amended, Erased, InformationSupplied, Raised
from safeguarding.v1.partner_pb2 import PartnerRecord
from safeguarding.v1.procedure_pb2 import MinutesPassed
from safeguarding.v1.routing_pb2 import InformationPassed, Offered
from safeguarding.v1.triage_pb2 import LinkConfirmed, Linked
from services.chassis.language import KINDS

OF_TYPE: Mapping[type[Message], Operation.ValueType] = {
    Raised: OPERATION_COLLECTION,
    InformationSupplied: OPERATION_COLLECTION,
    Amended: OPERATION_ALTERATION,
    Offered: OPERATION_DISCLOSURE,
    InformationPassed: OPERATION_DISCLOSURE,
    MinutesPassed: OPERATION_DISCLOSURE,
    PartnerRecord: OPERATION_DISCLOSURE,
    Linked: OPERATION_COMBINATION,
    LinkConfirmed: OPERATION_COMBINATION,
    Erased: OPERATION_ERASURE,
}
STANDING: Mapping[type[Message], str] = {
    InformationSupplied: "told_by_raiser",
    Amended: "corrected_by_raiser",
    InformationPassed: "asked_by_partner",
    MinutesPassed: "case_conference",
    PartnerRecord: "copy_of_a_fact",
    LinkConfirmed: "same_people_or_place",
}
"""The reason where a fact itself holds none."""
_OWN = ("reason", "ground", "purpose", "by")
"""Fields in which facts hold their reason as a code."""
_BY_NAME = {kind.DESCRIPTOR.full_name: operation for kind, operation in OF_TYPE.items()}


def operation_of(type_name: str, look: int) -> Operation.ValueType:
    """The operation that a record tells of; unspecified where it is none, such as a grade."""
    if look == ACCESS_KIND_FLAGGED:
        return OPERATION_UNSPECIFIED
    if type_name == AccessFact.DESCRIPTOR.full_name:
        return OPERATION_DISCLOSURE if look == ACCESS_KIND_DISCLOSED else OPERATION_CONSULTATION
    return _BY_NAME.get(type_name, OPERATION_UNSPECIFIED)


def reason_of(content: Any) -> str:
    """Why, as the fact's own code, else the standing reason of its kind; empty where it needs none."""
    if isinstance(content, Raised):
        return next(filter(None, (KINDS.word_or(kind, "") for kind in content.kinds)), "")
    for name in _own_fields(content.DESCRIPTOR):
        if getattr(content, name):
            return str(getattr(content, name))
    return STANDING.get(type(content), "")


@cache
def _own_fields(kind: Descriptor) -> tuple[str, ...]:
    """Those of a kind's fields that can hold its reason."""
    fields = kind.fields_by_name
    return tuple(name for name in _OWN if name in fields and fields[name].type == FieldDescriptor.TYPE_STRING)
