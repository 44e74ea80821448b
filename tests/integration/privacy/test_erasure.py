"""A subject is erased: unreadable in every topic, store and answer from then on, also with a store from a backup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from safeguarding.v1 import audit_pb2, common_pb2, concern_pb2, intake_pb2, partner_pb2, routing_pb2
from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.common_pb2 import Sealed
from services import topics
from services.audit.log.note import Verifier
from services.audit.log.proof import verify_receipt
from services.audit.log.verify import verify
from services.chassis.sealing import CannotOpen, KeyWrapper, copy_info, open_with, unseal
from services.cli.installed import told
from services.cli.local import partners
from tests.integration.bad_input import right_requests as right
from tests.integration.bad_input.support import ask_if_known
from tests.integration.house import CALL_SECONDS, House, Who, new_key, refused
from tests.integration.privacy.journey import INBOX_PARTNER, KAFKA_PARTNERS
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ERASED, OTHER, LEFT = "Qerasedperson", "Qotherperson", "Qwhatisleft"
"""A word in everything that is told of the person to erase, of another, and in what is left of the account."""
KAFKA_PARTNER = KAFKA_PARTNERS[1]


class Case:
    """A concern about a child, who is erased, and a victim; with legs of a partner with Kafka and one without."""

    def __init__(self, house: House, people: dict[str, Who], nhs_number: str = "9999999999") -> None:
        self.nhs_number = nhs_number
        self.house = house
        self.people = {**people, "second": house.who("protection", "dpo-second")}
        concern = right.concern()
        del concern.kinds[:]
        concern.kinds.extend([common_pb2.CONCERN_KIND_DOMESTIC_ABUSE, common_pb2.CONCERN_KIND_CHILD_AT_RISK])
        concern.signs.CopyFrom(concern_pb2.Signs(dash_score=15, child_lives_here=True, consents_to_support=True))
        concern.subjects[0].identity.given_names = ERASED
        concern.subjects[0].identifiers.nhs_number = nhs_number
        concern.subjects[0].contact.address = f"{ERASED} Row"
        concern.subjects.append(right.subject(common_pb2.SUBJECT_ROLE_VICTIM))
        concern.subjects[1].identity.given_names = OTHER
        concern.narrative.text = f"{ERASED} was seen with {OTHER}"
        self.referral_id = house.raise_concern(concern, people["officer"]).referral_id
        self.legs = {partner: self._leg(partner) for partner in (INBOX_PARTNER, KAFKA_PARTNER)}
        self.key_before = self.document()["keys"]["subject-1"]

    def ask(self, service: str, method: str, who: str, request: Any) -> Any:
        found = self.people.get(who) or self.house.who("partner", who)
        return getattr(self.house.stub(service, found), method)(request, timeout=CALL_SECONDS)

    def review(self) -> intake_pb2.ReviewErasureResponse:
        request = intake_pb2.ReviewErasureRequest(referral_id=self.referral_id)
        found: intake_pb2.ReviewErasureResponse = self.ask("Protection", "ReviewErasure", "protection", request)
        return found

    def request(self) -> str:
        body = intake_pb2.RequestErasureRequest(
            idempotency_key=new_key(),
            referral_id=self.referral_id,
            subject=1,
            ground="article_17",
            redacted=concern_pb2.Narrative(text=f"{LEFT}: {OTHER} was seen"),
            keep=[common_pb2.FIELD_GROUP_PLACE],
        )
        return str(self.ask("Protection", "RequestErasure", "protection", body).event_id)

    def decide(self, who: str, *, agreed: bool = True, key: str = "") -> Any:
        body = intake_pb2.DecideErasureRequest(
            idempotency_key=key or new_key(),
            referral_id=self.referral_id,
            request_event_id=self.review().request_event_id or self.referral_id,
            agreed=agreed,
        )
        return self.ask("Protection", "DecideErasure", who, body)

    def hold(self, *, held: bool) -> None:
        body = intake_pb2.SetHoldRequest(
            idempotency_key=new_key(), referral_id=self.referral_id, held=held, reason="court_order"
        )
        self.ask("Protection", "SetHold", "protection", body)

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = self.house.documents("intake").find_one({"_id": self.referral_id})
        return found

    def journey(self) -> routing_pb2.GetJourneyResponse:
        request = routing_pb2.GetJourneyRequest(referral_id=self.referral_id)
        call = self.house.stub("Routing", self.people["triage"]).GetJourney
        return ask_if_known(call, request) or routing_pb2.GetJourneyResponse()

    def steps(self) -> list[str]:
        return [step.kind for step in self.journey().steps]

    def _leg(self, partner: str) -> str:
        def found() -> str | None:
            return next((leg.leg_id for leg in self.journey().legs if leg.partner_id == partner), None)

        return happens(f"{partner} is offered a leg", found)


@pytest.fixture(scope="module")
def case(house: House, people: dict[str, Who]) -> Case:
    return Case(house, people)


@pytest.fixture(scope="module")
def erased(case: Case) -> Case:
    """Erased by two people, after everything that must not suffice was tried."""
    before = case.review()
    assert before.subjects[0].identity.given_names == ERASED
    assert list(before.narratives) == [f"{ERASED} was seen with {OTHER}"]
    case.hold(held=True)
    assert refused(case.request).code() is grpc.StatusCode.FAILED_PRECONDITION
    case.hold(held=False)
    case.request()
    assert case.review().redacted.startswith(LEFT)
    assert refused(lambda: case.decide("protection")).code() is grpc.StatusCode.PERMISSION_DENIED
    assert case.review().subjects[0].identity.given_names == ERASED, "nothing is destroyed by one person"
    case.decide("second")
    happens("every partner that holds something is told", lambda: case.steps().count("erasure_told") >= 2)
    said = case.document()["facts"]["intake"]

    def heard() -> bool:
        return bool(case.house.documents("triage").find_one({"_id": case.referral_id})["facts"]["intake"] == said)

    happens("triage, which reads on its own, has heard of it", heard)
    return case


def sealed_in(message: Any) -> Iterator[Sealed]:
    """Every sealed part in a message, however deep."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else (value,):
            if isinstance(each, Sealed):
                yield each
            else:
                yield from sealed_in(each)


