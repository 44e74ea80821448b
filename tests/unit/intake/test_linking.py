"""Match keys leave intake sealed, and nothing that could be guessed leaves it in clear."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding.v1.common_pb2 import CONCERN_KIND_DOMESTIC_ABUSE, SUBJECT_ROLE_VICTIM, FieldGroup, MatchKeys
from safeguarding.v1.concern_pb2 import Concern, Contact, Identifiers, Identity, Narrative, Place, Subject
from services.chassis.sealing import unseal
from services.intake.identifiers import of_place, of_subject
from services.intake.linking import Linker
from services.intake.sealed import opened
from tests.fakes.linking import INDEX_KEY, LINKING_KEY, Linking

NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzéü'-", min_size=5, max_size=20).map("Zz{}".format)
"""Names with a mark of their own: "kinds" and "victim" are names too, and words of ours."""
DIGITS = st.integers(0, 9999).map("{:04}".format)


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    """A person of whom everything is known."""
    born = draw(st.dates())
    return Subject(
        role=SUBJECT_ROLE_VICTIM,
        identity=Identity(given_names=draw(NAMES), family_name=draw(NAMES), date_of_birth=born.isoformat()),
        identifiers=Identifiers(nhs_number="9434765919", upn=f"A1234567{draw(DIGITS)}B"),
        contact=Contact(
            address=f"{draw(DIGITS)} Test Row",
            postcode="BS16 4QZ",
            telephone=f"0117 496 {draw(DIGITS)}",
            uprn=f"10002333{draw(DIGITS)}",
        ),
    )


def concern_of(*people: Subject) -> Concern:
    """Domestic abuse at a place."""
    return Concern(
        kinds=[CONCERN_KIND_DOMESTIC_ABUSE],
        area="bristol",
        subjects=people,
        narrative=Narrative(text="what happened"),
        place=Place(description="outside 27 Test Row", postcode="BS16 4QZ", grid_reference="ST 6123 7456"),
    )


def guesses(concern: Concern) -> Iterator[bytes]:
    """Every identifier as it was written, in its one form, and as hashes that anyone, or only intake, can make."""
    written = [
        text
        for subject in concern.subjects
        for part in (subject.identity, subject.identifiers, subject.contact)
        for _, text in part.ListFields()
    ]
    formed = [each for subject in concern.subjects for each in of_subject(subject)] + of_place(concern.place)
    for text in [*written, *(text for _, text in formed)]:
        raw = str(text).encode()
        if len(raw) >= 5:
            yield raw
        for plain in (raw, raw.upper(), raw.lower()):
            yield from (hashlib.new(name, plain, usedforsecurity=False).digest() for name in ("md5", "sha1", "sha256"))
    for kind, text in formed:
        raw = f"{kind}|{text}".encode()
        yield hashlib.sha256(raw).digest()[:16]
        yield hmac.digest(LINKING_KEY, raw, "sha256")[:16]
        yield hmac.digest(INDEX_KEY, raw, "sha256")[:16]


def shown(guess: bytes) -> Iterator[bytes]:
    """A guess as bytes or as text would show it."""
    yield guess
    yield guess.hex().encode()
    yield base64.b64encode(guess)[: len(guess)]


@settings(max_examples=60, deadline=None)
@given(st.lists(subjects(), min_size=1, max_size=3))
def test_no_identifier_and_no_hash_of_one_is_in_any_fact_or_in_the_index(people: list[Subject]) -> None:
    linking = Linking()
    concern = concern_of(*people)
    facts = [linking.raised(concern, name) for name in ("one", "two")]
    suggested = [linked for fact in facts for links in linking.hear(fact).values() for linked in links]

    kept = b"\n".join(
        [
            *(fact.SerializeToString() for fact in facts),
            *(linked.SerializeToString() for linked in suggested),
            repr(linking.buckets.buckets).encode(),
        ]
    )

    assert suggested
    assert [guess for guess in guesses(concern) for shape in shown(guess) if shape in kept] == []


def test_each_subject_s_match_keys_lie_under_the_subject_s_own_key() -> None:
    """So that whoever destroys it destroys them."""
    linking = Linking()
    fact = linking.raised(concern_of(Subject(identity=_ANN), Subject(identity=_BOB)), "one")

    for number, subject in enumerate(fact.raised.subjects, start=1):
        [part] = [part for part in subject.parts if part.group == FieldGroup.FIELD_GROUP_MATCH]
        assert part.key_id == f"subject-{number}"
        keys = linking.keys.keys[fact.header.referral_id]
        assert unseal(keys[part.key_id], fact.header.referral_id, part, MatchKeys).keys


def test_the_raiser_reads_the_concern_as_it_was_given() -> None:
    """Match keys are no part of it."""
    linking = Linking()
    concern = concern_of(Subject(role=SUBJECT_ROLE_VICTIM, identity=_ANN))
    fact = linking.raised(concern, "one")
    linking.hear(fact)
    referral_id = fact.header.referral_id

    assert opened(linking.known(referral_id), referral_id, linking.keys.keys[referral_id]) == concern


def test_another_linking_key_gives_other_hashes() -> None:
    person = Subject(identity=_ANN)

    assert Linker(b"a" * 32).of_subject(person) == Linker(b"a" * 32).of_subject(person)
    assert not {key.hash for key in Linker(b"a" * 32).of_subject(person).keys} & {
        key.hash for key in Linker(b"b" * 32).of_subject(person).keys
    }


_ANN = Identity(given_names="Ann", family_name="Example", date_of_birth="2015-02-03")
_BOB = Identity(given_names="Bob", family_name="Example", date_of_birth="2012-02-03")
