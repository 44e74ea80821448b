"""What a rule may depend on, and the conditions by which it does. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from safeguarding.v1.access_control_pb2 import Role as RoleEnum
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Raised
from services.chassis.areafile import Strict, Wrong
from services.chassis.language import Kind, Role, SubjectRole

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

    @classmethod
    def of(cls, raised: Raised, actor: Actor) -> "Features":
        """The features of a concern as it was raised; `replace` them with what was learned later."""
        return cls(
            kinds=frozenset(raised.kinds),
            signs=raised.signs,
            roles=frozenset(subject.role for subject in raised.subjects),
            area=raised.area,
            anonymous=raised.anonymous,
            raiser_role=actor.role,
            raiser_kind=actor.kind,
        )


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
    abuse_events_in_twelve_months_at_least: Count | None = None

    def model_post_init(self, _: Any) -> None:
        """A rule without a condition would always fire."""
        if not self.model_fields_set:
            raise Wrong("a rule without a condition", 'kinds = ["domestic_abuse"]')

    def holds(self, features: Features) -> bool:
        """True where everything that is stated is so."""
        return self._people_hold(features) and self._ticks_hold(features) and self._counts_hold(features.signs)

    def _people_hold(self, features: Features) -> bool:
        return (
            _one_of(self.kinds, features.kinds)
            and features.kinds.isdisjoint(self.without_kinds)
            and _one_of(self.roles, features.roles)
            and features.roles.isdisjoint(self.without_roles)
            and _one_of(self.raiser_roles, {features.raiser_role})
            and _one_of(self.raiser_kinds, {features.raiser_kind})
            and _one_of(self.areas, {features.area})
            and self.anonymous in (None, features.anonymous)
        )

    def _ticks_hold(self, features: Features) -> bool:
        ticked = {name for name in _TICKS if getattr(features.signs, name)}
        return (
            ticked.issuperset(self.signs) and _one_of(self.any_signs, ticked) and ticked.isdisjoint(self.without_signs)
        )

    def _counts_hold(self, signs: Signs) -> bool:
        dash = signs.dash_score if signs.HasField("dash_score") else None
        return (
            _reaches(dash, self.dash_score_at_least)
            and (self.dash_score_below is None or (dash is not None and dash < self.dash_score_below))
            and _reaches(signs.complaints_in_six_months, self.complaints_in_six_months_at_least)
            and _reaches(signs.abuse_events_in_twelve_months, self.abuse_events_in_twelve_months_at_least)
        )


def _one_of(stated: Iterable[Any], found: Iterable[Any]) -> bool:
    wanted = set(stated)
    return not wanted or not wanted.isdisjoint(found)


def _reaches(found: int | None, least: int | None) -> bool:
    return least is None or (found is not None and found >= least)


class Example(Strict):
    """A concern, as far as rules see it, that a rule is tried on when it is loaded."""

    kinds: Annotated[Sequence[Kind], Field(min_length=1, examples=['["domestic_abuse"]'])]
    roles: Sequence[SubjectRole] = ()
    ticked: Sequence[Tick] = ()
    dash_score: Annotated[int, Field(ge=0, le=27)] | None = None
    complaints_in_six_months: int = 0
    abuse_events_in_twelve_months: int = 0
    area: str = "anywhere"
    anonymous: bool = False
    raiser_role: Role = RoleEnum.ROLE_OFFICER
    raiser_kind: str = "response_officer"

    def features(self) -> Features:
        """The example as a rule sees it."""
        signs = Signs(
            dash_score=self.dash_score,
            complaints_in_six_months=self.complaints_in_six_months,
            abuse_events_in_twelve_months=self.abuse_events_in_twelve_months,
            **dict.fromkeys(self.ticked, True),
        )
        return Features(
            kinds=frozenset(self.kinds),
            signs=signs,
            roles=frozenset(self.roles),
            area=self.area,
            anonymous=self.anonymous,
            raiser_role=self.raiser_role,
            raiser_kind=self.raiser_kind,
        )