def test_no_key_that_is_left_opens_what_was_sealed_for_the_erased(erased: Case, house: House) -> None:
    stored = erased.document()
    assert set(stored["keys"]) >= {"subject-2", "narrative-2", "raiser"}
    assert not {"subject-1", "narrative"} & set(stored["keys"])
    wrapper = KeyWrapper(bytes.fromhex(told(house.stack.home, "intake")["KEY_ENCRYPTION_KEY"]))
    left = [wrapper.unwrap(erased.referral_id, key_id, key) for key_id, key in stored["keys"].items()]

    facts = [intake_pb2.IntakeFact.FromString(raw) for raw in stored["facts"]["intake"]]
    of_erased = [part for fact in facts for part in sealed_in(fact) if part.key_id in ("subject-1", "narrative")]

    assert len(of_erased) >= 5
    for part in of_erased:
        for key in left:
            with pytest.raises(CannotOpen):
                unseal(key, erased.referral_id, part, concern_pb2.Narrative)


def answers(case: Case) -> Iterator[tuple[str, Any]]:
    """Everything that somebody can still be told of the referral's people."""
    own = {"referral_id": case.referral_id}
    yield "raiser", case.ask("Intake", "GetReferral", "officer", intake_pb2.GetReferralRequest(**own))
    request = triage.GetAssessmentRequest(**own, reason="triage")
    yield "desk", case.ask("Triage", "GetAssessment", "triage", request)
    copy = routing_pb2.OpenCopyRequest(**own, leg_id=case.legs[INBOX_PARTNER])
    yield "partner", case.ask("PartnerInbox", "OpenCopy", INBOX_PARTNER, copy)
    yield "protection", case.review()


def test_every_answer_from_now_on_has_what_is_left_and_nothing_of_the_erased(erased: Case) -> None:
    found = dict(answers(erased))

    for who, answer in found.items():
        assert ERASED.encode() not in answer.SerializeToString(), who
        assert LEFT.encode() in answer.SerializeToString(), who
    concern = found["raiser"].concern
    assert not concern.subjects[0].HasField("identity")
    assert concern.subjects[0].role == common_pb2.SUBJECT_ROLE_CHILD, "the tombstone"
    assert concern.subjects[1].identity.given_names == OTHER
    assert concern.place.postcode == "BS1 1AA", "kept, as was asked"
    assert not concern.HasField("vehicle")
    assert list(found["desk"].narratives) == [f"{LEFT}: {OTHER} was seen"]
    assert found["protection"].subjects[0].erased


