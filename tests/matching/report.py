"""How much of the truth the matcher finds, and how much of what it finds is true."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from safeguarding.v1.triage_pb2 import SAMENESS_HOUSEHOLD, SAMENESS_LOCATION, SAMENESS_PERSON, Linked
from tests.fakes.linking import Linking
from tests.matching.people import Person
from tests.matching.referrals import CHANCES, EXACT, Labelled, Told, generated

BATCH = 25
SCORES = (40, 60, 70, 80, 90)
Pair = tuple[int, int]
"""Two referrals by their place in the set, the earlier first."""


@dataclass(frozen=True)
class Rates:
    """Of pairs."""

    true: int
    found: int
    both: int

    @property
    def precision(self) -> float:
        """Of what was found, how much is true."""
        return self.both / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of what is true, how much was found."""
        return self.both / self.true if self.true else 1.0

    @classmethod
    def of(cls, true: set[Pair], found: set[Pair]) -> Rates:
        """Rates of what was found against the truth."""
        return cls(len(true), len(found), len(true & found))


@dataclass(frozen=True)
class Report:
    """What came of a labelled set."""

    seed: int
    referrals: int
    rates: dict[str, Rates]
    """By what is looked for."""
    by_score: dict[int, Rates]
    """Of links of one person, those with at least a score."""
    by_difference: dict[str, Rates]
    """Of pairs about one person, those where the one or the other differs so; only recall means anything."""
    wrong: Counter[str]
    """Pairs that were wrongly called one person, by who they are."""
    twins: int
    """Pairs about a twin and the other twin, and about no same person."""


def reported(count: int, seed: int) -> Report:
    """Generate, seal, link and compare."""
    referrals = list(generated(count, seed))
    links = _links(referrals)
    people = _sharing(referrals, lambda each: each.people)
    households = _sharing(referrals, lambda each: each.households)
    locations = _sharing(referrals, lambda each: {*each.locations}, lambda a, b: _at_a_place(a, b))
    one_person = {pair for pair, linked in links.items() if SAMENESS_PERSON in linked.same}
    rates = {
        "one person": Rates.of(people, one_person),
        "one household": Rates.of(households, _of(links, SAMENESS_HOUSEHOLD)),
        "one location": Rates.of(locations, _of(links, SAMENESS_LOCATION)),
        "any of them": Rates.of(people | households | locations, set(links)),
    }
    by_score = {
        score: Rates.of(people, {pair for pair in one_person if links[pair].score >= score}) for score in SCORES
    }
    wrong = Counter(_who(referrals[one], referrals[other]) for one, other in one_person - people)
    twins = {
        pair
        for pair in _sharing(referrals, lambda each: {t.person.family_id for t in each.told if t.person.twin}) - people
    }
    return Report(seed, count, rates, by_score, _by_difference(referrals, people, one_person), wrong, len(twins))


def _links(referrals: Sequence[Labelled]) -> dict[Pair, Linked]:
    linking = Linking()
    places: dict[str, int] = {}
    links: dict[Pair, Linked] = {}
    for start in range(0, len(referrals), BATCH):
        batch = referrals[start : start + BATCH]
        facts = [linking.raised(each.concern, each.name, each.at) for each in batch]
        for number, fact in enumerate(facts, start=start):
            places[fact.header.referral_id] = number
        for referral_id, found in linking.hear(*facts).items():
            for linked in found:
                one, other = sorted((places[referral_id], places[linked.other_referral_id]))
                links[one, other] = linked
    return links


def _of(links: dict[Pair, Linked], same: int) -> set[Pair]:
    return {pair for pair, linked in links.items() if same in linked.same}


def _sharing(
    referrals: Sequence[Labelled],
    of: Callable[[Labelled], Iterable[Hashable]],
    too: Callable[[Labelled, Labelled], bool] = lambda one, other: True,
) -> set[Pair]:
    """Pairs that share one of these."""
    by: dict[Hashable, list[int]] = defaultdict(list)
    for number, referral in enumerate(referrals):
        for each in set(of(referral)):
            by[each].append(number)
    return {
        pair
        for numbers in by.values()
        for pair in combinations(numbers, 2)
        if too(referrals[pair[0]], referrals[pair[1]])
    }


def _at_a_place(one: Labelled, other: Labelled) -> bool:
    """True where one of the two happened where the other happened or lives; two homes alone are a household."""
    return bool(
        (one.place is not None and one.place.id in other.locations)
        or (other.place is not None and other.place.id in one.locations)
    )


def _by_difference(referrals: Sequence[Labelled], people: set[Pair], found: set[Pair]) -> dict[str, Rates]:
    by: dict[str, set[Pair]] = {what: set() for what in (EXACT, *CHANCES, "moved house")}
    for one, other in people:
        for told, again in _same_people(referrals[one], referrals[other]):
            differs = told.differs | again.differs
            for what in differs or {EXACT}:
                by[what].add((one, other))
            if told.home != again.home:
                by["moved house"].add((one, other))
    return {what: Rates.of(pairs, pairs & found) for what, pairs in by.items()}


def _same_people(one: Labelled, other: Labelled) -> list[tuple[Told, Told]]:
    return [(told, again) for told in one.told for again in other.told if told.person.id == again.person.id]


def _who(one: Labelled, other: Labelled) -> str:
    """Who was taken for whom, where nobody is the same."""
    pairs = [(told.person, again.person) for told in one.told for again in other.told]
    for what, holds in (("twins", _twins), ("one family", _one_family), ("one name", _one_name)):
        if any(holds(*pair) for pair in pairs):
            return what
    return "strangers"


def _twins(one: Person, other: Person) -> bool:
    return one.twin and other.twin and one.family_id == other.family_id


def _one_family(one: Person, other: Person) -> bool:
    return one.family_id == other.family_id


def _one_name(one: Person, other: Person) -> bool:
    return (one.given, one.family) == (other.given, other.family)
