"""What routing's store answers: journeys, inboxes, and the referrals in which a partner has an open leg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import Any

from pymongo.collection import Collection

from safeguarding.v1 import procedure_pb2, routing_pb2
from safeguarding.v1.common_pb2 import ClockReached
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.clocks import Clocks
from services.chassis.engine.document import Document, fold
from services.chassis.engine.store import answering
from services.marks import Running
from services.partner_routing.conferences import shown
from services.partner_routing.domain import Leg, RoutingDecider, State
from services.partner_routing.domain.accompanying import accompanied
from services.partner_routing.domain.conferring import seen_by
from services.partner_routing.domain.victims import ENHANCED, Victim
from services.partner_routing.rights import Rights
from services.standing import standing

ADDED_BY_HAND = "a person added it; nothing that is known suggests it"

FACT_TYPES: dict[str, Any] = {"intake": IntakeFact, "triage": TriageFact, "partner-routing": RoutingFact}


class Referrals:
    """Reads routing's documents. Thread-safe; raises Away where the store does not answer."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self._collection = collection
        self._decider = RoutingDecider()

    def find(self, referral_id: str) -> Document[State] | None:
        """The referral, or None."""
        with answering():
            stored = self._collection.find_one({"_id": referral_id})
        return fold(self._decider, stored) if stored else None

    def of_partner(self, partner_id: str) -> Iterator[Document[State]]:
        """The referrals in which something is wanted of the partner, one after the other: there may be very many."""
        with answering():
            for stored in self._collection.find({"view.partners": partner_id}):
                yield fold(self._decider, stored)

    def most_urgent(self, partner_id: str, limit: int) -> list[Document[State]]:
        """The referrals of a partner's so many most urgent legs, and no others: to fold one costs far more than to find
        it."""
        with answering():
            found = self._collection.find({"view.partners": partner_id}, {"view.inbox": 1})
            soonest = nsmallest(limit, ((_soonest(each["view"], partner_id), each["_id"]) for each in found))
            wanted = self._collection.find({"_id": {"$in": [referral_id for _, referral_id in soonest]}})
            return [fold(self._decider, stored) for stored in wanted]

    def counted(self, quarter: str) -> list[dict[str, Any]]:
        """What figures count of the referrals that were raised in a quarter."""
        with answering():
            found = list(self._collection.find({"view.counted.quarter": quarter}, {"view.counted": 1}))
        return [document["view"]["counted"] for document in found]


def inbox(documents: Iterable[Document[State]], partner_id: str, limit: int) -> list[routing_pb2.InboxItem]:
    """The partner's legs that want something of it, the most urgent first: what it must stop, what waits for its
    answer, the rest."""
    found = [(document, leg) for document in documents for leg in document.state.wanted if leg.partner_id == partner_id]
    found.sort(key=lambda pair: pair[1].urgency)
    return [_item(document.id, leg, document.state) for document, leg in found[:limit]]


def _soonest(view: Mapping[str, Any], partner_id: str) -> int:
    """Of the partner's legs of one referral; what was saved before its view said so comes first, to be looked at."""
    return min((each["urgency"] for each in view.get("inbox", ()) if each["partner"] == partner_id), default=0)


def _clocks(state: State, leg: Leg) -> list[Running]:
    """All that run for a leg: its own, and those of procedures that its partner sees to."""
    return [*leg.clocks, *(clock for clock in state.procedures.running if clock.leg_id == leg.id)]


def _item(referral_id: str, leg: Leg, state: State) -> routing_pb2.InboxItem:
    item = routing_pb2.InboxItem(
        leg_id=leg.id,
        referral_id=referral_id,
        service=leg.offered.service,
        respond_by=leg.offered.respond_by,
        state=leg.state,  # type: ignore[arg-type]  # an int of the enum
        to_delete=sorted(leg.to_delete),
        recall_reason=leg.recall_reason if leg.recall_unheard else "",
        acknowledge_by=leg.acknowledge_by if leg.recall_unheard else None,
        answered=0 < leg.asked == leg.answered,
        conference_ids=[each.id for each, own in seen_by(state, leg.partner_id) if own.id == leg.id],
    )
    item.offered_at.FromDatetime(leg.offered_at)
    item.reached.extend(
        ClockReached(deadline=clock.deadline, percent=clock.reached, leg_id=leg.id)
        for clock in _clocks(state, leg)
        if clock.reached
    )
    return item


def journey(document: Document[State]) -> routing_pb2.GetJourneyResponse:
    """The whole journey: legs, the facts of all writers in the order they happened, and the clocks that run."""
    state = document.state
    response = routing_pb2.GetJourneyResponse(
        state=state.where,  # type: ignore[arg-type]  # an int of the enum
        round=state.round,
        grade=state.asked.grade,  # type: ignore[arg-type]  # an int of the enum
        legs=[_leg(leg, state.came_back.get(leg.id, 0)) for leg in state.legs.values()],
        reached=_reached(document),
        victims=[_victim(state, number) for number in accompanied(state)],
        graded_by=[standing(rule.rule_id, rule) for rule in state.asked.fired],
        steps=sorted(_steps(document), key=lambda step: (step.at.ToNanoseconds(), step.writer != "intake")),
    )
    response.clocks.extend(clock.deadline for clock in state.clocks)
    response.stages.extend(
        procedure_pb2.JourneyStage(stage=each.stage, happened_at=each.happened_at, leg_id=each.leg_id)
        for each in state.procedures.stages
    )
    response.conferences.extend(shown(conference) for conference in state.procedures.conferences.values())
    return response


