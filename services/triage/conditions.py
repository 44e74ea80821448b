"""What a rule may depend on, and the conditions by which it does. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from safeguarding.v1.access_control_pb2 import Role as RoleEnum
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Raised
from services.chassis.areafile import Strict, Wrong
from services.chassis.language import Kind, Role, SubjectRole
from services.links import AtPlace
from services.triage.same_place import MOST, Earlier, SamePlace

VULNERABLE = frozenset(
    f"vulnerable_{part}" for part in ("appearance", "behaviour", "communication", "danger", "environment")
)
"""The five signs of the Vulnerability Assessment Framework: ABCDE."""
_TICKS = tuple(field.name for field in Signs.DESCRIPTOR.fields if field.type == field.TYPE_BOOL)


def _tick(word: str) -> str:
    if word not in _TICKS:
        raise Wrong(f"{word!r} is no sign that a raiser ticks", "one of " + ", ".join(_TICKS))
    return word


Tick = Annotated[str, AfterValidator(_tick)]
Count = Annotated[int, Field(ge=1, le=1000, examples=["14"])]


@dataclass(frozen=True, slots=True)
class Features:
    """All that a rule may depend on; nothing in it is sealed."""

    kinds: frozenset[Kind]
    signs: Signs
    roles: frozenset[SubjectRole]
    area: str
    anonymous: bool
    raiser_role: Role
    raiser_kind: str
    at_place: tuple[AtPlace, ...] = ()
    """The other concerns at the same place, but for those that a person rejected as links."""
    by_several: int = 0
    """How many complaints several people made about the same, as links tell; 0 where one person made them all."""

    @classmethod
    def of(cls, raised: Raised, actor: Actor, at_place: tuple[AtPlace, ...] = (), by_several: int = 0) -> "Features":
        """The features of a concern as it was raised; `replace` them with what was learned later."""
        return cls(
            kinds=frozenset(raised.kinds),
            signs=raised.signs,
            roles=frozenset(subject.role for subject in raised.subjects),
            area=raised.area,
            anonymous=raised.anonymous,
            raiser_role=actor.role,
            raiser_kind=actor.kind,
            at_place=at_place,
            by_several=by_several,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """The same as conditions are tried on: what each of them would look up is looked up once."""

    kinds: frozenset[Kind]
    roles: frozenset[SubjectRole]
    area: str
    anonymous: bool
    raiser_role: Role
    raiser_kind: str
    ticked: frozenset[str]
    dash: int | None
    """None where DASH was not asked."""
    complaints: int
    abuse_events: int
    vulnerabilities: int
    """How many of the five signs are ticked."""
    at_place: tuple[AtPlace, ...]
    by_several: int = 0

    @classmethod
    def of(cls, features: Features) -> "Seen":
        """What there is to see."""
        signs = features.signs
        ticked = frozenset(field.name for field, value in signs.ListFields() if value is True)
        return cls(
            features.kinds,
            features.roles,
            features.area,
            features.anonymous,
            features.raiser_role,
            features.raiser_kind,
            ticked,
            signs.dash_score if signs.HasField("dash_score") else None,
            signs.complaints_in_six_months,
            signs.abuse_events_in_twelve_months,
            len(ticked & VULNERABLE),
            features.at_place,
            features.by_several,
        )


Test = Callable[[Seen], bool]


class When(Strict):
    """Conditions; all that are stated must hold, and at least one is stated."""

    kinds: Sequence[Kind] = ()
    """The concern is of at least one of these kinds."""
    without_kinds: Sequence[Kind] = ()
    """The concern is of none of these kinds."""
    roles: Sequence[SubjectRole] = ()
    """At least one subject has one of these roles."""
    without_roles: Sequence[SubjectRole] = ()
    """No subject has any of these roles."""
    raiser_roles: Sequence[Role] = ()
    raiser_kinds: Sequence[str] = ()
    areas: Sequence[str] = ()
    anonymous: bool | None = None
    signs: Sequence[Tick] = ()
    """All of these are ticked."""
    any_signs: Sequence[Tick] = ()
    """At least one of these is ticked."""
    without_signs: Sequence[Tick] = ()
    """None of these is ticked."""
    dash_score_at_least: Count | None = None
    """DASH was asked, and so many answers were yes."""
    dash_score_below: Count | None = None
    """DASH was asked, and fewer answers were yes."""
    complaints_in_six_months_at_least: Count | None = None
    """So many of one complainant, this one among them."""
    complaints_by_several_in_six_months_at_least: Annotated[int, Field(ge=2, le=MOST, examples=["5"])] | None = None
    """So many of several complainants about the same place, people or household, this one among them."""
    abuse_events_in_twelve_months_at_least: Count | None = None
    vulnerabilities_at_least: Annotated[int, Field(ge=1, le=5, examples=["3"])] | None = None
    """So many of the five signs of vulnerability are ticked."""
    same_place: SamePlace | None = None
    """So many concerns are of the same place."""

    def model_post_init(self, _: Any) -> None:
        """A rule without a condition would always fire, and one that counts only what it excludes never."""
        if not self.model_fields_set:
            raise Wrong("a rule without a condition", 'kinds = ["domestic_abuse"]')
        counted = frozenset(self.same_place.kinds if self.same_place is not None else ())
        if counted and counted <= frozenset(self.without_kinds):
            raise Wrong(
                "same_place counts only kinds that without_kinds excludes, so this concern never counts",
                "same_place.kinds with a kind that the concern may be of",
                at=("same_place",),
            )

    def tests(self) -> tuple[Test, ...]:
        """One for each condition that is stated; whoever asks often keeps them."""
        return tuple(self._stated())

    def holds(self, seen: Seen) -> bool:
        """True where everything that is stated is so."""
        return all(test(seen) for test in self._stated())

    @property
    def counts(self) -> bool:
        """True where a condition counts events."""
        events = (
            self.complaints_in_six_months_at_least,
            self.complaints_by_several_in_six_months_at_least,
            self.abuse_events_in_twelve_months_at_least,
        )
        return self.same_place is not None or any(each is not None for each in events)

    def counted(self, seen: Seen) -> int:
        """How many events its conditions counted, the most where several do; 0 where none does."""
        counts = [0]
        if self.complaints_in_six_months_at_least is not None:
            counts.append(seen.complaints)
        if self.complaints_by_several_in_six_months_at_least is not None:
            counts.append(seen.by_several)
        if self.abuse_events_in_twelve_months_at_least is not None:
            counts.append(seen.abuse_events)
        if self.same_place is not None:
            counts.append(self.same_place.count(seen.kinds, seen.at_place))
        return max(counts)

    def _stated(self) -> Iterator[Test]:
        yield from _any_of("kinds", self.kinds)
        yield from _none_of("kinds", self.without_kinds)
        yield from _any_of("roles", self.roles)
        yield from _none_of("roles", self.without_roles)
        yield from _is_one_of("raiser_role", self.raiser_roles)
        yield from _is_one_of("raiser_kind", self.raiser_kinds)
        yield from _is_one_of("area", self.areas)
        if self.anonymous is not None:
            yield from _is_one_of("anonymous", [self.anonymous])
        yield from _all_of("ticked", self.signs)
        yield from _any_of("ticked", self.any_signs)
        yield from _none_of("ticked", self.without_signs)
        yield from _reaches("dash", self.dash_score_at_least)
        yield from _stays_below("dash", self.dash_score_below)
        yield from _reaches("complaints", self.complaints_in_six_months_at_least)
        yield from _reaches("by_several", self.complaints_by_several_in_six_months_at_least)
        yield from _reaches("abuse_events", self.abuse_events_in_twelve_months_at_least)
        yield from _reaches("vulnerabilities", self.vulnerabilities_at_least)
        if self.same_place is not None:
            place = self.same_place
            yield lambda seen: place.count(seen.kinds, seen.at_place) >= place.at_least


def _any_of(name: str, stated: Iterable[Any]) -> Iterator[Test]:
    wanted, found = frozenset(stated), attrgetter(name)
    if wanted:
        yield lambda seen: not wanted.isdisjoint(found(seen))


def _all_of(name: str, stated: Iterable[Any]) -> Iterator[Test]:
    wanted, found = frozenset(stated), attrgetter(name)
    if wanted:
        yield lambda seen: wanted <= found(seen)


def _none_of(name: str, stated: Iterable[Any]) -> Iterator[Test]:
    unwanted, found = frozenset(stated), attrgetter(name)
    if unwanted:
        yield lambda seen: unwanted.isdisjoint(found(seen))


def _is_one_of(name: str, stated: Iterable[Any]) -> Iterator[Test]:
    wanted, found = frozenset(stated), attrgetter(name)
    if wanted:
        yield lambda seen: found(seen) in wanted


def _reaches(name: str, least: int | None) -> Iterator[Test]:
    found = attrgetter(name)
    if least is not None:
        yield lambda seen: (count := found(seen)) is not None and count >= least


def _stays_below(name: str, bound: int | None) -> Iterator[Test]:
    found = attrgetter(name)
    if bound is not None:
        yield lambda seen: (count := found(seen)) is not None and count < bound


class Example(Strict):
    """A concern, as far as rules see it, that a rule is tried on when it is loaded."""

    kinds: Annotated[Sequence[Kind], Field(min_length=1, examples=['["domestic_abuse"]'])]
    roles: Sequence[SubjectRole] = ()
    ticked: Sequence[Tick] = ()
    dash_score: Annotated[int, Field(ge=0, le=27)] | None = None
    complaints_in_six_months: int = 0
    complaints_by_several_in_six_months: int = 0
    abuse_events_in_twelve_months: int = 0
    area: str = "anywhere"
    anonymous: bool = False
    raiser_role: Role = RoleEnum.ROLE_OFFICER
    raiser_kind: str = "response_officer"
    at_same_place: Sequence[Earlier] = ()
    """Earlier concerns at the same place."""

    def seen(self) -> Seen:
        """The example as a rule sees it."""
        signs = Signs(
            dash_score=self.dash_score,
            complaints_in_six_months=self.complaints_in_six_months,
            abuse_events_in_twelve_months=self.abuse_events_in_twelve_months,
            **dict.fromkeys(self.ticked, True),
        )
        return Seen.of(
            Features(
                kinds=frozenset(self.kinds),
                signs=signs,
                roles=frozenset(self.roles),
                area=self.area,
                anonymous=self.anonymous,
                raiser_role=self.raiser_role,
                raiser_kind=self.raiser_kind,
                at_place=tuple(each.at_place() for each in self.at_same_place),
                by_several=self.complaints_by_several_in_six_months,
            )
        )
