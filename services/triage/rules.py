"""The area's rules: which grade and which legs a referral gets by rule, and why. Pure once they are loaded.

A rule fires when everything that its `when` states is so. The grade is the highest that a fired rule asks
for, GREEN where none does. Each fired rule may ask for legs; legs for the same service become one, as the
strongest rule (highest grade, then first in the file) words it. Where no leg is asked for, or a fired rule
holds for the desk, a person decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from safeguarding.v1.access_control_pb2 import Role as RoleEnum
from safeguarding.v1.common_pb2 import GRADE_GREEN, GRADE_UNSPECIFIED, Actor
from safeguarding.v1.concern_pb2 import Signs
from safeguarding.v1.intake_pb2 import Raised
from safeguarding.v1.triage_pb2 import FiredRule
from services.chassis.areafile import Sourced, Strict, Wrong, read, refuse
from services.chassis.clocks import load_clocks
from services.chassis.language import GRADES, Basis, Grade, Kind, Role, Service, SubjectRole

_TICKS = tuple(field.name for field in Signs.DESCRIPTOR.fields if field.type == field.TYPE_BOOL)


def _tick(word: str) -> str:
    if word not in _TICKS:
        raise Wrong(f"{word!r} is no sign that a raiser ticks", "one of " + ", ".join(_TICKS))
    return word


Tick = Annotated[str, AfterValidator(_tick)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$", examples=['"child_protection"'])]
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


class Leg(Strict):
    """A leg that a rule asks for."""

    service: Service
    purpose: Code
    basis: Basis
    necessity: Annotated[str, Field(min_length=1, max_length=500, examples=['"The school meets the child."'])]
    respond_clock: Code | None = None
    """A clock of clocks.toml; the clock of the grade where none is named."""


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


class Rule(Sourced):
    """One rule: when it fires, what follows, and one example of each."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$", examples=['"dash_14_is_high_risk"'])]
    words: Annotated[str, Field(max_length=500, examples=['"DASH of 14 or more is high risk."'])]
    source: Annotated[str, Field(max_length=300, examples=['"Care Act 2014, section 42"'])]
    when: When
    grade: Grade = GRADE_UNSPECIFIED
    """The lowest grade that the referral then has; unspecified where the rule only routes."""
    leg: Sequence[Leg] = ()
    floor: bool = False
    """Nobody may set a lower grade than the rule's."""
    hold_for_desk: bool = False
    """No leg opens by rule; the desk sees what would have opened."""
    example_fires: Example
    example_not: Example

    def model_post_init(self, context: Any) -> None:
        """A rule has an effect, and does to its own examples what it says."""
        super().model_post_init(context)
        if not (self.grade or self.leg or self.hold_for_desk):
            raise Wrong("a rule without an effect", 'grade = "amber", a [[rule.leg]] or hold_for_desk = true')
        if self.floor and not self.grade:
            raise Wrong("a floor without a grade", 'grade = "red" beside floor = true', at=("floor",))
        if not self.when.holds(self.example_fires.features()):
            raise Wrong(
                f"{self.id} does not fire on its example_fires",
                "an example for which everything in when is so",
                at=("example_fires",),
            )
        if self.when.holds(self.example_not.features()):
            raise Wrong(
                f"{self.id} fires on its example_not",
                "an example for which something in when is not so",
                at=("example_not",),
            )

    def as_fired(self) -> FiredRule:
        """The rule as a fact keeps it."""
        return FiredRule(
            rule_id=self.id,
            words=self.words,
            source=self.source,
            confirmed=self.confirmed,
            grade=self.grade,
        )


@dataclass(frozen=True, slots=True)
class LegRequest:
    """A leg that the rules ask for, with every rule that asked."""

    service: Service
    purpose: str
    basis: Basis
    necessity: str
    rule_ids: tuple[str, ...]
    respond_clock: str
    own_clock: bool = False
    """True where the rule names the clock, so that another grade does not change it."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the rules say of a referral."""

    grade: Grade
    fired: tuple[Rule, ...]
    legs: tuple[LegRequest, ...]
    """The legs to open now, in the order of the rules; none where the desk decides."""
    proposed: tuple[LegRequest, ...]
    """The legs that the rules ask for, also where they are held for the desk."""
    held: bool
    """True where a rule wants a person to decide."""
    floor: Grade
    """The lowest grade that a person may set; unspecified where any may be."""

    def regraded(self, grade: Grade) -> "Assessment":
        """The same under a grade that a person set: legs without a clock of their own get the grade's."""
        legs = tuple(_clocked(leg, grade) for leg in self.proposed)
        return replace(self, grade=grade, proposed=legs, legs=() if self.held else legs)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of an area."""

    all: tuple[Rule, ...]

    def assess(self, features: Features) -> Assessment:
        """Say which rules fire and what follows from them."""
        fired = tuple(rule for rule in self.all if rule.when.holds(features))
        grade = max((rule.grade for rule in fired), default=GRADE_GREEN) or GRADE_GREEN
        legs = tuple(_clocked(leg, grade) for leg in _merged(fired))
        held = any(rule.hold_for_desk for rule in fired)
        floor = max((rule.grade for rule in fired if rule.floor), default=GRADE_UNSPECIFIED)
        return Assessment(grade, fired, () if held else legs, legs, held, floor)


def respond_clock(grade: Grade) -> str:
    """The clock for a partner's answer where the leg has none of its own."""
    return f"respond_{GRADES.word(grade)}"


def _clocked(leg: LegRequest, grade: Grade) -> LegRequest:
    return leg if leg.own_clock else replace(leg, respond_clock=respond_clock(grade))


def _merged(fired: Sequence[Rule]) -> Iterable[LegRequest]:
    asked: dict[int, list[tuple[Rule, Leg]]] = {}
    for rule in fired:
        for leg in rule.leg:
            asked.setdefault(leg.service, []).append((rule, leg))
    for requests in asked.values():
        _, strongest = max(requests, key=lambda request: request[0].grade)  # max keeps the first of equals
        yield LegRequest(
            service=strongest.service,
            purpose=strongest.purpose,
            basis=strongest.basis,
            necessity=strongest.necessity,
            rule_ids=tuple(rule.id for rule, _ in requests),
            respond_clock=strongest.respond_clock or "",
            own_clock=strongest.respond_clock is not None,
        )


class _RulesFile(Strict):
    rule: Annotated[Sequence[Rule], Field(min_length=1)]


def load_rules(area: Path) -> Rules:
    """Read rules.toml of an area, each rule tried on its examples; raises FileRefused."""
    path = area / "rules.toml"
    rules = tuple(read(path, _RulesFile).rule)
    clocks: Mapping[str, object] = load_clocks(area).rules
    seen: set[str] = set()
    for place, rule in enumerate(rules):
        if rule.id in seen:
            raise refuse(path, ("rule", place, "id"), f"the id {rule.id} is used twice", "one id a rule")
        seen.add(rule.id)
        for number, leg in enumerate(rule.leg):
            if leg.respond_clock is not None and leg.respond_clock not in clocks:
                at = ("rule", place, "leg", number, "respond_clock")
                raise refuse(path, at, f"no clock {leg.respond_clock}", "one of " + ", ".join(clocks))
    return Rules(rules)
