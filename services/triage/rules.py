"""The area's rules: which grade and which legs a referral gets by rule, and why. Pure once they are loaded.

A rule fires when everything that its `when` states is so. The grade is the highest that a fired rule asks
for, GREEN where none does. Each fired rule may ask for legs; legs for the same service become one, as the
strongest rule (highest grade, then first in the file) words it. Where no leg is asked for, or a fired rule
holds for the desk, a person decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from safeguarding.v1.common_pb2 import GRADE_GREEN, GRADE_UNSPECIFIED, LAWFUL_BASIS_CONSENT, Standing
from safeguarding.v1.triage_pb2 import FiredRule
from services.chassis.areafile import Sourced, Strict, Where, Wrong, read, refuse
from services.chassis.clocks import load_clocks
from services.chassis.language import BASES, GRADES, Basis, Grade, Need, Service
from services.grounds import Grounds, load_grounds
from services.standing import standing
from services.triage.conditions import Example, Features, Seen, When

__all__ = ["Assessment", "Features", "LegRequest", "Rule", "Rules", "load_rules", "respond_clock"]

CONSENTS = "consents_to_support"
"""The sign that the person agreed."""
MOST_KNOWN = 4096
"""Of the sets of rules that have fired together so many are kept; an area knows some dozens."""

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$", examples=['"child_protection"'])]


class Leg(Strict):
    """A leg that a rule asks for."""

    service: Service
    purpose: Code
    basis: Basis
    necessity: Annotated[str, Field(min_length=1, max_length=500, examples=['"The school meets the child."'])]
    respond_clock: Code | None = None
    """A clock of clocks.toml; the clock of the grade where none is named."""
    work_clock: Code | None = None
    """A clock of clocks.toml for the work once it is taken on, where law or an agreement sets one."""
    end_report: bool = False
    """The work may end only with a report of it."""
    needs: Sequence[Need] = ()
    """What the person needs, as far as the rule's signs tell."""
    without_consent: Code | None = None
    """Why it goes ahead although the person has not agreed: a ground of grounds.toml, where its basis has several."""


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
        if not self.when.holds(self.example_fires.seen()):
            raise Wrong(
                f"{self.id} does not fire on its example_fires",
                "an example for which everything in when is so",
                at=("example_fires",),
            )
        if self.when.holds(self.example_not.seen()):
            raise Wrong(
                f"{self.id} fires on its example_not",
                "an example for which something in when is not so",
                at=("example_not",),
            )

    def as_fired(self, counted: int = 0) -> FiredRule:
        """The rule as a fact keeps it, with how many events it counted."""
        return FiredRule(
            rule_id=self.id,
            words=self.words,
            source=self.source,
            confirmed=self.confirmed,
            unconfirmed_reason=self.unconfirmed_reason,
            grade=self.grade,
            counted=counted,
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
    work_clock: str = ""
    end_report: bool = False
    needs: tuple[Need, ...] = ()
    rules: tuple[Standing, ...] = ()
    """Where each rule that asked comes from, and whether a practitioner has confirmed it."""
    without_consent: Standing | None = None
    """Why it goes ahead although the person has not agreed; None where it rests on consent."""
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
    counted: Mapping[str, int] = field(default_factory=dict)
    """How many events each fired rule counted that counts any, by the rule's id."""

    def as_fired(self) -> list[FiredRule]:
        """The rules that fired, as a fact keeps them."""
        return [rule.as_fired(self.counted.get(rule.id, 0)) for rule in self.fired]

    def regraded(self, grade: Grade) -> "Assessment":
        """The same under a grade that a person set: legs without a clock of their own get the grade's."""
        legs = tuple(_clocked(leg, grade) for leg in self.proposed)
        return replace(self, grade=grade, proposed=legs, legs=() if self.held else legs)


class Rules:
    """The rules of an area; nothing in it changes what it says."""

    def __init__(self, rules: Sequence[Rule], grounds: Grounds) -> None:
        self.all = tuple(rules)
        self._grounds = grounds
        self._tests = [(rule, rule.id, rule.when.tests()) for rule in self.all]
        self._counting = frozenset(rule.id for rule in self.all if rule.when.counts)
        self._known: dict[tuple[str, ...], Assessment] = {}
        """What follows where just these rules have fired: the same for every referral, so it is worked out once."""

    def assess(self, features: Features) -> Assessment:
        """Say which rules fire and what follows from them."""
        seen = Seen.of(features)
        fired, ids = [], []
        for rule, id, tests in self._tests:
            for test in tests:
                if not test(seen):
                    break
            else:
                fired.append(rule)
                ids.append(id)
        known = self._known.get(tuple(ids))
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[tuple(ids)] = _followed(tuple(fired), self._grounds)
        if self._counting.isdisjoint(ids):
            return known
        return replace(known, counted={rule.id: rule.when.counted(seen) for rule in fired if rule.id in self._counting})


def _followed(fired: tuple[Rule, ...], grounds: Grounds) -> Assessment:
    """What follows once these rules have fired."""
    grade = max((rule.grade for rule in fired), default=GRADE_GREEN) or GRADE_GREEN
    legs = tuple(_clocked(leg, grade) for leg in _merged(fired, grounds))
    held = any(rule.hold_for_desk for rule in fired)
    floor = max((rule.grade for rule in fired if rule.floor), default=GRADE_UNSPECIFIED)
    return Assessment(grade, fired, () if held else legs, legs, held, floor)


def respond_clock(grade: Grade) -> str:
    """The clock for a partner's answer where the leg has none of its own."""
    return f"respond_{GRADES.word(grade)}"


def _clocked(leg: LegRequest, grade: Grade) -> LegRequest:
    return leg if leg.own_clock else replace(leg, respond_clock=respond_clock(grade))


def _merged(fired: Sequence[Rule], grounds: Grounds) -> Iterable[LegRequest]:
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
            work_clock=next((leg.work_clock for _, leg in requests if leg.work_clock), ""),
            end_report=any(leg.end_report for _, leg in requests),
            needs=tuple(dict.fromkeys(need for _, leg in requests for need in leg.needs)),
            rules=tuple(standing(rule.id, rule) for rule, _ in requests),
            without_consent=_ground(strongest, grounds),
            own_clock=strongest.respond_clock is not None,
        )


