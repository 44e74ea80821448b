"""Referrals as people write them: who they are really about is known, and what was written differs from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR,
    CONCERN_KIND_CHILD_AT_RISK,
    CONCERN_KIND_DOMESTIC_ABUSE,
    SUBJECT_ROLE_VICTIM,
)
from safeguarding.v1.concern_pb2 import Concern, Contact, Identifiers, Identity, Narrative, Place, Subject
from tests.matching.people import TODAY, Family, Home, Person, Town

DAYS = 720
NICKNAMES = {
    "Catherine": "Kate", "William": "Bill", "Robert": "Bob", "Elizabeth": "Liz", "Margaret": "Peggy",
    "Christopher": "Chris", "Michael": "Mike", "Rebecca": "Becky", "Daniel": "Dan", "Thomas": "Tom",
    "Samuel": "Sam", "Joshua": "Josh", "Alexander": "Alex", "Jonathan": "Jon", "Patricia": "Pat", "Anthony": "Tony",
}  # fmt: skip
KINDS = (CONCERN_KIND_DOMESTIC_ABUSE, CONCERN_KIND_ANTI_SOCIAL_BEHAVIOUR, CONCERN_KIND_CHILD_AT_RISK)
EXACT = "written as it is"
CHANCES: dict[str, float] = {
    "typing slip in a name": 0.10,
    "names in each other's field": 0.03,
    "nickname": 0.15,
    "married name": 0.015,
    "birth date slipped": 0.05,
    "birth date not known": 0.12,
}
"""How often each happens to a subject; a nickname only to those who have one."""


@dataclass(frozen=True)
class Told:
    """A subject as written, and who it really is."""

    person: Person
    home: Home
    differs: frozenset[str]
    subject: Subject


@dataclass(frozen=True)
class Labelled:
    """A referral with the truth about it."""

    name: str
    at: datetime
    concern: Concern
    told: tuple[Told, ...]
    place: Home | None

    @property
    def people(self) -> set[int]:
        """Who it is about."""
        return {told.person.id for told in self.told}

    @property
    def households(self) -> set[tuple[str, int | str]]:
        """Where they live, and the telephones that they share."""
        return {("home", told.home.id) for told in self.told} | {("phone", told.person.telephone) for told in self.told}

    @property
    def locations(self) -> set[int]:
        """Where it happened, and where they live."""
        return {told.home.id for told in self.told} | ({self.place.id} if self.place else set())


def generated(count: int, seed: int, town_of: int = 0) -> Iterator[Labelled]:
    """So many referrals in the order of their days, the same for the same seed; people come back as they do.

    `town_of` makes the town as large as for so many referrals, where that is not `count`.
    """
    size = town_of or count
    random = Random(seed)
    town = Town(random)
    families = [town.family(number) for number in range(max(10, size // 2))]
    places = [town.home() for _ in range(max(5, size // 40))]
    weights = [1 / (rank + 20) ** 0.6 for rank in range(len(families))]
    days = sorted(random.randrange(DAYS) for _ in range(count))
    for number, family in enumerate(random.choices(families, weights, k=count)):
        yield _referral(random, number, family, TODAY - timedelta(days=DAYS - days[number]), places)


def _referral(random: Random, number: int, family: Family, day: date, places: Sequence[Home]) -> Labelled:
    home = family.next_home if family.next_home is not None and day >= family.moves_on else family.home
    people = random.sample(family.people, k=min(len(family.people), random.choice((1, 1, 2))))
    told = tuple(_told(random, person, home) for person in people)
    chance = random.random()
    place = home if chance < 0.35 else random.choice(places) if chance < 0.5 else None
    concern = Concern(
        kinds=[random.choice(KINDS)],
        area="bristol",
        subjects=[each.subject for each in told],
        narrative=Narrative(text="invented"),
        place=_place(random, place) if place else None,
    )
    at = datetime.combine(day, time(12), UTC)
    return Labelled(f"{number}", at, concern, told, place)


def _place(random: Random, home: Home) -> Place:
    street = home.number.rpartition(", ")[2] if random.random() < 0.1 else home.number
    return Place(description=f"outside {street} {home.street}", postcode=home.postcode)


def _told(random: Random, person: Person, home: Home) -> Told:
    written = replace(person)
    born = person.born.isoformat()
    differs = {what for what, chance in CHANCES.items() if random.random() < chance}
    if person.given not in NICKNAMES:
        differs.discard("nickname")
    if "nickname" in differs:
        written = replace(written, given=NICKNAMES[person.given])
    if "married name" in differs:
        written = replace(written, family=random.choice(("Hatherley", "Okonkwo", "Lindqvist", "Farrow")))
    if "typing slip in a name" in differs:
        if random.random() < 0.5:
            written = replace(written, given=_slip(random, written.given))
        else:
            written = replace(written, family=_slip(random, written.family))
    if "names in each other's field" in differs:
        written = replace(written, given=written.family, family=written.given)
    if "birth date not known" in differs:
        differs.discard("birth date slipped")
        born = ""
    elif "birth date slipped" in differs:
        born = _slipped(random, person.born)
    subject = Subject(
        role=SUBJECT_ROLE_VICTIM,
        identity=Identity(given_names=written.given, family_name=written.family, date_of_birth=born),
        identifiers=Identifiers(nhs_number=person.nhs_number if random.random() < 0.25 else ""),
        contact=_contact(random, person, home),
    )
    return Told(person, home, frozenset(differs), subject)


def _contact(random: Random, person: Person, home: Home) -> Contact:
    contact = Contact()
    if random.random() < 0.8:
        contact.address = _as_written(random, f"{home.number} {home.street}")
        contact.postcode = _as_written(random, home.postcode)
    if random.random() < 0.5:
        number = person.telephone
        contact.telephone = random.choice((number, f"{number[:5]} {number[5:]}", f"+44 {number[1:]}"))
    return contact


def _as_written(random: Random, text: str) -> str:
    change: Callable[[str], str] = random.choice((str, str.upper, str.lower, lambda each: each.replace(",", "")))
    return change(text)


def _slip(random: Random, name: str) -> str:
    """One letter more, less, other or out of its place."""
    at = random.randrange(len(name))
    letter = random.choice("abcdefghiklmnoprstuwy")
    match random.randrange(4):
        case 0:
            return name[:at] + letter + name[at:]
        case 1 if len(name) > 2:
            return name[:at] + name[at + 1 :]
        case 2 if at + 1 < len(name):
            return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        case _:
            return name[:at] + letter + name[at + 1 :]


def _slipped(random: Random, born: date) -> str:
    """Day and month swapped, or a digit wrong."""
    if born.day <= 12 and born.day != born.month and random.random() < 0.5:
        return date(born.year, born.day, born.month).isoformat()
    for _ in range(20):
        text = list(born.isoformat())
        text[random.choice((3, 6, 9))] = random.choice("0123456789")
        try:
            wrong = date.fromisoformat("".join(text))
        except ValueError:
            continue
        if wrong != born:
            return wrong.isoformat()
    return (born + timedelta(days=1)).isoformat()
