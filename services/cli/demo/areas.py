"""What came of each of the six areas of the police and crime plan: counted from what everybody saw. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from google.protobuf.message import Message

from safeguarding.v1.access_control_pb2 import ROLE_PARTNER, ROLE_TRIAGE
from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.insight_pb2 import Figure
from safeguarding.v1.partner_pb2 import Offer
from safeguarding.v1.procedure_pb2 import Conference
from services.chassis.language import NEEDS
from services.cli.demo.asked import Asked, column, said
from services.cli.demo.play import Course
from services.cli.scenario import Answer
from tests.e2e.checker import Observations

PLAN = {
    1: "Public engagement",
    2: "The criminal justice system",
    3: "Special Constables and citizens in policing",
    4: "Reducing reoffending",
    5: "Supporting victims of crime and anti-social behaviour",
    6: "Collaboration and partnership working",
}
"""As the plan names them."""
CASE_REVIEW = 4
"""Complaints in half a year, as the scenario has them, from which the council reviews the case."""
TELL_VICTIMS = (ROLE_TRIAGE, ROLE_PARTNER)
"""The desk, or the partner that leads; raisers read for themselves."""
Figures = dict[str, int | str]


@dataclass(frozen=True, slots=True)
class AreaResult:
    """What came of one area."""

    area: int
    name: str
    concerns: int
    partners_told: int
    answered: int
    raisers_told: int
    """Read the outcome under their own identity, or a reason why not was recorded."""
    closed: int
    figures: Figures
    """The area's own, each by its name."""

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Part:
    """One area's share of what was seen."""

    courses: Sequence[Course]
    offers: Sequence[tuple[str, Offer]]
    """Partner and offer, once each."""
    conferences: Sequence[Conference]
    """As their partners were told of them."""
    asked: Asked

    def count(self, true: Callable[[Course], object]) -> int:
        """How many of its concerns are so."""
        return sum(bool(true(course)) for course in self.courses)


def results(courses: Sequence[Course], seen: Observations, asked: Asked) -> list[AreaResult]:
    """All six, in the plan's order."""
    offered = {
        (read.copy.referral_id, read.partner_id): read.copy.offer for read in seen.copies if read.copy.HasField("offer")
    }
    conferences = [
        (read.copy.referral_id, read.copy.conference.conference)
        for read in seen.copies
        if read.copy.HasField("conference")
    ]
    told = {each.referral_id for each in seen.outcomes if each.words} | {each.referral_id for each in seen.untold}
    found = []
    for number, name in PLAN.items():
        own = [course for course in courses if course.stated.area == number]
        ids = {course.referral_id for course in own}
        offers = [(partner, offer) for (referral, partner), offer in offered.items() if referral in ids]
        met = [each for referral, each in conferences if referral in ids]
        found.append(
            AreaResult(
                area=number,
                name=name,
                concerns=len(own),
                partners_told=len(offers),
                answered=sum(len(course.answered) for course in own),
                raisers_told=len(ids & told),
                closed=sum(course.ended for course in own),
                figures=FIGURES[number](Part(own, offers, met, asked)),
            )
        )
    return found


def _engagement(part: Part) -> Figures:
    needs: list[list[Any]] = [
        [course.stated.concern.raiser, *(each.circumstances for each in course.stated.concern.subjects)]
        for course in part.courses
    ]
    return {
        "anonymous": part.count(lambda course: course.stated.concern.anonymous),
        "with_an_interpreter": sum(any(each.interpreter for each in people) for people in needs),
        "in_another_format": sum(any(each.accessibility for each in people) for people in needs),
        "raised_by_the_public": column(part.asked.figures.get(Figure.FIGURE_REACH), "public"),
        "equality_answers": said(part.asked.equality.total),
    }


def _criminal_justice(part: Part) -> Figures:
    figures = part.asked.figures
    declined, ended = figures.get(Figure.FIGURE_DECLINES), figures.get(Figure.FIGURE_OUTCOMES)
    return {
        "decided_in_time": column(figures.get(Figure.FIGURE_DECISIONS), "in_time"),
        "decided_late": column(figures.get(Figure.FIGURE_DECISIONS), "late"),
        "legs_declined": said(declined.total) if declined else 0,
        "legs_ended": said(ended.total) if ended else 0,
        "disclosures_in_the_ledger": sum(part.asked.disclosures.values()),
    }


