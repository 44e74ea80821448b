"""How alike two people are by name and birth date: rapidfuzz on what was opened for it. Pure; nothing is kept."""

from __future__ import annotations

from datetime import date

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from safeguarding.v1.concern_pb2 import Identity
from services.names import born, words

CLOSE = 0.88
"""Two spellings of one name are at least so alike."""
GIVEN_NAME_STAYS = 0.95
SAME_BIRTH_DATE = 0.85
SLIPPED_BIRTH_DATE = 0.65
NO_BIRTH_DATE = 0.50
ANOTHER_FAMILY_NAME = 0.35
"""How sure close names are where the birth date is the same, differs as by a slip of the pen, or is not known; and a
given name and birth date, as after a marriage: too little alone, but more where a home or telephone is shared too."""


def likeness(one: Identity, other: Identity) -> float:
    """How sure it is, from 0 to 1, that both are one person: both names close, in either order, and the birth date."""
    sure = _birth_dates(born(one.date_of_birth), born(other.date_of_birth))
    if not sure:
        return 0.0
    names, others = _names(one), _names(other)
    if names is None or others is None:
        return 0.0
    alike = max(_both(names, others), _both(names, others[::-1]))
    if alike >= CLOSE:
        return sure * alike
    return ANOTHER_FAMILY_NAME if sure == SAME_BIRTH_DATE and _alike(names[0], others[0]) >= GIVEN_NAME_STAYS else 0.0


def _names(identity: Identity) -> tuple[str, str] | None:
    given, family = words(identity.given_names), words(identity.family_name)
    return (given[0], " ".join(family)) if given and family else None


def _both(names: tuple[str, str], others: tuple[str, str]) -> float:
    """As alike as the less alike of the two: twins share one name and a birth date."""
    return min(_alike(name, other) for name, other in zip(names, others, strict=True))


def _alike(name: str, other: str) -> float:
    if name == other:
        return 1.0
    if DamerauLevenshtein.distance(name, other, score_cutoff=1) <= 1 and min(len(name), len(other)) > 3:
        return 0.95
    return max(_one_of_a_double(name, other), JaroWinkler.similarity(name, other))


def _one_of_a_double(name: str, other: str) -> float:
    """Smith-Jones and Smith: a part was left out."""
    shorter, longer = sorted((name.split(), other.split()), key=len)
    return 0.9 if len(shorter) < len(longer) and set(shorter) <= set(longer) else 0.0


def _birth_dates(one: date | None, other: date | None) -> float:
    if one is None or other is None:
        return NO_BIRTH_DATE
    if one == other:
        return SAME_BIRTH_DATE
    swapped = (one.year, one.month, one.day) == (other.year, other.day, other.month)
    slipped = DamerauLevenshtein.distance(f"{one:%Y%m%d}", f"{other:%Y%m%d}", score_cutoff=1) <= 1
    return SLIPPED_BIRTH_DATE if swapped or slipped else 0.0
