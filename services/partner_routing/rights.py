"""Victims' rights: which apply to whom, who has enhanced ones, and the clock of each. Pure once they are loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from safeguarding.v1.common_pb2 import SUBJECT_ROLE_BUSINESS, SUBJECT_ROLE_VICTIM, Standing
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Raised
from services.chassis.areafile import Sourced, Strict, Where, Wrong, read, refuse
from services.chassis.clocks import load_clocks
from services.chassis.language import CASE_EVENTS, SUBJECT_ROLES, CaseEvent, Kind, Service, SubjectRole
from services.standing import standing

ALL = range(1, 13)
"""The twelve rights of the Victims' Code."""
VICTIMS = (SUBJECT_ROLE_VICTIM, SUBJECT_ROLE_BUSINESS)
_TICKS = tuple(field.name for field in Signs.DESCRIPTOR.fields if field.type == field.TYPE_BOOL)
_NO_ROWS = "kinds, any_signs, or a count such as complaints_in_six_months_at_least = 3"


def _tick(word: str) -> str:
    if word not in _TICKS:
        raise Wrong(f"{word!r} is no sign that a raiser ticks", "one of " + ", ".join(_TICKS))
    return word


def _victim(role: SubjectRole) -> SubjectRole:
    if role not in VICTIMS:
        words = ", ".join(SUBJECT_ROLES.word(each) for each in VICTIMS)
        raise Wrong(f"{SUBJECT_ROLES.word(role)} is no victim", f"one of {words}")
    return role


Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$", examples=['"told_of_investigation"'])]
Tick = Annotated[str, AfterValidator(_tick)]
Victim = Annotated[SubjectRole, AfterValidator(_victim)]
Count = Annotated[int, Field(ge=1, le=1000, examples=["3"])]


class Coded(Sourced):
    """A table with a code of its own."""

    code: Code


class Right(Coded):
    """One right."""

    number: Annotated[int, Field(ge=1, le=12, examples=["6"])]
    roles: Annotated[Sequence[Victim], Field(min_length=1, examples=['["victim"]'])]
    after: Sequence[CaseEvent] = ()
    """It applies once one of these has happened; from the report where none is named."""
    tells_of: Sequence[CaseEvent] = ()
    """What must be told under it, each within its clock."""
    met_by: Sequence[Service] = ()
    """A leg to one of these ends the clock that began with the report."""
    clock: Code | None = None
    """Of what is told, or from the report where it tells of nothing."""
    clock_enhanced: Code | None = None
    """The same for whoever has enhanced rights."""

    def model_post_init(self, context: Any) -> None:
        """A clock has a beginning, and what begins has a clock and an end."""
        super().model_post_init(context)
        if bool(self.clock) != bool(self.tells_of or self.met_by):
            at, wrong = ("clock", "nothing begins or ends it") if self.clock else ("code", "it begins no clock")
            raise Wrong(wrong, 'clock = "victim_update" beside tells_of or met_by, or neither', at=(at,))
        if self.tells_of and self.met_by:
            raise Wrong("one clock for two things", "tells_of or met_by", at=("met_by",))
        if self.clock_enhanced and not self.clock:
            raise Wrong("an enhanced clock alone", 'clock = "victim_update" beside it', at=("clock_enhanced",))


class Enhanced(Coded):
    """A group that has enhanced rights; any one that it states is enough."""

    kinds: Sequence[Kind] = ()
    any_signs: Sequence[Tick] = ()
    abuse_events_in_twelve_months_at_least: Count | None = None
    complaints_in_six_months_at_least: Count | None = None

    def model_post_init(self, context: Any) -> None:
        """A group that nobody is of is a mistake."""
        super().model_post_init(context)
        counts = (self.abuse_events_in_twelve_months_at_least, self.complaints_in_six_months_at_least)
        if not (self.kinds or self.any_signs or any(counts)):
            raise Wrong("a group of which nobody can be", _NO_ROWS, at=("code",))

    def fits(self, raised: Raised) -> bool:
        """True where what is known puts the concern's victims into the group."""
        signs = raised.signs
        abuse, complaints = self.abuse_events_in_twelve_months_at_least, self.complaints_in_six_months_at_least
        return (
            not frozenset(self.kinds).isdisjoint(raised.kinds)
            or any(getattr(signs, sign) for sign in self.any_signs)
            or (abuse is not None and signs.abuse_events_in_twelve_months >= abuse)
            or (complaints is not None and signs.complaints_in_six_months >= complaints)
        )


