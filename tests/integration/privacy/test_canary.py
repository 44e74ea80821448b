"""Marked words in every personal field of a referral's whole life are found nowhere outside a service's memory."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer

from safeguarding.v1 import intake_pb2, partner_pb2, routing_pb2
from safeguarding.v1 import triage_pb2 as triage
from services.chassis.sealing import copy_info, open_with
from services.cli.local import partners
from services.topics import SERVICES
from tests.integration.bad_input import right_requests as right
from tests.integration.bad_input.wrong_fields import wrongs
from tests.integration.house import CALL_SECONDS, House, Who, new_key, refused
from tests.integration.privacy import places
from tests.integration.privacy.journey import KAFKA_PARTNERS, Journey
from tests.integration.privacy.planting import Planter, found_in, personal_fields
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

TAKE_WORDS = (
    intake_pb2.RaiseConcernRequest,
    intake_pb2.AmendRequest,
    intake_pb2.SupplyInformationRequest,
    triage.OverrideGradeRequest,
    triage.RequestInformationRequest,
    triage.TakeNoFurtherActionRequest,
    routing_pb2.CompleteRequest,
)
"""Every request that takes personal words; of the inbox one, since all hold the same command."""


@pytest.fixture(scope="module")
def planter() -> Planter:
    return Planter()


@pytest.fixture(scope="module")
def journey(house: House, people: dict[str, Who], planter: Planter) -> Journey:
    journey = Journey(house, people, planter)
    journey.run()
    return journey


def test_every_personal_field_that_a_request_can_hold_was_planted(planter: Planter, journey: Journey) -> None:
    assert personal_fields(*TAKE_WORDS) - planter.planted == set()


def test_a_word_is_found_in_whatever_shape_it_lies(planter: Planter) -> None:
    """The search itself: what it must not find, it would find."""
    for before, how in itertools.product(
        (b"", b"a", b"ab", b"abc"),
        (bytes, base64.b64encode, base64.urlsafe_b64encode, lambda raw: raw.hex().encode()),
    ):
        assert found_in(how(before + planter.word.encode() + b"zz"), planter.words()), (before, how)
    assert found_in(planter.word.encode("utf-16"), planter.words())


def everywhere(house: House) -> Iterator[tuple[str, bytes]]:
    return itertools.chain(places.records(house), places.documents(house), places.files(house))


def test_no_marked_word_lies_anywhere(house: House, planter: Planter, journey: Journey) -> None:
    hits = [
        f"{place}: {found_in(content, planter.words())}"
        for place, content in everywhere(house)
        if found_in(content, planter.words())
    ]

    assert hits == []


def test_what_is_not_personal_is_found_in_every_kind_of_place(house: House, journey: Journey) -> None:
    """The places are the right ones: the referral's id lies in topics, documents, store files and Kafka's."""
    shape = journey.referral_id.encode()
    found = {place for place, content in everywhere(house) if shape in content}

    for kind in (
        "referrals.intake.v1/", "referrals.triage.v1/", "referrals.routing.v1/", "referrals.access.intake.v1/",
        "partner.police-safeguarding.v1/", "intake.referrals", "triage.referrals", "partner_routing.referrals",
        "home/data/mongo", "home/data/kafka",
    ):  # fmt: skip
        assert [place for place in found if place.startswith(kind)], kind
    names = {place for place, content in places.files(house) if content}
    assert {f"home/logs/{service}.log" for service in SERVICES} <= names
    assert {f"traces/{service}.jsonl" for service in ("intake", "triage", "partner-routing")} <= names


def test_the_partner_itself_reads_the_marked_words(house: House, planter: Planter, journey: Journey) -> None:
    """They did travel: what its agreement gives, the partner's own key opens."""
    partner_id = KAFKA_PARTNERS[0]
    login = house.partner_login(partner_id)
    private = bytes.fromhex(partners.private_key_file(house.stack.home, partner_id).read_text().strip())
    consumer = KafkaConsumer(
        login["topic"], **login["login"], group_id=f"{login['group_prefix']}canary", auto_offset_reset="earliest",
        enable_auto_commit=False, allow_auto_create_topics=False, consumer_timeout_ms=20_000,
    )  # fmt: skip
    try:
        record = next(found for found in consumer if found.key == journey.referral_id.encode())
    finally:
        consumer.close(autocommit=False)
    sealed = partner_pb2.PartnerRecord.FromString(record.value)
    copy = open_with(private, copy_info(partner_id, sealed.leg_id, sealed.event_id), sealed.sealed_copy)

    assert planter.word.encode() in copy
    assert not found_in(record.value, planter.words())


def test_what_is_refused_leaves_no_word_behind(house: House, people: dict[str, Who], journey: Journey) -> None:
    """Wrong requests, replies and bytes full of marked words: none in an answer, a log, a span, a fact or a store."""
    planter = Planter()
    partner_id = KAFKA_PARTNERS[1]
    intake = house.stub("Intake", people["officer"])
    request = intake_pb2.RaiseConcernRequest(idempotency_key=new_key(), concern=right.concern())
    planter.plant(request)
    answers = [
        refused(lambda r=wrong.request: intake.RaiseConcern(r, timeout=CALL_SECONDS))  # type: ignore[misc]
        for wrong in wrongs(request)
    ]
    request.concern.subjects[0].identity.date_of_birth = planter.word
    request.concern.area = planter.word.lower()
    answers.append(refused(lambda: intake.RaiseConcern(request, timeout=CALL_SECONDS)))
    channel = house.channel("intake", people["officer"])
    raw = channel.unary_unary("/safeguarding.v1.Intake/RaiseConcern")  # type: ignore[var-annotated]
    answers.append(refused(lambda: raw(b"\xff" + planter.word.encode(), timeout=CALL_SECONDS)))
    login = house.partner_login(partner_id)
    before = house.ends(["referrals.routing.v1"])
    for key in (journey.referral_id.encode(), planter.word.encode()):
        house.send("", login["replies_topic"], b"\xff" + planter.word.encode(), key, login=login["login"])
    happens("both replies are refused", lambda: len(house.records(["referrals.routing.v1"], before)) >= 2)

    assert not [answer for answer in answers if found_in(str(answer).encode(), planter.words())]
    theirs = login["replies_topic"]  # what the partner wrote there in clear is its own doing, and lies there
    hits = [place for place, content in everywhere(house) if theirs not in place and found_in(content, planter.words())]
    assert hits == []