def _ground(leg: Leg, grounds: Grounds) -> Standing | None:
    """The one that the leg names, or the only one of its basis; None for consent, which has none."""
    possible = grounds.of(leg.basis)
    return next((each for each in possible if leg.without_consent in (None, each.id)), None)


class _RulesFile(Strict):
    rule: Annotated[Sequence[Rule], Field(min_length=1)]


def load_rules(area: Path) -> Rules:
    """Read rules.toml of an area, each rule tried on its examples; raises FileRefused."""
    path = area / "rules.toml"
    rules = tuple(read(path, _RulesFile).rule)
    clocks: Mapping[str, object] = load_clocks(area).rules
    grounds = load_grounds(area)
    seen: set[str] = set()
    for place, rule in enumerate(rules):
        if rule.id in seen:
            raise refuse(path, ("rule", place, "id"), f"the id {rule.id} is used twice", "one id a rule")
        seen.add(rule.id)
        for earlier in rules[:place]:
            if earlier.when == rule.when:
                wrong = f"{rule.id} has the same conditions as {earlier.id}"
                raise refuse(path, ("rule", place, "when"), wrong, "one rule for one set of conditions")
        for number, leg in enumerate(rule.leg):
            if leg.basis == LAWFUL_BASIS_CONSENT and CONSENTS not in rule.when.signs:
                at = ("rule", place, "leg", number, "basis")
                wrong = f"{rule.id} rests on consent, and fires without it"
                raise refuse(path, at, wrong, f'when.signs = ["{CONSENTS}"], or another basis')
            _check_ground(path, ("rule", place, "leg", number), leg, grounds)
            for key in ("respond_clock", "work_clock"):
                clock = getattr(leg, key)
                if clock is not None and clock not in clocks:
                    at = ("rule", place, "leg", number, key)
                    raise refuse(path, at, f"no clock {clock}", "one of " + ", ".join(clocks))
    return Rules(rules, grounds)


def _check_ground(path: Path, at: Where, leg: Leg, grounds: Grounds) -> None:
    """A leg names its ground where its basis has several, and none that is not its basis's."""
    possible = [each.id for each in grounds.of(leg.basis)]
    basis = BASES.word(leg.basis)
    if leg.without_consent is None and len(possible) > 1:
        wrong = f"{basis} goes ahead without consent for one of several reasons, and the leg names none"
        raise refuse(path, (*at, "basis"), wrong, f'without_consent = "{possible[-1]}"')
    if leg.without_consent is not None and leg.without_consent not in possible:
        right = "one of " + ", ".join(possible) if possible else "no without_consent: what rests on consent stops"
        raise refuse(path, (*at, "without_consent"), f"{leg.without_consent} is no ground for {basis}", right)
