"""Which earlier referrals triage finds for a batch, by what, and how often it asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from safeguarding.v1 import intake_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PUBLIC
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ADULT_AT_RISK,
    CONCERN_KIND_DOMESTIC_ABUSE,
    SUBJECT_ROLE_SUSPECT,
    SUBJECT_ROLE_VICTIM,
    Actor,
)
from safeguarding.v1.concern_pb2 import Concern, Contact, Identifiers, Identity, Narrative, Place, Subject
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import SAMENESS_HOUSEHOLD, SAMENESS_LOCATION, SAMENESS_PERSON, Linked
from services.chassis.engine.document import stamp
from services.triage.evidence import MOST_CANDIDATES, MOST_LINKS
from tests.fakes.linking import OFFICER, Linking

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEIGHBOUR = Actor(role=ROLE_PUBLIC, id="public-5b31")


def person(given: str = "Catherine", family: str = "Exampleton", born: str = "1990-02-03", **more: str) -> Subject:
    numbers = {name: more.pop(name) for name in ("nhs_number",) if name in more}
    return Subject(
        role=SUBJECT_ROLE_VICTIM,
        identity=Identity(given_names=given, family_name=family, date_of_birth=born),
        identifiers=Identifiers(**numbers),
        contact=Contact(**more),
    )


def about(*people: Subject, place: Place | None = None) -> Concern:
    return Concern(
        kinds=[CONCERN_KIND_DOMESTIC_ABUSE],
        area="bristol",
        subjects=people,
        narrative=Narrative(text="what happened"),
        place=place,
    )


def links_of(linking: Linking, *concerns: Concern) -> Sequence[Linked]:
    """What is found for the last of the concerns, each heard on its own."""
    found: Sequence[Linked] = ()
    for number, concern in enumerate(concerns):
        fact = linking.raised(concern, f"referral {number}", NOON + timedelta(days=number))
        found = linking.hear(fact)[fact.header.referral_id]
    return found


@pytest.mark.parametrize(
    ("one", "other", "by", "same"),
    [
        (person(), person("Exampleton", "Catherine"), "name_and_birth_date", [SAMENESS_PERSON]),
        (person(), person("Katherine", "Exampletun"), "close_name", [SAMENESS_PERSON]),
        (person(), person(born="1990-03-02"), "close_name", [SAMENESS_PERSON]),
        (
            person(nhs_number="9434765919"),
            person("Kate", "Married", "", nhs_number="9434765919"),
            "number",
            [SAMENESS_PERSON],
        ),
        (
            person(telephone="0117 496 0123"),
            person("Bob", "Other", "1988-01-01", telephone="+441174960123"),
            "telephone",
            [SAMENESS_HOUSEHOLD],
        ),
        (
            person(address="14 Test Row", postcode="BS1 1AA"),
            person("Bob", "Other", "1988-01-01", address="14, Test Row", postcode="bs11aa"),
            "address",
            [SAMENESS_HOUSEHOLD],
        ),
        (
            person("Catherine", "Exampleton", "", postcode="BS1 1AA"),
            person("Katherine", "Exampleton", "", postcode="BS1 1AA"),
            "close_name",
            [SAMENESS_PERSON],
        ),
    ],
    ids=["fields swapped", "another spelling", "date slipped", "number", "telephone", "address", "no birth date"],
)
def test_an_earlier_referral_is_found_by_what_it_shares(
    one: Subject, other: Subject, by: str, same: Sequence[int]
) -> None:
    [linked] = links_of(Linking(), about(one), about(other))

    assert linked.by == by
    assert list(linked.same) == same
    assert list(linked.other_kinds) == [CONCERN_KIND_DOMESTIC_ABUSE]
    assert linked.other_raised_at.ToDatetime(UTC) == NOON


def test_a_home_that_is_also_where_it_happened_is_one_location() -> None:
    [linked] = links_of(
        Linking(),
        about(person(address="14 Test Row", postcode="BS1 1AA")),
        about(person("Bob", "Other", "1988-01-01"), place=Place(description="14 Test Row", postcode="BS1 1AA")),
    )

    assert (linked.by, list(linked.same)) == ("place", [SAMENESS_LOCATION])


@pytest.mark.parametrize(
    "other",
    [person("Margaret"), person("Bob", "Other"), person(born="1971-07-19")],
    ids=["a twin elsewhere", "the same birthday", "a namesake"],
)
def test_strangers_are_not_linked(other: Subject) -> None:
    assert links_of(Linking(), about(person()), about(other)) == []


def test_twins_of_one_home_are_a_household_and_never_one_person() -> None:
    home = {"address": "14 Test Row", "postcode": "BS1 1AA"}

    [linked] = links_of(Linking(), about(person(**home)), about(person("Margaret", **home)))

    assert list(linked.same) == [SAMENESS_HOUSEHOLD]


def test_more_that_is_shared_makes_a_link_more_likely() -> None:
    home = {"address": "14 Test Row", "postcode": "BS1 1AA"}

    [alone] = links_of(Linking(), about(person()), about(person()))
    [both] = links_of(Linking(), about(person(**home)), about(person(**home)))

    assert alone.score < both.score < 100
    assert both.by == "address, name_and_birth_date"


def test_referrals_of_one_batch_find_each_other_and_never_themselves() -> None:
    linking = Linking()
    facts = [linking.raised(about(person(name)), name) for name in ("Catherine", "Katherine")]

    found = linking.hear(*facts)

    ids = [fact.header.referral_id for fact in facts]
    assert [linked.other_referral_id for linked in found[ids[0]]] == [ids[1]]
    assert [linked.other_referral_id for linked in found[ids[1]]] == [ids[0]]
    assert linking.earlier.read == []  # what is in the batch is not read


def test_a_batch_asks_a_bounded_number_of_times_however_large_it_is() -> None:
    """One call for keys and one for candidates' keys, one for the index, one read of candidates."""
    linking = Linking()
    spellings = ["Catherine", "Katherine", "Catharine", "Katharine"]
    for number in range(40):
        linking.hear(linking.raised(about(person(born=f"19{40 + number}-02-03")), f"earlier {number}"))
    linking.keys.calls = linking.buckets.calls = 0
    linking.earlier.read.clear()
    batch = [
        linking.raised(about(person(spelling, born=f"19{40 + number}-02-03")), f"{spelling} {number}")
        for number in range(40)
        for spelling in spellings[1:]
    ]

    found = linking.hear(*batch)

    assert all(found[fact.header.referral_id] for fact in batch)
    assert (linking.keys.calls, linking.buckets.calls, len(linking.earlier.read)) == (2, 1, 1)