def _victim(state: State, number: int) -> routing_pb2.JourneyVictim:
    victim = state.victims.get(number, Victim(number))
    refer = victim.waits_for_referral(state.asked_of)
    shown = routing_pb2.JourneyVictim(
        subject=number,
        contact_id=victim.contact_id,
        preference=victim.preference,  # type: ignore[arg-type]  # an int of the enum
        assessed=victim.assessed,
        enhanced=victim.enhanced,
        needs=victim.needs,  # type: ignore[arg-type]  # ints of the enum
        rights=sorted(victim.rights),
        update_by=victim.update_by,
        updates=victim.updates,
        satisfaction=victim.satisfaction,
        to_do=victim.to_do(ended=state.outcome_known, asked_of=state.asked_of),
        applies=[_right(victim, each) for each in sorted({*victim.suggested, *victim.judged} - {ENHANCED})],
        enhanced_by=victim.enhanced_by,
        victim_by=victim.victim_by,
        refer_by=refer.until if refer is not None else None,
        enhanced_reason=victim.judged[ENHANCED].reason if ENHANCED in victim.judged else "",
    )
    if victim.updated_at is not None:
        shown.updated_at.FromDatetime(victim.updated_at)
    return shown


def _right(victim: Victim, number: int) -> routing_pb2.JourneyRight:
    judged, suggested = victim.judged.get(number), victim.suggested.get(number)
    return routing_pb2.JourneyRight(
        number=number,
        confirmed=suggested.standing.confirmed if suggested is not None else False,
        unconfirmed_reason=suggested.standing.unconfirmed_reason if suggested is not None else ADDED_BY_HAND,
        added=judged is not None and judged.added,
        struck=victim.struck(number),
        reason=judged.reason if judged is not None else "",
        explained=number in victim.rights,
    )


def in_words(found: routing_pb2.GetJourneyResponse, rights: Rights) -> None:
    """Say of each right and group what it is and where it comes from, as the area's file has it."""
    for victim in found.victims:
        for right in victim.applies:
            stated = rights.by_number[right.number]
            right.words, right.source = stated.words, stated.source
        widened = [victim.victim_by] if victim.HasField("victim_by") else []
        for group in (*victim.enhanced_by, *widened):
            if group.id in rights.words:
                group.words, group.source = rights.words[group.id].words, rights.words[group.id].source


def stated_clocks(found: routing_pb2.GetJourneyResponse, clocks: Clocks, council: str) -> list[routing_pb2.StatedClock]:
    """The clocks that a journey names, each with where it comes from and whether a practitioner confirmed it."""
    legs = [clock for leg in found.legs for clock in (leg.respond_by, leg.review_by, leg.work_by, leg.acknowledge_by)]
    reached = [each.deadline for each in found.reached]
    names = {each.clock for each in (*found.clocks, *legs, *reached)} & set(clocks.rules)
    return [
        routing_pb2.StatedClock(
            clock=name,
            words=clocks.rules[name].words,
            source=clocks.rules[name].source,
            confirmed=not clocks.unconfirmed(name, council),
            unconfirmed_reason=clocks.unconfirmed(name, council),
        )
        for name in sorted(names)
    ]


def _reached(document: Document[State]) -> list[ClockReached]:
    """How far clocks came, oldest first; triage's are named as routing's are."""
    facts = [FACT_TYPES[writer].FromString(raw) for writer, raws in document.facts.items() for raw in raws]
    told = [fact for fact in facts if fact.WhichOneof("fact") == "clock_reached"]
    return [fact.clock_reached for fact in sorted(told, key=lambda fact: fact.header.occurred_at.ToNanoseconds())]


def _leg(leg: Leg, came_back: int) -> routing_pb2.JourneyLeg:
    offered = leg.offered
    return routing_pb2.JourneyLeg(
        leg_id=leg.id,
        partner_id=leg.partner_id,
        service=offered.service,
        state=leg.state,  # type: ignore[arg-type]  # an int of the enum
        respond_by=offered.respond_by,
        basis=offered.basis,
        purpose=offered.purpose,
        necessity=offered.necessity,
        agreement=offered.agreement,
        given=offered.given,
        withheld=offered.withheld,
        escalated=offered.escalated,
        joined=leg.joined,
        review_by=leg.review_by,
        work_by=leg.work_by,
        acknowledge_by=None if leg.recall_acknowledged else leg.acknowledge_by,
        rules=offered.rules,
        without_consent=offered.without_consent if offered.HasField("without_consent") else None,
        reached=leg.reached if leg.clock else 0,
        came_back=came_back,  # type: ignore[arg-type]  # an int of the enum
    )


def _steps(document: Document[State]) -> list[routing_pb2.JourneyStep]:
    steps = []
    for writer, raws in document.facts.items():
        for raw in raws:
            fact = FACT_TYPES[writer].FromString(raw)
            kind = fact.WhichOneof("fact")
            steps.append(
                routing_pb2.JourneyStep(
                    at=fact.header.occurred_at,
                    writer=writer,
                    kind=kind,
                    actor=fact.header.actor,
                    event_id=fact.header.event_id,
                    leg_id=getattr(getattr(fact, kind), "leg_id", ""),
                )
            )
    return steps
