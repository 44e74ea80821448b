"""From decided disclosures to copies: minimised first, then encrypted to the partner, before the save."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from google.protobuf.message import Message

from safeguarding.v1 import concern_pb2, partner_pb2, routing_pb2
from safeguarding.v1.common_pb2 import FieldGroup, Sealed
from services.chassis.deciding import Context
from services.chassis.directory import Partner
from services.chassis.engine.document import Copy
from services.chassis.keys import ReferralKeys
from services.chassis.sealing import copy_info, open_part, seal_to
from services.known import Known
from services.partner_routing.agreements import NO_CONSENT
from services.partner_routing.conferences import minutes_of, shown_to
from services.partner_routing.domain import State
from services.partner_routing.domain.consent import ground
from services.partner_routing.domain.leg import Leg
from services.partner_routing.domain.offers import AreaRules, given_groups
from services.partner_routing.domain.procedures import FACTS
from services.partner_routing.domain.state import with_routing
from services.standing import any_unconfirmed, without_words
from services.topics import partner_topic

SUBJECT_PARTS: Mapping[int, tuple[str, type[Message]]] = {
    FieldGroup.FIELD_GROUP_IDENTITY: ("identity", concern_pb2.Identity),
    FieldGroup.FIELD_GROUP_IDENTIFIERS: ("identifiers", concern_pb2.Identifiers),
    FieldGroup.FIELD_GROUP_CONTACT: ("contact", concern_pb2.Contact),
    FieldGroup.FIELD_GROUP_CIRCUMSTANCES: ("circumstances", concern_pb2.Circumstances),
}
PARTS: Mapping[int, tuple[str, type[Message]]] = {
    FieldGroup.FIELD_GROUP_PLACE: ("place", concern_pb2.Place),
    FieldGroup.FIELD_GROUP_VEHICLE: ("vehicle", concern_pb2.Vehicle),
    FieldGroup.FIELD_GROUP_RAISER: ("raiser", concern_pb2.RaiserDetails),
}
CONTENT_TYPES = {
    "offer": partner_pb2.Offer.DESCRIPTOR.full_name,
    "recall": partner_pb2.RecallNotice.DESCRIPTOR.full_name,
    "expiry": partner_pb2.ExpiryNotice.DESCRIPTOR.full_name,
    "answer": partner_pb2.AnswerNotice.DESCRIPTOR.full_name,
    "reminder": partner_pb2.ReminderNotice.DESCRIPTOR.full_name,
    "refusal": partner_pb2.RefusalNotice.DESCRIPTOR.full_name,
    "erasure": partner_pb2.ErasureNotice.DESCRIPTOR.full_name,
    "conference": partner_pb2.ConferenceNotice.DESCRIPTOR.full_name,
}
"""The full name of each kind of content, for the record's type."""
RIGHT: Mapping[str, str] = {
    "unreadable": "a safeguarding.v1.Reply that keeps its field rules",
    "unreadable_note": "a Narrative encrypted to partner-routing's public key, bound to partner, leg and reply id",
    "wrong_key": "the referral id as the record's key",
    "foreign_leg": "a leg that was offered to you",
    "illegal": "a step that is legal from where the leg stands",
}


class Partners(Protocol):
    """Finds partners as they are now."""

    def partner(self, partner_id: str) -> Partner | None:
        """The partner's entry, or None once it was removed."""
        ...


class RoutingCopier:
    """See Copier."""

    def copies(self, state: State, facts: Sequence[Any], context: Context) -> list[Copy]:
        """A copy for each fact that a partner with Kafka must hear of."""
        partners: Partners = context.rules
        keys: Mapping[str, ReferralKeys] = context.gathered["keys"]
        made = []
        for fact in facts:
            if fact.WhichOneof("fact") in FACTS:  # a notice is of the conference as it then stands
                state = with_routing(state, fact)
            told = content(state, fact, keys)
            if told is None:
                continue
            partner_id, leg_id, copy = told
            partner = partners.partner(partner_id)
            if partner is None or not partner.kafka:
                continue
            header = fact.header
            value = _encrypted(copy, partner, leg_id, header)
            match fact.WhichOneof("fact"):
                case "offered":
                    fact.offered.copy_sha256 = hashlib.sha256(value).digest()
                case "information_passed":
                    fact.information_passed.copy_sha256 = hashlib.sha256(value).digest()
                case "minutes_passed":
                    fact.minutes_passed.copy_sha256 = hashlib.sha256(value).digest()
            kind = CONTENT_TYPES[copy.WhichOneof("content") or "none"]
            made.append(Copy(header.event_id, partner_topic(partner_id).name, kind, value))
        return made