def test_names_are_opened_only_where_a_block_holds_at_most_fifty() -> None:
    linking = Linking()
    crowd = [linking.raised(about(person("Catherine", f"Exampleton{x}")), f"crowd {x}") for x in range(MOST_CANDIDATES)]
    linking.hear(*crowd)
    one_more = linking.raised(about(person("Katherine", "Exampletan")), "one more")

    linking.hear(one_more)
    assert linking.earlier.read
    linking.earlier.read.clear()
    linking.keys.opened.clear()
    last = linking.raised(about(person("Catharine", "Exampletin")), "last")

    assert linking.hear(last)[last.header.referral_id] == []
    assert linking.earlier.read == []
    assert linking.keys.opened == [[last.header.referral_id]]


def test_what_very_many_share_makes_no_household_and_the_newest_links_are_kept() -> None:
    linking = Linking()
    hostel = {"address": "1 Hostel Row", "postcode": "BS1 1AA"}
    guests = [linking.raised(about(person(f"Guest{x}", f"Name{x}", "", **hostel)), f"guest {x}") for x in range(51)]
    linking.hear(*guests)
    here = Place(description="1 Hostel Row", postcode="BS1 1AA")

    found = links_of(linking, about(person(**hostel), place=here))

    assert len(found) == MOST_LINKS
    assert {tuple(linked.same) for linked in found} == {(SAMENESS_LOCATION,)}


def test_a_repeated_fact_asks_for_nothing() -> None:
    linking = Linking()
    fact = linking.raised(about(person()), "one")
    linking.hear(fact)
    linking.keys.calls = 0

    assert linking.hear(fact) == {}
    assert linking.keys.calls == 0


def test_an_erased_subject_is_found_no_more() -> None:
    linking = Linking()
    fact = linking.raised(about(person()), "erased")
    linking.hear(fact)
    erased = IntakeFact(erased=intake_pb2.Erased(key_ids=["subject-1"], ground="request"))
    stamp([erased], fact.header.referral_id, 1, NOON, OFFICER, "erase")
    del linking.keys.keys[fact.header.referral_id]["subject-1"]
    linking.hear(erased)

    assert linking.keys.forgotten == [fact.header.referral_id]
    assert links_of(linking, about(person())) == []
    assert not any(linking.buckets.buckets.values()) or all(
        entry.referral_id != fact.header.referral_id for kept in linking.buckets.buckets.values() for entry in kept
    )


def test_amended_kinds_are_what_later_links_say() -> None:
    linking = Linking()
    fact = linking.raised(about(person()), "amended")
    linking.hear(fact)
    amended = IntakeFact(amended=intake_pb2.Amended(kinds=[CONCERN_KIND_ADULT_AT_RISK]))
    stamp([amended], fact.header.referral_id, 1, NOON, OFFICER, "amend")
    linking.hear(amended)

    [linked] = links_of(linking, about(person()))

    assert list(linked.other_kinds) == [CONCERN_KIND_ADULT_AT_RISK]


def test_a_part_that_cannot_be_opened_fails_nothing() -> None:
    linking = Linking()
    fact = linking.raised(about(person()), "damaged")
    for part in fact.raised.subjects[0].parts:
        part.ciphertext = bytes(len(part.ciphertext))

    assert linking.hear(fact) == {fact.header.referral_id: []}


def of_one(one: Subject, other: Subject, by: Actor = OFFICER, *, anonymous: bool = False) -> bool:
    """Whether the second of two concerns at one place is linked as of the same complainant."""
    linking, where = Linking(), Place(grid_reference="ST 587 728")
    found: Sequence[Linked] = ()
    for number, subject in enumerate((one, other)):
        concern = about(subject, place=where)
        concern.anonymous = anonymous
        fact = linking.raised(concern, f"complaint {number}", by=by)
        found = linking.hear(fact)[fact.header.referral_id]
    [linked] = found
    return linked.same_complainant


def suspect(*names: str) -> Subject:
    found = person(*names)
    found.role = SUBJECT_ROLE_SUSPECT
    return found


@pytest.mark.parametrize(
    ("one", "other", "by", "same"),
    [
        (person(), person(), OFFICER, True),
        (person(), person("Bob", "Other"), OFFICER, False),
        (suspect(), suspect(), OFFICER, False),
        (suspect(), suspect(), NEIGHBOUR, True),
        (person(), person("Bob", "Other"), NEIGHBOUR, True),
    ],
    ids=["the same victim", "two victims", "the same culprit", "one neighbour of a culprit", "one neighbour twice"],
)
def test_whose_complaint_it_is_follows_from_who_suffered_or_who_raised_it(
    one: Subject, other: Subject, by: Actor, same: bool
) -> None:
    assert of_one(one, other, by) is same


def test_two_anonymous_complaints_are_not_taken_for_one_complainants() -> None:
    assert not of_one(suspect(), suspect(), NEIGHBOUR, anonymous=True)
