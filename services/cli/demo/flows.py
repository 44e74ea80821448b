"""One referral of each area, told from raised to closed in the words of those who do the work. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.partner_pb2 import DeclineReason, FailureReason, NotToldReason, Offer, Outcome
from safeguarding.v1.procedure_pb2 import Stage
from safeguarding.v1.routing_pb2 import GetJourneyResponse, JourneyLeg, JourneyVictim
from safeguarding.v1.triage_pb2 import NoFurtherActionReason
from services.chassis.language import NEEDS, ROLES
from services.cli import showing
from services.cli.demo.play import Course
from services.cli.scenario import (
    Accompany,
    Answer,
    Ask,
    Confer,
    ExpectedPartner,
    Override,
    Recall,
    Route,
    TakeNoFurtherAction,
)

SHOWN: Mapping[int, str] = {
    1: "anonymous-note-about-a-child",
    2: "abuse-at-high-risk-with-children",
    3: "hare-coursing",
    4: "treatment-that-stays-silent",
    5: "slogans-on-a-door",
    6: "bruises-explained-twice",
}
"""By area the concern that shows it best."""
Lines = list[tuple[str, str]]
"""What a line is about, and the line."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One area's referral, line by line."""

    area: int
    title: str
    lines: Lines

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"area": self.area, "referral": self.title, "lines": [list(line) for line in self.lines]}


def chosen(courses: Sequence[Course]) -> list[Course]:
    """Of each area the referral to be told, in the plan's order: the one that shows it best, else its first."""
    found: dict[int, Course] = {}
    for course in courses:
        area = course.stated.area
        best = course.stated.name == SHOWN[area] and (area not in found or found[area].stated.name != SHOWN[area])
        if course.ended and (area not in found or best):
            found[area] = course
    return [found[area] for area in sorted(found)]


def told(course: Course, found: GetJourneyResponse, offers: Mapping[str, Offer]) -> Flow:
    """The whole of one referral; `offers` by partner, as each read it."""
    lines: Lines = [("story", course.stated.story), ("raised by", _raiser(course))]
    lines += [("with it came", brought)] if (brought := ", ".join(_brought(course.stated.concern))) else []
    lines += [("graded", each) for each in _graded(found)]
    lines += [("the desk", each) for each in _desk(course)]
    for leg in found.legs:
        lines += _leg(leg, course.stated.partners.get(leg.partner_id), offers.get(leg.partner_id))
    lines += [("conference", each) for each in _conferences(found)]
    for victim in (each for each in found.victims if each.contact_id):
        lines += [("the victim", each) for each in _victim(victim)]
    lines += _heard(course)
    return Flow(course.stated.area, course.title, lines)


def _raiser(course: Course) -> str:
    raiser, concern = course.stated.raiser, course.stated.concern
    role, kind = ROLES.word(raiser.role), raiser.kind.replace("_", " ")
    if concern.anonymous:
        return f"{role}, who does not want to be known"
    needs = [word for word, said in _reached(concern) if said]
    return ", ".join([role, *([kind] if kind else []), *needs])


def _reached(concern: Concern) -> list[tuple[str, bool]]:
    people: list[Any] = [concern.raiser, *(subject.circumstances for subject in concern.subjects)]
    return [
        ("with an interpreter", any(each.interpreter for each in people)),
        ("in another format", any(each.accessibility for each in people)),
    ]


def _brought(concern: Concern) -> Iterator[str]:
    """The signs, and what citizens in policing see: never a name, a number plate or an address."""
    for field, value in concern.signs.ListFields():
        name = field.name.replace("_", " ")
        yield name if value is True else f"{name} {value}"
    for role, number in _roles(concern).items():
        yield f"{number} {role}"
    if concern.place.grid_reference or concern.place.three_words:
        yield "a place by grid reference" if concern.place.grid_reference else "a place by three words"
    if concern.vehicle.registration or concern.vehicle.description:
        yield "a vehicle"
    if concern.vehicle.livestock:
        yield "livestock or machinery"
    if concern.vehicle.speeds:
        yield f"{len(concern.vehicle.speeds)} speeds measured"


def _roles(concern: Concern) -> dict[str, int]:
    found: dict[str, int] = {}
    for subject in concern.subjects:
        role = showing.word(subject, "role").replace("_", " ")
        found[role] = found.get(role, 0) + 1
    return found


def _graded(found: GetJourneyResponse) -> Iterator[str]:
    grade = showing.word(found, "grade").upper()
    for rule in found.graded_by:
        yield f"{rule.words} ({_source(rule)})"
    yield f"{grade}" if found.graded_by else f"{grade}: no rule fired, so a person decided"


def _source(stated: Any) -> str:
    return stated.source if stated.confirmed else f"{stated.source}; {showing.UNCONFIRMED}: {stated.unconfirmed_reason}"


