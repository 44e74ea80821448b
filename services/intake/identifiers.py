"""Identifiers in one form, however they were written: what match keys are made of. Pure; nothing here is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
from nhs_number.validate import is_valid

from safeguarding.v1 import concern_pb2
from safeguarding.v1.common_pb2 import MatchKind
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
    found = [*_numbers(subject.identifiers), *_of_contact(subject.contact), *_of_identity(subject)]
    return list(dict.fromkeys(found))


def of_place(place: concern_pb2.Place) -> list[Identifier]:
    """All that may tell that another referral is about the same place; a postcode alone is too coarse for it."""
    found: list[Identifier] = []
    if place.uprn:
        found.append((MatchKind.MATCH_KIND_ADDRESS, f"uprn {place.uprn.lstrip('0')}"))
    code = postcode(place.postcode)
    text = _POSTCODE.sub(" ", place.description.upper())
    numbers = _IN_A_STREET.search(text) or _BY_ITSELF.fullmatch(text)
    if code and numbers:
        home = " ".join(sorted(number for number in numbers.groups() if number))
        found.append((MatchKind.MATCH_KIND_ADDRESS, f"{code} {home}"))
    reference = re.sub(r"[\s/]+", "", place.grid_reference).upper()
    if reference:
        found.append((MatchKind.MATCH_KIND_GRID_REFERENCE, reference))
    if place.three_words:
        words_alone = place.three_words.removeprefix("///").casefold()
        found.append((MatchKind.MATCH_KIND_GRID_REFERENCE, f"words {words_alone}"))
    return found


def postcode(text: str) -> str:
    """A postcode of the United Kingdom in one form, or nothing."""
    found = _POSTCODE.fullmatch(text.strip().upper())
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
    text = _POSTCODE.sub(" ", address.upper())
    numbers = sorted(_NUMBER.findall(text))
    return " ".join(numbers) if numbers else " ".join(words(text.split(",")[0]))


def _numbers(identifiers: concern_pb2.Identifiers) -> Iterator[Identifier]:
    # A wrong check digit is a slip of the pen, and would be somebody else's number.
    if identifiers.nhs_number and is_valid(identifiers.nhs_number):
        yield MatchKind.MATCH_KIND_NUMBER, f"nhs {identifiers.nhs_number}"
    if identifiers.upn:
        yield MatchKind.MATCH_KIND_NUMBER, f"upn {identifiers.upn}"
    if identifiers.prison_number:
        yield MatchKind.MATCH_KIND_NUMBER, f"prison {identifiers.prison_number}"


def _of_contact(contact: concern_pb2.Contact) -> Iterator[Identifier]:
    number = telephone(contact.telephone)
    if number:
        yield MatchKind.MATCH_KIND_TELEPHONE, number
    if contact.uprn:
        yield MatchKind.MATCH_KIND_ADDRESS, f"uprn {contact.uprn.lstrip('0')}"
    code, home = postcode(contact.postcode), house(contact.address)
    if code and home:
        yield MatchKind.MATCH_KIND_ADDRESS, f"{code} {home}"


def _of_identity(subject: concern_pb2.Subject) -> Iterator[Identifier]:
    given, family = words(subject.identity.given_names)[:1], words(subject.identity.family_name)
    names = [*given, *family][:_MOST_NAMES]
    sounds = sorted({sound(name) for name in names})
    birth = born(subject.identity.date_of_birth)
    if birth is not None and given and family:
        # In the order of the alphabet: names are often written in each other's field.
        yield MatchKind.MATCH_KIND_NAME_AND_BIRTH_DATE, f"{' '.join(sorted([*given, *family]))} {birth}"
        yield MatchKind.MATCH_KIND_SOUNDS_AND_BIRTH_YEAR, f"{' '.join(sounds)} {birth.year}"
    if birth is not None:
        yield from ((MatchKind.MATCH_KIND_SOUND_AND_BIRTH_DATE, f"{each} {birth}") for each in sounds)
    code = postcode(subject.contact.postcode)
    if code:
        yield from ((MatchKind.MATCH_KIND_SOUND_AND_POSTCODE, f"{each} {code}") for each in sounds)
