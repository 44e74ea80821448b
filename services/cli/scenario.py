"""The scenario: concerns, what each partner must and must not get of them, how partners answer and how each ends.

Every concern is one file of deploy/local/scenario/concerns/. A file states what must come of it by itself, from no
rule and no agreement; that both say the same is a test, and that the running system does it is the demo's count.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError

from safeguarding.v1.concern_pb2 import Concern, Signs
from safeguarding.v1.equality_pb2 import EqualityAnswers
from safeguarding.v1.partner_pb2 import Offer
from services.chassis.areafile import FileRefused, Wrong, read, refuse
from services.chassis.language import Decline, EnumWords, Failure, Outcome
from services.cli.scenario_file import (
    Accompany,
    Answer,
    Ask,
    ConcernFile,
    Confer,
    DeskAction,
    Ending,
    Override,
    PartnerTable,
    Raiser,
    Recall,
    ReplyWord,
    Route,
    TakeNoFurtherAction,
)

SUBJECT_PARTS = ("identity", "identifiers", "contact", "circumstances")


__all__ = [
    "Accompany",
    "Answer",
    "Ask",
    "Confer",
    "Ending",
    "ExpectedPartner",
    "Override",
    "Raiser",
    "Raising",
    "Recall",
    "Route",
    "ScenarioConcern",
    "TakeNoFurtherAction",
    "load_scenario",
    "paths_in",
    "paths_of",
    "prepare_area",
    "raisings",
]


@dataclass(frozen=True, slots=True)
class ExpectedPartner:
    """A partner that must hear, what it gets of the concern, and how it answers."""

    id: str
    must_get: frozenset[str]
    """Every path of its copy; see `paths_in`."""
    must_not_get: frozenset[str]
    """Every other path that the concern holds, and those that it must never hold."""
    replies: tuple[ReplyWord, ...]
    """In this order; none from a partner that stays silent."""
    outcome: Outcome
    declined: Decline | None
    failed: Failure | None
    escalated: bool
    """It is the lead agency and hears because another was silent."""
    question: str
    """What it asks the raiser; empty where it asks nothing."""

    @property
    def is_silent(self) -> bool:
        """True where the partner reads its copy and answers nothing."""
        return not self.replies


@dataclass(frozen=True, slots=True)
class ScenarioConcern:
    """One concern of the scenario with all that must come of it."""

    name: str
    story: str
    area: int
    """Which of the six areas of the plan it stands for."""
    raiser: Raiser
    concern: Concern
    equality: EqualityAnswers
    """Empty where the raiser says nothing of themselves."""
    partners: Mapping[str, ExpectedPartner]
    desk: tuple[DeskAction, ...]
    ending: Ending

    @property
    def signs(self) -> Signs:
        """The signs as they are known in the end, the raiser's answer included."""
        known = Signs()
        known.CopyFrom(self.concern.signs)
        for action in self.desk:
            if isinstance(action, Ask):
                ParseDict(dict(action.signs), known)
        return known


@dataclass(frozen=True, slots=True)
class Raising:
    """One raising of a concern of the scenario."""

    idempotency_key: str
    stated: ScenarioConcern


def raisings(scenario: Sequence[ScenarioConcern], count: int, run: str) -> list[Raising]:
    """The scenario again and again, `count` concerns in all, each under a key of its own; `run` names the run."""
    return [
        Raising(f"scenario-{run}-{number:05d}-{stated.name}"[:100], stated)
        for number, stated in enumerate(islice(cycle(scenario), count))
    ]


def load_scenario(folder: Path) -> tuple[ScenarioConcern, ...]:
    """Read concerns/*.toml of the scenario, by file name; raises FileRefused."""
    return tuple(_load(path) for path in sorted((folder / "concerns").glob("*.toml")))


def prepare_area(area: Path, folder: Path, into: Path) -> None:
    """Make `into` a copy of an area that runs by the scenario's short clocks; it must not exist yet."""
    shutil.copytree(area, into)
    shutil.copy(folder / "clocks.toml", into / "clocks.local.toml")


def paths_of(concern: Concern) -> frozenset[str]:
    """Every path that a copy of this concern may hold."""
    found = {"grade", "narratives"}
    found |= {name for name in ("signs", "place", "vehicle", "raiser") if concern.HasField(name)}
    return frozenset(found | set(_subject_paths(enumerate(concern.subjects, start=1))))