def _citizens(part: Part) -> Figures:
    places = [offer.place for _, offer in part.offers]
    vehicles = [offer.vehicle for _, offer in part.offers]
    return {
        "kinds_of_raiser": len({course.stated.raiser.kind for course in part.courses}),
        "places_without_an_address": sum(bool(each.grid_reference or each.three_words) for each in places),
        "vehicles": sum(bool(each.registration or each.description) for each in vehicles),
        "livestock": sum(bool(each.livestock) for each in vehicles),
        "speeds_measured": sum(len(each.speeds) for each in vehicles),
        "named_in_feedback": part.count(_names_somebody),
    }


def _reoffending(part: Part) -> Figures:
    signs = [course.stated.signs for course in part.courses]
    needs = {NEEDS.word(need) for _, offer in part.offers for need in offer.needs}
    reports = sum(
        course.stated.partners[partner].replies[-1:] == ("completed",)
        for course in part.courses
        for partner in course.answered & set(course.stated.partners)
    )
    return {
        "iom_managed": sum(each.iom_managed for each in signs),
        "mappa_managed": sum(each.mappa_level_2 or each.mappa_level_3 for each in signs),
        "needs_met_by_a_pathway": ", ".join(sorted(needs)) or "none",
        "legs_that_want_a_report": sum(offer.end_report for _, offer in part.offers),
        "ended_with_a_report": reports,
        "repeats": column(part.asked.figures.get(Figure.FIGURE_REPEATS), "repeat"),
    }


def _victims(part: Part) -> Figures:
    journeys = [
        part.asked.journeys[each.referral_id] for each in part.courses if each.referral_id in part.asked.journeys
    ]
    victims = [victim for found in journeys for victim in found.victims]
    told = [step for found in journeys for step in found.steps if step.kind == "outcome_told"]
    return {
        "victims_told_or_a_reason_why_not": sum(step.actor.role in TELL_VICTIMS for step in told),
        "businesses": part.count(lambda course: course.stated.signs.business_victim),
        "rural": part.count(lambda course: course.stated.signs.rural),
        "case_reviews": part.count(lambda course: course.stated.signs.complaints_in_six_months >= CASE_REVIEW),
        "accompanied": sum(bool(each.contact_id and each.assessed and each.rights) for each in victims),
        "rights_that_apply": sum(not right.struck for victim in victims for right in victim.applies),
        "with_enhanced_rights": sum(each.enhanced for each in victims),
        "asked_how_it_was": sum(each.satisfaction > 0 for each in victims),
    }


def _partnership(part: Part) -> Figures:
    own = part.asked.own
    met = {each.conference_id: each for each in part.conferences if each.HasField("held_at")}
    return {
        "partners": len(own),
        "partners_that_see_their_own_levels": sum(each.offered > 0 for each in own.values()),
        "answered_in_time": sum(each.in_time for each in own.values()),
        "several_partners": part.count(lambda course: len(course.stated.partners) > 1),
        "went_on_to_another": part.count(lambda course: any(each.declined for each in course.stated.partners.values())),
        "conferences_held": len(met),
        "decisions_of_conferences": sum(len(each.decisions) for each in met.values()),
        "asked_the_raiser": part.count(lambda course: any(isinstance(each, Answer) for each in course.stated.desk)),
    }


FIGURES: Mapping[int, Callable[[Part], Figures]] = {
    1: _engagement,
    2: _criminal_justice,
    3: _citizens,
    4: _reoffending,
    5: _victims,
    6: _partnership,
}


def _names_somebody(course: Course) -> bool:
    """Whether what the raiser read holds anything personal of the concern."""
    return any(text in course.words for text in personal(course.stated.concern))


def personal(concern: Concern) -> Iterator[str]:
    """Every text of a concern that is somebody's."""
    yield from _marked(concern)


def _marked(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                yield from _marked(each)
        elif field.GetOptions().debug_redact and isinstance(value, str):
            yield value
