"""The words by which files name the enums of the language: CONCERN_KIND_HATE_CRIME is hate_crime."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Annotated, TypeAlias

from google.protobuf.descriptor import EnumDescriptor
from pydantic import PlainValidator

from safeguarding.v1 import access_control_pb2, common_pb2, partner_pb2, procedure_pb2, routing_pb2, triage_pb2
from services.chassis.areafile import Wrong


class EnumWords:
    """The words of one enum; its zero value has none, because it is never valid."""

    def __init__(self, enum: EnumDescriptor, *, unnamed: Collection[int] = ()) -> None:
        """`unnamed` are numbers that no file may name."""
        prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
        self._numbers = {
            value.name.removeprefix(prefix).lower(): value.number
            for value in enum.values
            if value.number and value.number not in unnamed
        }
        self._words = {number: word for word, number in self._numbers.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def number(self, word: object) -> int:
        """The enum's number for a word; raises Wrong with the legal words."""
        if not isinstance(word, str) or word not in self._numbers:
            raise Wrong(f"{word!r} is no such word", "one of " + ", ".join(self._numbers))
        return self._numbers[word]

    def word(self, number: int) -> str:
        """The word for a number; raises KeyError for 0 and unknown ones."""
        return self._words[number]

    def word_or(self, number: int, otherwise: str) -> str:
        """The same of what nobody has checked: a later version may know numbers for which there is no word here."""
        return self._words.get(number, otherwise)


KINDS = EnumWords(common_pb2.ConcernKind.DESCRIPTOR)
SUBJECT_ROLES = EnumWords(common_pb2.SubjectRole.DESCRIPTOR)
SERVICES = EnumWords(common_pb2.ServiceKind.DESCRIPTOR)
BASES = EnumWords(common_pb2.LawfulBasis.DESCRIPTOR)
GRADES = EnumWords(common_pb2.Grade.DESCRIPTOR)
GROUPS = EnumWords(common_pb2.FieldGroup.DESCRIPTOR, unnamed=(common_pb2.FIELD_GROUP_MATCH,))
ROLES = EnumWords(access_control_pb2.Role.DESCRIPTOR)
OUTCOMES = EnumWords(partner_pb2.Outcome.DESCRIPTOR)
DECLINES = EnumWords(partner_pb2.DeclineReason.DESCRIPTOR)
FAILURES = EnumWords(partner_pb2.FailureReason.DESCRIPTOR)
NOT_TOLD = EnumWords(partner_pb2.NotToldReason.DESCRIPTOR)
PREFERENCES = EnumWords(routing_pb2.ContactPreference.DESCRIPTOR)
CASE_EVENTS = EnumWords(routing_pb2.CaseEvent.DESCRIPTOR)
NEEDS = EnumWords(common_pb2.Need.DESCRIPTOR)
STAGES = EnumWords(procedure_pb2.Stage.DESCRIPTOR)
NO_FURTHER_ACTION = EnumWords(triage_pb2.NoFurtherActionReason.DESCRIPTOR)

# As fields of a model: a word in the file, the enum's number in the program.
if TYPE_CHECKING:
    Kind: TypeAlias = common_pb2.ConcernKind.ValueType
    SubjectRole: TypeAlias = common_pb2.SubjectRole.ValueType
    Service: TypeAlias = common_pb2.ServiceKind.ValueType
    Basis: TypeAlias = common_pb2.LawfulBasis.ValueType
    Grade: TypeAlias = common_pb2.Grade.ValueType
    Group: TypeAlias = common_pb2.FieldGroup.ValueType
    Role: TypeAlias = access_control_pb2.Role.ValueType
    Outcome: TypeAlias = partner_pb2.Outcome.ValueType
    Decline: TypeAlias = partner_pb2.DeclineReason.ValueType
    Failure: TypeAlias = partner_pb2.FailureReason.ValueType
    NotTold: TypeAlias = partner_pb2.NotToldReason.ValueType
    Preference: TypeAlias = routing_pb2.ContactPreference.ValueType
    CaseEvent: TypeAlias = routing_pb2.CaseEvent.ValueType
    Need: TypeAlias = common_pb2.Need.ValueType
    Stage: TypeAlias = procedure_pb2.Stage.ValueType
    NoFurtherAction: TypeAlias = triage_pb2.NoFurtherActionReason.ValueType
else:
    Kind = Annotated[int, PlainValidator(KINDS.number)]
    SubjectRole = Annotated[int, PlainValidator(SUBJECT_ROLES.number)]
    Service = Annotated[int, PlainValidator(SERVICES.number)]
    Basis = Annotated[int, PlainValidator(BASES.number)]
    Grade = Annotated[int, PlainValidator(GRADES.number)]
    Group = Annotated[int, PlainValidator(GROUPS.number)]
    Role = Annotated[int, PlainValidator(ROLES.number)]
    Outcome = Annotated[int, PlainValidator(OUTCOMES.number)]
    Decline = Annotated[int, PlainValidator(DECLINES.number)]
    Failure = Annotated[int, PlainValidator(FAILURES.number)]
    NotTold = Annotated[int, PlainValidator(NOT_TOLD.number)]
    Preference = Annotated[int, PlainValidator(PREFERENCES.number)]
    CaseEvent = Annotated[int, PlainValidator(CASE_EVENTS.number)]
    Need = Annotated[int, PlainValidator(NEEDS.number)]
    Stage = Annotated[int, PlainValidator(STAGES.number)]
    NoFurtherAction = Annotated[int, PlainValidator(NO_FURTHER_ACTION.number)]