def paths_in(offer: Offer) -> frozenset[str]:
    """Every path that an offer does hold, such as `place` or `subjects[2].contact`."""
    found = {name for name in ("signs", "place", "vehicle", "raiser") if offer.HasField(name)}
    found |= {"grade"} if offer.grade else set()
    found |= {"narratives"} if offer.narratives else set()
    return frozenset(found | set(_subject_paths((subject.number, subject) for subject in offer.subjects)))


def _subject_paths(numbered: Iterable[tuple[int, Any]]) -> Iterator[str]:
    for number, subject in numbered:
        yield from (f"subjects[{number}].{part}" for part in SUBJECT_PARTS if subject.HasField(part))


def _load(path: Path) -> ScenarioConcern:
    table = read(path, ConcernFile)
    try:
        concern = ParseDict(_named(Concern.DESCRIPTOR, table.concern), Concern())
        protovalidate.validate(concern)
    except (ParseError, Wrong, protovalidate.ValidationError) as error:
        raise refuse(path, ("concern",), f"this is no Concern: {error}", "the fields of concern.proto") from error
    try:
        equality = ParseDict(_named(EqualityAnswers.DESCRIPTOR, table.equality), EqualityAnswers())
    except (ParseError, Wrong) as error:
        raise refuse(path, ("equality",), f"these are no answers: {error}", "those of equality.proto") from error
    asked = any(isinstance(action, Ask) and action.signs for action in table.desk)
    present = paths_of(concern) | ({"signs"} if asked else set())
    partners: dict[str, ExpectedPartner] = {}
    for place, row in enumerate(table.partner):
        if row.id in partners:
            raise refuse(path, ("partner", place, "id"), f"{row.id} is stated twice", "one table a partner")
        partners[row.id] = _expected(path, place, row, present)
    return ScenarioConcern(
        name=re.sub(r"^\d+-", "", path.stem),
        story=table.story,
        area=table.area,
        raiser=table.raiser,
        concern=concern,
        equality=equality,
        partners=partners,
        desk=tuple(table.desk),
        ending=table.ending,
    )


def _named(descriptor: Descriptor, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the enums' words as protobuf's own names, all the way down."""
    named: dict[str, Any] = {}
    for key, value in values.items():
        field = descriptor.fields_by_name.get(key)
        if field is None:
            raise Wrong(f"{descriptor.name} has no field {key}", "a field of concern.proto")
        named[key] = [_value(field, each) for each in value] if isinstance(value, list) else _value(field, value)
    return named


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return _named(field.message_type, value)
    return EnumWords(field.enum_type).number(value) if field.enum_type is not None else value


def _expected(path: Path, place: int, row: PartnerTable, present: frozenset[str]) -> ExpectedPartner:
    """Spread what the file states over every path of the concern; what is more precise wins."""
    gets: set[str] = set()
    for found in sorted(present):
        says_yes = max((_precision(stated, found) for stated in row.must_get), default=0)
        says_no = max((_precision(stated, found) for stated in row.must_not_get), default=0)
        if says_yes == says_no:
            how = "twice and differently" if says_yes else "nowhere"
            at = ("partner", place, "must_get")
            raise refuse(path, at, f"{found} is stated {how} for {row.id}", "in must_get or in must_not_get")
        gets |= {found} if says_yes > says_no else set()
    for number, stated in enumerate(row.must_get):
        if not any(_precision(stated, found) for found in present):
            raise _absent(path, ("partner", place, "must_get", number), stated)
    never = {stated for stated in row.must_not_get if not any(_precision(stated, found) for found in present)}
    return ExpectedPartner(
        id=row.id,
        must_get=frozenset(gets),
        must_not_get=(present - gets) | never,
        replies=tuple(row.replies),
        outcome=row.outcome,
        declined=row.declined,
        failed=row.failed,
        escalated=row.escalated,
        question=row.question,
    )


def _absent(path: Path, at: tuple[str | int, ...], stated: str) -> FileRefused:
    return refuse(path, at, f"the concern has no {stated} to give", "a field that the concern states")


def _precision(stated: str, found: str) -> int:
    """How precisely a statement names a path: 0 where it does not name it, at most 3.

    `subjects` names all of every subject, `subjects[2]` all of the second, `subjects.contact` that of every one.
    """
    if stated == found:
        return 3
    any_subject, of_subject = re.sub(r"\[\d+\]", "", found), found.partition(".")[0]
    if found.startswith("subjects") and stated in (any_subject, of_subject):
        return 2
    return int(found.startswith("subjects") and stated == "subjects")
