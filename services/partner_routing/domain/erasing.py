"""What follows when a subject is erased: every partner that was given something of them is told to delete it."""

from __future__ import annotations

from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE
from safeguarding.v1.intake_pb2 import Erased
from safeguarding.v1.partner_pb2 import ErasureConfirmedReply
from safeguarding.v1.routing_pb2 import ErasureConfirmed, ErasureTold, RoutingFact
from services.chassis.deciding import Refused, Why
from services.partner_routing.domain.leg import Leg
from services.partner_routing.domain.offers import given_groups
from services.partner_routing.domain.state import State

CONFIRMED = "erasure_confirmed"


def told_to_delete(state: State, erased: Erased) -> list[RoutingFact]:
    """One fact for each leg, wherever it stands, whose partner holds something of the subject or the narrative."""
    facts = []
    for leg in state.legs.values():
        given = given_groups(leg.offered)
        minutes = any(
            leg.id in each.passed and each.passed[leg.id].given for each in state.procedures.conferences.values()
        )
        narrative = minutes or leg.told_account or FIELD_GROUP_NARRATIVE in given.get(0, ())
        if narrative or given.get(erased.subject):
            told = ErasureTold(leg_id=leg.id, partner_id=leg.partner_id, subject=erased.subject, narrative=narrative)
            facts.append(RoutingFact(erasure_told=told))
    return facts


def confirmed(leg: Leg, said: ErasureConfirmedReply) -> list[RoutingFact]:
    """The partner says that it deleted what it was told to. It may say so wherever its leg stands.

    Whom it names it was told of. Where it names nobody it means all that it knows of, and we know no better than all.
    """
    subjects = leg.to_delete.intersection(said.subjects) if said.subjects else leg.to_delete
    if not subjects:
        raise Refused(Why.ILLEGAL, "nothing of this leg was erased", "confirm only what you were told to delete")
    return [RoutingFact(erasure_confirmed=ErasureConfirmed(leg_id=leg.id, subjects=sorted(subjects)))]