def offer_now(
    state: State, leg: Leg, rules: AreaRules, now: datetime, keys: ReferralKeys, referral_id: str
) -> partner_pb2.Offer:
    """What a partner reads that looks again: without what it was given on consent, once that has ended."""
    if state.known.consents:
        return offer_of(state, leg.offered, keys, referral_id)
    request = state.request(leg)
    decided = rules.disclose(leg.partner_id, request, state.known, now)
    ended = {(group, number) for group, number, rule in decided.withheld if rule == NO_CONSENT}
    offered = routing_pb2.Offered()
    offered.CopyFrom(leg.offered)
    del offered.given[:]
    offered.given.extend(each for each in leg.offered.given if (each.group, each.subject) not in ended)
    why = ground(state.known, request)
    if why is not None:
        offered.without_consent.CopyFrom(why)
    return offer_of(state, offered, keys, referral_id)


def offer_of(state: State, offered: routing_pb2.Offered, keys: ReferralKeys, referral_id: str) -> partner_pb2.Offer:
    """What the partner may know of the concern: the groups that were given, and nothing else."""
    known = state.known
    given = given_groups(offered, state.shields)
    own = given.get(0, frozenset())
    offer = partner_pb2.Offer(
        service=offered.service,
        purpose=offered.purpose,
        basis=offered.basis,
        necessity=offered.necessity,
        respond_by=offered.respond_by,
        given=sorted({each.group for each in offered.given if each.group in given.get(each.subject, ())}),
        lead=offered.lead,
        end_report=offered.end_report,
        needs=offered.needs,
        asked_by_unconfirmed_rule=any_unconfirmed(offered.rules),
    )
    if offered.HasField("without_consent"):
        offer.without_consent.CopyFrom(offered.without_consent)
    if known.raised is not None:
        offer.kinds.extend(known.raised.kinds)
        offer.area = known.raised.area
        if FieldGroup.FIELD_GROUP_SIGNS in own:
            offer.signs.CopyFrom(known.raised.signs)
    if FieldGroup.FIELD_GROUP_ASSESSMENT in own:
        offer.grade = state.asked.grade  # type: ignore[assignment]  # an int of the enum
        offer.rules.extend(without_words(offered.rules))
    for number in sorted(set(given) - {0}):
        subject = offer.subjects.add(number=number, role=known.subjects[number].role)
        for part in known.subjects[number].parts:
            if part.group in given[number]:
                name, kind = SUBJECT_PARTS[part.group]
                _put(subject, name, part, kind, keys, referral_id)
    if FieldGroup.FIELD_GROUP_NARRATIVE in own:
        offer.narratives.extend(_narratives(known, keys, referral_id))
    for group, (name, kind) in PARTS.items():
        latest = known.latest(group)
        if group in own and latest is not None:
            _put(offer, name, latest, kind, keys, referral_id)
    return offer


def _narratives(known: Known, keys: ReferralKeys, referral_id: str) -> list[concern_pb2.Narrative]:
    """What the raiser wrote, oldest first, as far as it can be opened."""
    opened = (open_part(keys, referral_id, part, concern_pb2.Narrative) for part in known.narratives)
    return [narrative for narrative in opened if narrative is not None]


def _put(holder: Any, name: str, part: Sealed, kind: type[Message], keys: ReferralKeys, referral_id: str) -> None:
    """Open one part; one that cannot be opened stays absent."""
    content = open_part(keys, referral_id, part, kind)
    if content is not None:
        getattr(holder, name).CopyFrom(content)