@dataclass(frozen=True, slots=True)
class Applies:
    """A right that applies."""

    number: int
    standing: Standing
    clock: str = ""
    """The clock that begins with the report."""
    met_by: tuple[Service, ...] = ()
    """The kinds of service to which a leg ends that clock."""


class Rights:
    """The rights of an area; nothing in it changes what it says."""

    def __init__(self, rights: Sequence[Right], enhanced: Sequence[Enhanced]) -> None:
        self.by_number: Mapping[int, Right] = {right.number: right for right in rights}
        self._applies = [(right, _applies(right)) for right in rights]
        self._enhanced = [(group, _bare(group)) for group in enhanced]
        coded: list[Coded] = [*rights, *enhanced]
        self.words: Mapping[str, Standing] = {each.code: standing(each.code, each) for each in coded}
        """Words and source of each right and group, by its code."""

    def of(self, role: int, happened: Collection[int]) -> list[Applies]:
        """Those that apply to a victim or business once this has happened to their case."""
        return [
            applies
            for right, applies in self._applies
            if role in right.roles and (not right.after or not set(right.after).isdisjoint(happened))
        ]

    def enhanced(self, raised: Raised, role: int) -> list[Standing]:
        """The groups that give a person enhanced rights; a business has none."""
        if role != SUBJECT_ROLE_VICTIM:
            return []
        return [bare for group, bare in self._enhanced if group.fits(raised)]

    def telling(self, event: int, *, enhanced: bool) -> tuple[int, str]:
        """The right under which a victim is told of an event, and its clock."""
        right = next(right for right in self.by_number.values() if event in right.tells_of)
        return right.number, (enhanced and right.clock_enhanced) or right.clock or ""


def _bare(stated: Coded) -> Standing:
    """For a fact: the file has the words and the source."""
    bare = standing(stated.code, stated)
    bare.words = bare.source = ""
    return bare


def _applies(right: Right) -> Applies:
    clock = (right.clock or "") if right.met_by else ""
    return Applies(right.number, _bare(right), clock, tuple(right.met_by))


class _RightsFile(Strict):
    right: Annotated[Sequence[Right], Field(min_length=1)]
    enhanced: Annotated[Sequence[Enhanced], Field(min_length=1)]


def load_rights(area: Path) -> Rights:
    """Read rights.toml of an area; raises FileRefused, also where one of the twelve is missing or stated twice, and
    where an event is told under no right, or under two."""
    path = area / "rights.toml"
    found = read(path, _RightsFile)
    clocks = load_clocks(area).rules
    numbers, codes, events = set[int](), set[str](), set[int]()
    for place, right in enumerate(found.right):
        at: Where = ("right", place)
        if right.number in numbers:
            raise refuse(path, (*at, "number"), f"right {right.number} is stated twice", "one right a number")
        for number, event in enumerate(right.tells_of):
            if event in events:
                wrong = f"{CASE_EVENTS.word(event)} is told under another right already"
                raise refuse(path, (*at, "tells_of", number), wrong, "one right for each event")
        for key in ("clock", "clock_enhanced"):
            clock = getattr(right, key)
            if clock is not None and clock not in clocks:
                raise refuse(path, (*at, key), f"no clock {clock}", "one of " + ", ".join(clocks))
        numbers.add(right.number)
        events.update(right.tells_of)
    tables: list[tuple[str, Sequence[Coded]]] = [("right", found.right), ("enhanced", found.enhanced)]
    for table, rows in tables:
        for place, each in enumerate(rows):
            if each.code in codes:
                raise refuse(path, (table, place, "code"), f"the code {each.code} is used twice", "one code each")
            codes.add(each.code)
    if missing := sorted(set(ALL) - numbers):
        raise refuse(path, (), f"right {missing[0]} is missing", f"[[right]] with number = {missing[0]}")
    if untold := sorted(set(map(CASE_EVENTS.number, CASE_EVENTS)) - events):
        word = CASE_EVENTS.word(untold[0])
        raise refuse(path, (), f"{word} is told under no right", f'tells_of = ["{word}"] at one of them')
    return Rights(found.right, found.enhanced)
