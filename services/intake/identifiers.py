"""Identifiers in one form, however they were written: what match keys are made of. Pure; nothing here is kept."""

from __future__ import annotations

import re

import phonenumbers
from nhs_number.validate import is_valid

from safeguarding.v1 import concern_pb2
from safeguarding.v1.common_pb2 import (
    MATCH_KIND_ADDRESS,
    MATCH_KIND_GRID_REFERENCE,
    MATCH_KIND_NAME_AND_BIRTH_DATE,
    MATCH_KIND_NUMBER,
    MATCH_KIND_SOUND_AND_BIRTH_DATE,
    MATCH_KIND_SOUND_AND_POSTCODE,
    MATCH_KIND_SOUNDS_AND_BIRTH_YEAR,
    MATCH_KIND_TELEPHONE,
    MatchKind,
)
from services.names import born, sound, words

COUNTRY = "GB"
Identifier = tuple[MatchKind.ValueType, str]
"""What it is, and its one form."""

_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)\s*([0-9][A-Z]{2})")
_NUMBER = re.compile(r"\b[0-9]{1,5}[A-Z]?\b")
_STREET_WORDS = (
    "ROAD|RD|STREET|ST|LANE|LN|AVENUE|AVE|CLOSE|DRIVE|WAY|COURT|CT|ROW|PLACE|TERRACE|CRESCENT|HILL|GARDENS|GROVE|SQUARE"
)
_FLAT = r"(?:(?:FLAT|APARTMENT|APT|UNIT|ROOM)\s+([0-9]{1,5}[A-Z]?)[\s,]+)?"
_IN_A_STREET = re.compile(rf"{_FLAT}\b([0-9]{{1,5}}[A-Z]?)\s+(?:[A-Z']+\s+){{1,4}}(?:{_STREET_WORDS})\b")
_BY_ITSELF = re.compile(rf"\s*{_FLAT}([0-9]{{1,5}}[A-Z]?)\s*")
_AT_HOME = re.compile(r"0[1-357-9][0-9]{9}")
"""As nearly every number is written, but for spaces."""
_MOST_NAMES = 3


def of_subject(subject: concern_pb2.Subject) -> list[Identifier]:
    """All that may tell that another referral is about the same person, or the same household."""
    found: list[Identifier] = []
    if subject.HasField("identifiers"):
        _numbers(subject.identifiers, found)
    code = _of_contact(subject.contact, found) if subject.HasField("contact") else ""
    if subject.HasField("identity"):
        _of_identity(subject.identity, code, found)
    return list(dict.fromkeys(found))


def of_place(place: concern_pb2.Place) -> list[Identifier]:
    """All that may tell that another referral is about the same place; a postcode alone is too coarse for it."""
    found: list[Identifier] = []
    if place.uprn:
        found.append((MATCH_KIND_ADDRESS, f"uprn {place.uprn.lstrip('0')}"))
    code = postcode(place.postcode)
    text = _POSTCODE.sub(" ", place.description.upper())
    numbers = _IN_A_STREET.search(text) or _BY_ITSELF.fullmatch(text)
    if code and numbers:
        home = " ".join(sorted(number for number in numbers.groups() if number))
        found.append((MATCH_KIND_ADDRESS, f"{code} {home}"))
    reference = re.sub(r"[\s/]+", "", place.grid_reference).upper()
    if reference:
        found.append((MATCH_KIND_GRID_REFERENCE, reference))
    if place.three_words:
        words_alone = place.three_words.removeprefix("///").casefold()
        found.append((MATCH_KIND_GRID_REFERENCE, f"words {words_alone}"))
    return found


def postcode(text: str) -> str:
    """A postcode of the United Kingdom in one form, or nothing."""
    found = _POSTCODE.fullmatch(text.strip().upper()) if text else None
    return found[1] + found[2] if found else ""


def telephone(text: str) -> str:
    """A telephone number as +44…, or nothing where it cannot be one."""
    if not text:
        return ""
    written = text.replace(" ", "")
    if _AT_HOME.fullmatch(written):
        return f"+44{written[1:]}"
    return any_telephone(text)


def any_telephone(text: str) -> str:
    """The same, for a number in any form and of any country; it costs thirty times as much."""
    try:
        number = phonenumbers.parse(text, COUNTRY)
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def house(address: str) -> str:
    """What tells a home within its postcode: its numbers in order, else the first part of its name."""
    if not address:
        return ""
    text = _POSTCODE.sub(" ", address.upper())
    numbers = sorted(_NUMBER.findall(text))
    return " ".join(numbers) if numbers else " ".join(words(text.split(",")[0]))


def _numbers(identifiers: concern_pb2.Identifiers, found: list[Identifier]) -> None:
    nhs, upn, prison = identifiers.nhs_number, identifiers.upn, identifiers.prison_number
    # A wrong check digit is a slip of the pen, and would be somebody else's number.
    if nhs and is_valid(nhs):
        found.append((MATCH_KIND_NUMBER, f"nhs {nhs}"))
    if upn:
        found.append((MATCH_KIND_NUMBER, f"upn {upn}"))
    if prison:
        found.append((MATCH_KIND_NUMBER, f"prison {prison}"))


def _of_contact(contact: concern_pb2.Contact, found: list[Identifier]) -> str:
    """Gives the postcode in its one form, which tells with a name as well."""
    number, uprn = telephone(contact.telephone), contact.uprn
    if number:
        found.append((MATCH_KIND_TELEPHONE, number))
    if uprn:
        found.append((MATCH_KIND_ADDRESS, f"uprn {uprn.lstrip('0')}"))
    code = postcode(contact.postcode)
    home = house(contact.address) if code else ""
    if home:
        found.append((MATCH_KIND_ADDRESS, f"{code} {home}"))
    return code


def _of_identity(identity: concern_pb2.Identity, code: str, found: list[Identifier]) -> None:
    given, family = words(identity.given_names)[:1], words(identity.family_name)
    sounds = sorted({sound(name) for name in [*given, *family][:_MOST_NAMES]})
    birth = born(identity.date_of_birth)
    if birth is not None:
        day = birth.isoformat()
        if given and family:
            # In the order of the alphabet: names are often written in each other's field.
            found.append((MATCH_KIND_NAME_AND_BIRTH_DATE, f"{' '.join(sorted([*given, *family]))} {day}"))
            found.append((MATCH_KIND_SOUNDS_AND_BIRTH_YEAR, f"{' '.join(sounds)} {birth.year}"))
        found += [(MATCH_KIND_SOUND_AND_BIRTH_DATE, f"{each} {day}") for each in sounds]
    if code:
        found += [(MATCH_KIND_SOUND_AND_POSTCODE, f"{each} {code}") for each in sounds]