def test_a_key_that_comes_back_with_a_backup_opens_nothing(erased: Case, house: House) -> None:
    house.documents("intake").update_one({"_id": erased.referral_id}, {"$set": {"keys.subject-1": erased.key_before}})
    try:
        request = intake_pb2.OpenRequest(referral_ids=[erased.referral_id], purpose="copies")
        opened = house.stub("Keys", house.who("service", "audit")).Open(request, timeout=CALL_SECONDS)
        assert "subject-1" not in {key.key_id for key in opened.keys}
        for who, answer in answers(erased):
            assert ERASED.encode() not in answer.SerializeToString(), who
    finally:
        house.documents("intake").update_one({"_id": erased.referral_id}, {"$unset": {"keys.subject-1": ""}})


def test_partners_are_told_and_confirm_by_kafka_and_by_the_inbox(erased: Case, house: House) -> None:
    notice = erasure_notice(erased, house)
    assert (notice.subject, notice.narrative) == (1, True)
    leg_id = erased.legs[KAFKA_PARTNER]
    login = house.partner_login(KAFKA_PARTNER)
    reply = partner_pb2.Reply(reply_id=new_key(), referral_id=erased.referral_id, leg_id=leg_id)
    reply.erasure_confirmed.subjects.append(notice.subject)
    key = erased.referral_id.encode()
    house.send("", login["replies_topic"], reply.SerializeToString(), key, login=login["login"])

    def waits() -> list[list[int]]:
        listed = erased.ask("PartnerInbox", "List", INBOX_PARTNER, routing_pb2.ListRequest(limit=100)).items
        return [list(item.to_delete) for item in listed if item.leg_id == erased.legs[INBOX_PARTNER]]

    assert waits() == [[1]]
    command = routing_pb2.InboxCommand(
        idempotency_key=new_key(), referral_id=erased.referral_id, leg_id=erased.legs[INBOX_PARTNER]
    )
    confirm = routing_pb2.ConfirmErasureRequest(command=command)
    erased.ask("PartnerInbox", "ConfirmErasure", INBOX_PARTNER, confirm)

    assert waits() == [[]]
    happens("both confirmed", lambda: erased.steps().count("erasure_confirmed") == 2)


def erasure_notice(case: Case, house: House) -> partner_pb2.ErasureNotice:
    """As the partner reads it from its topic, with its own key."""
    private = bytes.fromhex(partners.private_key_file(house.stack.home, KAFKA_PARTNER).read_text().strip())
    for record in house.records([topics.partner_topic(KAFKA_PARTNER).name]):
        if record.key != case.referral_id.encode():
            continue
        sealed = partner_pb2.PartnerRecord.FromString(record.value)
        info = copy_info(KAFKA_PARTNER, sealed.leg_id, sealed.event_id)
        copy = partner_pb2.Copy.FromString(open_with(private, info, sealed.sealed_copy))
        if copy.HasField("erasure"):
            return copy.erasure
    pytest.fail("there is no erasure on the partner's topic")


def test_a_fact_says_that_it_happened_and_the_log_still_verifies(erased: Case, house: House) -> None:
    facts = [intake_pb2.IntakeFact.FromString(raw) for raw in erased.document()["facts"]["intake"]]
    [fact] = [fact for fact in facts if fact.HasField("erased")]
    assert (fact.erased.ground, fact.erased.subject, fact.header.actor.id) == ("article_17", 1, "dpo-second")

    def receipt() -> bytes | None:
        request = audit_pb2.GetReceiptRequest(event_id=fact.header.event_id)
        found = ask_if_known(house.stub("Audit", erased.people["officer"]).GetReceipt, request)
        return found.receipt if found else None

    audit = house.stack.home.audit
    key = Verifier.parse((audit / "log.vkey").read_text().strip())
    assert b"type safeguarding.v1.Erased" in verify_receipt(happens("its receipt", receipt), key).leaf
    assert verify(audit / "log", key).tree.size > 0
