"""Invented people and homes: common names are common, families share names and telephones, some have twins."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random


def _names(text: str) -> list[str]:
    """The most common first."""
    return text.split()


GIVEN = _names("""
Muhammad Olivia Noah Amelia Oliver Isla George Ava Arthur Freya Leo Lily Harry Mia Jack Ivy Charlie Rosie
Henry Sophia Oscar Grace Jacob Willow Thomas Florence William Evie James Poppy Joshua Ella Alexander Charlotte
Daniel Emily Ethan Sophie Samuel Daisy Joseph Alice David Sarah Michael Emma Paul Catherine Andrew Laura Mark
Rebecca John Claire Stephen Rachel Christopher Lisa Robert Michelle Richard Karen Matthew Susan Anthony Julie
Ian Helen Kevin Tracey Darren Nicola Jason Sharon Lee Joanne Gary Amanda Simon Margaret Jonathan Patricia
Martin Jean Philip Elizabeth Peter Dorothy Ahmed Fatima Ali Aisha Ibrahim Zainab Piotr Agnieszka Mateusz
Katarzyna Andrei Elena Oluwaseun Ngozi Kwame Abena Raj Priya Arjun Ananya Wei Mei Sean Siobhan Callum Niamh
Rhys Bronwen
""")
FAMILY = _names("""
Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Robinson Wright Thompson Evans Walker White
Roberts Green Hall Thomas Clarke Jackson Wood Harris Edwards Turner Martin Cooper Hill Ward Hughes Moore Clark
King Harrison Lewis Baker Lee Allen Morris Khan Scott Watson Davis Parker James Bennett Young Phillips
Richardson Mitchell Bailey Carter Cook Singh Shaw Bell Collins Morgan Kelly Begum Miller Cox Hussain Marshall
Simpson Price Anderson Adams Wilkinson Foster Ellis Murphy Chapman Mason Gray Richards Webb Rogers Hunt Mills
Holmes Palmer Matthews Ahmed Fisher Barnes Knight Lloyd Butler Russell Barker Stevens Jenkins Dixon Fletcher
Ali Kowalski Nowak Popescu Okafor Mensah Chen Wang O'Brien O'Connor MacDonald Campbell Fraser Pugh Trelawney
Penhaligon Chilcott Vowles Gunningham Hembrough
""")
DOUBLE = 0.03
STREETS = ["Test Row", "Sample Street", "Example Road", "Fixture Lane", "Mock Avenue", "Stub Close", "Dummy Hill"]
TODAY = date(2026, 11, 20)


@dataclass(frozen=True)
class Home:
    """An address; the telephone belongs to it."""

    id: int
    number: str
    street: str
    postcode: str


@dataclass(frozen=True)
class Person:
    """Somebody, as they really are."""

    id: int
    family_id: int
    given: str
    family: str
    born: date
    nhs_number: str
    telephone: str
    twin: bool = False


@dataclass(frozen=True)
class Family:
    """People who live together, and where; `next_home` where they move."""

    id: int
    people: tuple[Person, ...]
    home: Home
    next_home: Home | None
    moves_on: date


class Town:
    """Makes families; the same seed gives the same town."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._people = 0
        self._homes = 0
        self._given = [1 / (rank + 8) for rank in range(len(GIVEN))]
        self._family = [1 / (rank + 8) for rank in range(len(FAMILY))]

    def family(self, number: int) -> Family:
        """One to five people."""
        random = self._random
        name, telephone = self._family_name(), self._telephone()
        people = [self._person(number, name, telephone, 20, 85)]
        if random.random() < 0.6:
            partner = name if random.random() < 0.7 else self._family_name()
            people.append(self._person(number, partner, self._telephone(), 20, 85))
        for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
            child = self._person(number, name, telephone, 0, 17)
            people.append(child)
            if random.random() < 0.03:
                people[-1] = replace(child, twin=True)
                people.append(self._twin(child))
        moves = random.random() < 0.1
        return Family(
            number,
            tuple(people),
            self.home(),
            self.home() if moves else None,
            TODAY - timedelta(days=random.randrange(30, 700)),
        )

    def home(self) -> Home:
        """A house or a flat; some twenty homes share a postcode."""
        self._homes += 1
        random = self._random
        number = str(random.randrange(1, 140))
        if random.random() < 0.2:
            number = f"Flat {random.randrange(1, 12)}, {number}"
        place = self._homes // 20
        inward = f"{place % 10}{string.ascii_uppercase[place // 10 % 20]}{string.ascii_uppercase[place // 200 % 20]}"
        return Home(self._homes, number, STREETS[place % len(STREETS)], f"BS{place % 48 + 1} {inward}")

    def _person(self, family_id: int, family: str, telephone: str, youngest: int, oldest: int) -> Person:
        random = self._random
        self._people += 1
        born = TODAY - timedelta(days=random.randrange(youngest * 365 + 1, (oldest + 1) * 365))
        given = random.choices(GIVEN, self._given)[0]
        return Person(self._people, family_id, given, family, born, self._nhs_number(), telephone)

    def _twin(self, of: Person) -> Person:
        twin = self._person(of.family_id, of.family, of.telephone, 0, 17)
        return replace(twin, born=of.born, twin=True)

    def _family_name(self) -> str:
        [name] = self._random.choices(FAMILY, self._family)
        if self._random.random() < DOUBLE:
            name += "-" + self._random.choices(FAMILY, self._family)[0]
        return name

    def _telephone(self) -> str:
        return f"07{self._random.randrange(400, 1000)}{self._random.randrange(1_000_000):06}"

    def _nhs_number(self) -> str:
        """A number of the range that is never given to anyone, with its check digit."""
        while True:
            digits = f"999{self._random.randrange(1_000_000):06}"
            check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(digits)) % 11
            if check != 10:
                return digits + str(0 if check == 11 else check)