def _desk(course: Course) -> Iterator[str]:
    for action in course.stated.desk:
        match action:
            case Ask():
                yield "asked the raiser, who answered; the clock rested meanwhile"
            case Override():
                yield "set another grade by judgement, with a reason"
            case Route():
                asked = ", ".join(showing.enum_word(_SERVICE, leg.service).replace("_", " ") for leg in action.leg)
                yield f"chose who must know: {asked}"
            case TakeNoFurtherAction():
                why = showing.enum_word(NoFurtherActionReason.DESCRIPTOR, action.reason).replace("_", " ")
                yield f"took no further action: {why}"
            case Recall():
                yield f"took {action.partner}'s leg back ({action.reason.replace('_', ' ')}), which it acknowledged"
            case Answer():
                yield f"passed {action.partner}'s question to the raiser, and the answer to {action.partner} alone"
            case Accompany():
                yield f"named {action.contact} to be there for the victim"
            case Confer():
                yield f"called a case conference with {action.partner}"


_SERVICE = JourneyLeg.DESCRIPTOR.fields_by_name["service"].enum_type


def _leg(leg: JourneyLeg, stated: ExpectedPartner | None, offer: Offer | None) -> Lines:
    asked = showing.word(leg, "service").replace("_", " ")
    said = [f"asked for {asked}", leg.necessity.rstrip(".").replace("_", " "), _footing(leg)]
    if leg.escalated:
        said.insert(0, "asked as lead agency, since another was silent or there was none")
    if offer is not None and offer.needs:
        said.append(f"needs: {', '.join(NEEDS.word(need) for need in offer.needs)}")
    if leg.withheld:
        groups = dict.fromkeys(showing.word(each, "group") for each in leg.withheld)
        said.append(f"not told: {', '.join(groups)}")
    report = ", with the report without which it cannot end" if offer is not None and offer.end_report else ""
    return [(leg.partner_id, "; ".join(said)), ("", f"{_end(leg, stated)}{report if _completed(stated) else ''}")]


def _completed(stated: ExpectedPartner | None) -> bool:
    return stated is not None and stated.replies[-1:] == ("completed",)


def _footing(leg: JourneyLeg) -> str:
    basis = f"on {showing.word(leg, 'basis').replace('_', ' ')}"
    return (
        f"{basis}, without consent: {leg.without_consent.words.rstrip('.')}"
        if leg.HasField("without_consent")
        else basis
    )


def _end(leg: JourneyLeg, stated: ExpectedPartner | None) -> str:
    """How its part ended, by the clock that ran for the answer."""
    state, clock = showing.word(leg, "state").replace("_", " "), showing.deadline(leg.respond_by)
    why = ""
    if stated is not None and stated.outcome:
        why = showing.enum_word(Outcome.DESCRIPTOR, stated.outcome)
    elif stated is not None and stated.failed:
        why = showing.enum_word(FailureReason.DESCRIPTOR, stated.failed)
    elif stated is not None and stated.declined:
        why = showing.enum_word(DeclineReason.DESCRIPTOR, stated.declined)
    ended = f"{state}: {why.replace('_', ' ')}" if why else state
    return f"{ended}{' (joined to work that goes on)' if leg.joined else ''}; its answer was wanted by {clock}"


def _conferences(found: GetJourneyResponse) -> Iterator[str]:
    for each in found.conferences:
        about = ", ".join(item.topic.replace("_", " ") for item in each.agenda)
        stage = showing.enum_word(Stage.DESCRIPTOR, each.stage).replace("_", " ")
        yield f"{stage}, about {about}"
        for decision in each.decisions:
            yield f"decided: {decision.action.replace('_', ' ')} ({'done' if decision.done else 'not done'})"


def _victim(victim: JourneyVictim) -> Iterator[str]:
    rights = [right for right in victim.applies if not right.struck]
    reached = showing.word(victim, "preference").replace("_", " ")
    by = f", to be reached: {reached}" if reached else ""
    yield f"named contact: {victim.contact_id}{by}; needs {'assessed' if victim.assessed else 'not assessed'}"
    why = ", ".join(group.words.rstrip(".") or group.id for group in victim.enhanced_by)
    yield f"{len(rights)} rights apply, {len(victim.rights)} explained{f'; enhanced: {why}' if victim.enhanced else ''}"
    if victim.satisfaction:
        yield f"asked how it was: {victim.satisfaction} of 5"


def _heard(course: Course) -> Lines:
    """What the raiser reads, and how the victim was told."""
    lines: Lines = [("raiser reads", course.words or "nobody knows whom to tell, and that is recorded")]
    victim = course.stated.ending.victim
    if victim is not None:
        by = "the partner that leads" if victim.told_by == "lead" else "the desk"
        why = showing.enum_word(NotToldReason.DESCRIPTOR, victim.not_told).replace("_", " ")
        lines.append(("victim told", f"by {by}: not told, {why}" if why else f"by {by}"))
    return lines
