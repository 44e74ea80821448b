"""Shields: what is withheld from a named party, or from every one, whatever an agreement says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from safeguarding.v1.common_pb2 import (
    FIELD_GROUP_CIRCUMSTANCES,
    FIELD_GROUP_CONTACT,
    FIELD_GROUP_IDENTIFIERS,
    FIELD_GROUP_IDENTITY,
    FIELD_GROUP_NARRATIVE,
    FIELD_GROUP_PLACE,
    FIELD_GROUP_RAISER,
    FIELD_GROUP_VEHICLE,
    SHIELDED_PART_ADDRESS,
    SHIELDED_PART_PERSON,
    SHIELDED_PART_RAISER,
    Shield,
)

SHIELDED = "shielded"
"""The rule that a disclosure names for what a shield withholds."""

OF_SUBJECT: Mapping[int, frozenset[int]] = {
    SHIELDED_PART_ADDRESS: frozenset({FIELD_GROUP_CONTACT}),
    SHIELDED_PART_PERSON: frozenset(
        {FIELD_GROUP_IDENTITY, FIELD_GROUP_IDENTIFIERS, FIELD_GROUP_CONTACT, FIELD_GROUP_CIRCUMSTANCES}
    ),
}
"""What each part hides of the subject that the shield names."""
OF_REFERRAL: Mapping[int, frozenset[int]] = {
    SHIELDED_PART_ADDRESS: frozenset({FIELD_GROUP_PLACE}),
    SHIELDED_PART_PERSON: frozenset({FIELD_GROUP_VEHICLE}),
    SHIELDED_PART_RAISER: frozenset({FIELD_GROUP_RAISER}),
}
"""What each part hides of the referral, since it could give the same away."""


def hides(shields: Iterable[Shield], partner_id: str, group: int, subject: int) -> bool:
    """True where a shield withholds the group of the subject (0: of the referral) from the partner."""
    return any(shield.partner_id in ("", partner_id) and _hides(shield, group, subject) for shield in shields)


def concerns(shields: Iterable[Shield], partner_id: str) -> bool:
    """True where anything is hidden from the partner: what others write of a referral may give it away."""
    return any(shield.partner_id in ("", partner_id) for shield in shields)


def _hides(shield: Shield, group: int, subject: int) -> bool:
    if subject:
        return shield.subject in (0, subject) and group in OF_SUBJECT.get(shield.part, ())
    if group == FIELD_GROUP_NARRATIVE:
        return not shield.account_is_free_of_it
    return group in OF_REFERRAL.get(shield.part, ())


def same(one: Shield, other: Shield) -> bool:
    """True where both hide the same of the same from the same party."""
    return (one.part, one.subject, one.partner_id) == (other.part, other.subject, other.partner_id)