def content(state: State, fact: Any, keys: Mapping[str, ReferralKeys]) -> tuple[str, str, partner_pb2.Copy] | None:
    """The partner, the leg and what it is to read; None for a fact that no partner hears of."""
    match fact.WhichOneof("fact"):
        case "offered":
            offered = fact.offered
            referral_id = fact.header.referral_id
            offer = offer_of(state, offered, keys.get(referral_id, {}), referral_id)
            return offered.partner_id, offered.leg_id, partner_pb2.Copy(offer=offer)
        case "information_passed":
            leg = state.legs[fact.information_passed.leg_id]
            answer = partner_pb2.AnswerNotice(rule=fact.information_passed.rule)
            if fact.information_passed.given:
                referral_id = fact.header.referral_id
                answer.narratives.extend(_narratives(state.known, keys.get(referral_id, {}), referral_id))
            return leg.partner_id, leg.id, partner_pb2.Copy(answer=answer)
        case "clock_reached" if fact.clock_reached.leg_id:
            reached = fact.clock_reached
            leg = state.legs[reached.leg_id]
            if reached.percent == 100 and reached.deadline == leg.offered.respond_by:
                return None  # it expires, and the partner is told so
            reminder = partner_pb2.ReminderNotice(deadline=reached.deadline, percent=reached.percent)
            return leg.partner_id, leg.id, partner_pb2.Copy(reminder=reminder)
        case "recalled":
            leg = state.legs[fact.recalled.leg_id]
            notice = partner_pb2.RecallNotice(reason=fact.recalled.reason)
            return leg.partner_id, leg.id, partner_pb2.Copy(recall=notice)
        case "erasure_told":
            told = fact.erasure_told
            erasure = partner_pb2.ErasureNotice(subject=told.subject, narrative=told.narrative)
            return told.partner_id, told.leg_id, partner_pb2.Copy(erasure=erasure)
        case "expired":
            leg = state.legs[fact.expired.leg_id]
            expiry = partner_pb2.ExpiryNotice(respond_by=leg.offered.respond_by)
            return leg.partner_id, leg.id, partner_pb2.Copy(expiry=expiry)
        case "conference_invited" | "minutes_passed" as kind:
            said = getattr(fact, kind)
            conference, leg = state.procedures.conferences[said.conference_id], state.legs[said.leg_id]
            referral_id = fact.header.referral_id
            minutes = minutes_of(conference, keys.get(referral_id, {}), referral_id) if _gives(fact) else ""
            told_of = partner_pb2.ConferenceNotice(conference=shown_to(state, conference, leg.id, minutes))
            return leg.partner_id, leg.id, partner_pb2.Copy(conference=told_of)
        case "reply_refused":
            refused = fact.reply_refused
            refusal = partner_pb2.RefusalNotice(
                reply_id=refused.reply_id, wrong=refused.why, right=RIGHT.get(refused.why, "")
            )
            return refused.partner_id, refused.leg_id, partner_pb2.Copy(refusal=refusal)
        case _:
            return None


def _gives(fact: Any) -> bool:
    """True where the fact gives a partner what was said at a conference."""
    return bool(fact.WhichOneof("fact") == "minutes_passed" and fact.minutes_passed.given)


def _encrypted(copy: partner_pb2.Copy, partner: Partner, leg_id: str, header: Any) -> bytes:
    copy.partner_id = partner.id
    copy.leg_id = leg_id
    copy.event_id = header.event_id
    copy.referral_id = header.referral_id
    copy.occurred_at.CopyFrom(header.occurred_at)
    sealed = seal_to(
        partner.public_key,
        copy_info(partner.id, leg_id, header.event_id),
        copy.SerializeToString(deterministic=True),
    )
    record = partner_pb2.PartnerRecord(
        event_id=header.event_id, referral_id=header.referral_id, leg_id=leg_id, sealed_copy=sealed
    )
    return record.SerializeToString(deterministic=True)
