"""Observations of a run in which everything went right, made from the scenario alone; tests then break one thing."""

import uuid
from collections.abc import Sequence
from pathlib import Path

from safeguarding.v1.intake_pb2 import REFERRAL_STATE_CLOSED
from safeguarding.v1.partner_pb2 import Copy, Offer
from services.cli.scenario import ExpectedPartner, Raising, ScenarioConcern, load_scenario, raisings
from services.cli.scenario_file import Ask, Confer, Recall
from tests.e2e.checker import Acknowledged, CopyRead, Observations, OutcomeRead, RecordedUntold

SCENARIO = load_scenario(Path(__file__).resolve().parents[3] / "deploy" / "local" / "scenario")
RUN = uuid.UUID("7a0e6b52-6a0e-5f3a-8a53-2a2f6f1a7a11")


def of(*names: str) -> list[Raising]:
    """One raising of each of these concerns."""
    named = {concern.name: concern for concern in SCENARIO}
    return raisings([named[name] for name in names], len(names), "unit")


def seen(raised: Sequence[Raising]) -> Observations:
    """What everybody sees when all goes right."""
    found = Observations()
    for raising in raised:
        referral_id = referral_of(raising)
        found.acknowledged.append(Acknowledged(raising.idempotency_key, referral_id, _id(referral_id, "raised")))
        for partner in raising.stated.partners.values():
            found.copies += [read(copy) for copy in _copies(raising, partner)]
        if raising.stated.concern.anonymous:
            found.untold.append(RecordedUntold(referral_id, "anonymous"))
        else:
            words = "; ".join(raising.stated.ending.reads)
            found.outcomes.append(OutcomeRead(referral_id, REFERRAL_STATE_CLOSED, words))
    return found


def referral_of(raising: Raising) -> str:
    """The id that the referral has in these tests."""
    return _id(raising.idempotency_key)


def read(copy: Copy) -> CopyRead:
    """The copy, as its partner read it."""
    return CopyRead(copy.partner_id, b"sealed " + copy.SerializeToString(deterministic=True), copy)


def changed(original: CopyRead, **fields: str) -> CopyRead:
    """The same copy with other ids."""
    copy = Copy()
    copy.CopyFrom(original.copy)
    for name, value in fields.items():
        setattr(copy, name, value)
    return read(copy)


def _copies(raising: Raising, partner: ExpectedPartner) -> list[Copy]:
    referral_id = referral_of(raising)
    leg_id = _id(referral_id, partner.id)
    found = [Copy(offer=_offer(raising.stated, partner))]
    if any(isinstance(action, Recall) and action.partner == partner.id for action in raising.stated.desk):
        found.append(Copy())
        found[-1].recall.reason = "unsafe_to_contact"
    if any(isinstance(action, Confer) and action.partner == partner.id for action in raising.stated.desk):
        for held_at in (0, 9):
            found.append(Copy())
            found[-1].conference.conference.conference_id = _id(leg_id, "met")
            found[-1].conference.conference.held_at.seconds = held_at
    if partner.is_silent:
        found.append(Copy())
        found[-1].expiry.SetInParent()
    for second, copy in enumerate(found, start=1):
        copy.partner_id, copy.leg_id, copy.referral_id = partner.id, leg_id, referral_id
        copy.event_id = _id(leg_id, copy.WhichOneof("content") or "", str(copy.conference.conference.held_at.seconds))
        copy.occurred_at.seconds = second
    return found


def _offer(stated: ScenarioConcern, partner: ExpectedPartner) -> Offer:
    """An offer that holds exactly what the partner must get."""
    concern, gets = stated.concern, partner.must_get
    offer = Offer()
    if "grade" in gets:
        offer.grade = stated.ending.grade
    if "signs" in gets:
        offer.signs.CopyFrom(stated.signs)
    if "narratives" in gets:
        answers = [action.answer for action in stated.desk if isinstance(action, Ask)]
        for text in (concern.narrative.text, *answers):
            offer.narratives.add(text=text)
    if "place" in gets:
        offer.place.CopyFrom(concern.place)
    if "vehicle" in gets:
        offer.vehicle.CopyFrom(concern.vehicle)
    if "raiser" in gets:
        offer.raiser.CopyFrom(concern.raiser)
    for number, subject in enumerate(concern.subjects, start=1):
        parts = [path.partition("].")[2] for path in gets if path.startswith(f"subjects[{number}].")]
        if parts:
            copied = offer.subjects.add(number=number, role=subject.role)
            for part in parts:
                getattr(copied, part).CopyFrom(getattr(subject, part))
    return offer


def _id(*parts: str) -> str:
    return str(uuid.uuid5(RUN, "/".join(parts)))
