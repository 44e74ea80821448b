"""Every kind of record becomes an entry without its content, and what cannot be read is said to be unreadable."""

import hashlib
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1 import (
    access_pb2,
    audit_pb2,
    common_pb2,
    intake_pb2,
    parked_pb2,
    partner_pb2,
    routing_pb2,
    triage_pb2,
)
from safeguarding.v1.access_control_pb2 import ROLE_AUDITOR, ROLE_OFFICER, ROLE_PARTNER, ROLE_SERVICE
from services import topics
from services.audit import operations
from services.audit.entries import UNREADABLE, Entry, entry_of, fingerprint
from services.chassis.kafka_in.chunk import Record

REFERRAL = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01"
OTHER = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a02"
EVENT = "8f14e45f-ceea-567f-a0e6-1b2f6c9d3a03"
LOOK = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a04"
MADE_AT = 1_790_000_000_000
COPIES, REPLIES = topics.partner_topics("oak-school")


def a_record(topic: str, value: Message | bytes | None, key: bytes | None = REFERRAL.encode(), **more: Any) -> Record:
    raw = value.SerializeToString(deterministic=True) if isinstance(value, Message) else value
    return Record(topic, 3, 7, more.get("timestamp_ms", MADE_AT), key, raw, more.get("headers", ()))


def a_header(role: Any = ROLE_OFFICER, actor: str = "officer-1", **more: Any) -> common_pb2.FactHeader:
    fields = {"event_id": EVENT, "referral_id": REFERRAL, "sequence": 1, "cause_id": "cause", **more}
    header = common_pb2.FactHeader(actor=common_pb2.Actor(role=role, id=actor, kind="special"), **fields)
    header.occurred_at.FromMilliseconds(MADE_AT - 5)
    return header


def raised() -> intake_pb2.IntakeFact:
    return intake_pb2.IntakeFact(header=a_header(), raised=intake_pb2.Raised(area="northtown"))


def an_access(referral_id: str, *touched: str) -> access_pb2.AccessFact:
    header = a_header(ROLE_AUDITOR, "auditor-1", referral_id=referral_id, cause_id=LOOK)
    return access_pb2.AccessFact(
        header=header,
        kind=access_pb2.ACCESS_KIND_SEARCHED,
        method="Audit/Search",
        reason="review",
        referral_ids=touched,
    )


def test_a_fact_of_intake_says_what_happened_when_by_whom_and_to_which_referral() -> None:
    entry = entry_of(a_record(topics.INTAKE.name, raised()))

    said = entry.timeline
    assert (said.topic, said.partition, said.offset) == (topics.INTAKE.name, 3, 7)
    assert (said.type, said.event_id, said.referral_id) == ("safeguarding.v1.Raised", EVENT, REFERRAL)
    assert said.actor == common_pb2.Actor(role=ROLE_OFFICER, id="officer-1", kind="special")
    assert said.record_time.ToMilliseconds() == MADE_AT
    assert said.occurred_at.ToMilliseconds() == MADE_AT - 5
    assert entry.at == (MADE_AT - 5) * 1_000
    assert entry.referrals == (REFERRAL,)


def test_a_fact_of_triage_is_read_as_one() -> None:
    fact = triage_pb2.TriageFact(header=a_header(ROLE_SERVICE, "triage"), graded=triage_pb2.Graded())

    assert entry_of(a_record(topics.TRIAGE.name, fact)).timeline.type == "safeguarding.v1.Graded"


def test_an_offer_names_the_partner_that_it_is_made_to() -> None:
    offered = routing_pb2.Offered(leg_id=OTHER, partner_id="oak-school")
    fact = routing_pb2.RoutingFact(header=a_header(ROLE_SERVICE, "partner-routing"), offered=offered)

    said = entry_of(a_record(topics.ROUTING.name, fact)).timeline

    assert (said.type, said.partner_id) == ("safeguarding.v1.Offered", "oak-school")


def test_what_a_partner_did_is_found_under_that_partner() -> None:
    fact = routing_pb2.RoutingFact(header=a_header(ROLE_PARTNER, "oak-school"), accepted=routing_pb2.Accepted())

    assert entry_of(a_record(topics.ROUTING.name, fact)).timeline.partner_id == "oak-school"


def test_a_look_at_one_referral_lies_under_it_with_its_reason() -> None:
    entry = entry_of(a_record(topics.access_topic("audit").name, an_access(REFERRAL)))

    assert (entry.timeline.type, entry.timeline.reason) == ("safeguarding.v1.AccessFact", "review")
    assert (entry.timeline.actor.id, entry.referrals) == ("auditor-1", (REFERRAL,))


def test_a_search_lies_under_every_referral_that_it_found_and_is_itself_none() -> None:
    entry = entry_of(a_record(topics.access_topic("audit").name, an_access(LOOK, REFERRAL, OTHER), LOOK.encode()))

    assert entry.timeline.referral_id == ""
    assert entry.referrals == (REFERRAL, OTHER)


def test_a_copy_is_known_by_the_partner_of_its_topic_alone() -> None:
    copy = partner_pb2.PartnerRecord(event_id=EVENT, referral_id=REFERRAL, leg_id=OTHER, sealed_copy=b"sealed")

    said = entry_of(a_record(COPIES.name, copy)).timeline

    assert (said.type, said.event_id, said.referral_id) == ("safeguarding.v1.PartnerRecord", EVENT, REFERRAL)
    assert (said.partner_id, said.actor.id) == ("oak-school", "partner-routing")


def test_a_reply_is_its_step_and_the_work_of_the_partner_whose_topic_it_is() -> None:
    reply = partner_pb2.Reply(
        reply_id="reply-0001", referral_id=REFERRAL, leg_id=OTHER, accepted=partner_pb2.AcceptedReply()
    )

    said = entry_of(a_record(REPLIES.name, reply)).timeline

    assert (said.type, said.event_id) == ("safeguarding.v1.AcceptedReply", "reply-0001")
    assert said.actor == common_pb2.Actor(role=ROLE_PARTNER, id="oak-school")
    assert said.partner_id == "oak-school"


def test_a_partner_cannot_bring_a_text_of_its_own_in_by_its_ids() -> None:
    reply = partner_pb2.Reply(
        reply_id="Jane Canary, 1 High Street", referral_id="Jane Canary", received=partner_pb2.ReceivedReply()
    )

    entry = entry_of(a_record(REPLIES.name, reply, b"Jane Canary"))

    assert b"Canary" not in entry.timeline.SerializeToString()
    assert entry.timeline.type == "safeguarding.v1.ReceivedReply"


def test_a_parked_record_lies_under_the_referral_of_its_key() -> None:
    parked = parked_pb2.Parked(topic="t", error="DecodeError", parked_at=Timestamp(seconds=MADE_AT // 1_000))

    entry = entry_of(a_record(topics.parked_topic("triage").name, parked_pb2.ParkedRecord(parked=parked)))

    assert (entry.timeline.type, entry.timeline.actor.id) == ("safeguarding.v1.Parked", "triage")
    assert entry.referrals == (REFERRAL,)


def test_a_replay_by_a_person_is_that_persons() -> None:
    replayed = parked_pb2.ParkedRecord(replayed=parked_pb2.Replayed(topic="t", by="operator-1"))

    said = entry_of(a_record(topics.parked_topic("triage").name, replayed)).timeline

    assert (said.type, said.actor.id) == ("safeguarding.v1.Replayed", "operator-1")


UNREADABLES = {
    "no protobuf": (topics.INTAKE.name, b"\xff\xff\xff"),
    "a tombstone": (topics.INTAKE.name, None),
    "nothing at all": (topics.INTAKE.name, b""),
    "protobuf of another type": (topics.INTAKE.name, an_access(REFERRAL)),
    "a fact without content": (topics.TRIAGE.name, triage_pb2.TriageFact(header=a_header())),
    "a fact without a header": (topics.INTAKE.name, intake_pb2.IntakeFact(raised=intake_pb2.Raised())),
    "a referral id that is none": (
        topics.INTAKE.name,
        intake_pb2.IntakeFact(header=a_header(referral_id="someone"), raised=intake_pb2.Raised()),
    ),
    "text in no encoding": (topics.access_topic("intake").name, b"\x1a\x02\xff\xfe"),
    "a reply that says nothing": (REPLIES.name, partner_pb2.Reply(reply_id="reply-0001")),
    "an empty copy": (COPIES.name, b""),
    "a topic of nobody's": ("something-else", raised()),
    "a topic of no partner's": ("partner.-.v1", raised()),
    "an empty parked record": (topics.parked_topic("intake").name, b""),
}


@pytest.mark.parametrize(("topic", "value"), UNREADABLES.values(), ids=UNREADABLES)
def test_what_is_not_what_its_topic_carries_is_kept_as_unreadable(topic: str, value: Message | bytes | None) -> None:
    record = a_record(topic, value)

    entry = entry_of(record)

    assert entry.timeline.type == UNREADABLE
    assert entry.timeline.event_id == ""
    assert (entry.timeline.topic, entry.timeline.offset) == (topic, 7)
    assert entry.timeline.sha256 == fingerprint(record)
    assert entry.referrals == (REFERRAL,), "its key still says where it belongs"


@pytest.mark.parametrize("seconds", [-(2**62), 2**62])
def test_a_time_beyond_all_calendars_makes_a_fact_unreadable(seconds: int) -> None:
    fact = raised()
    fact.header.occurred_at.seconds = seconds

    assert entry_of(a_record(topics.INTAKE.name, fact)).timeline.type == UNREADABLE


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 2**62, -(2**62)])
def test_a_senders_clock_may_say_anything(timestamp_ms: int) -> None:
    entry = entry_of(a_record(REPLIES.name, b"", timestamp_ms=timestamp_ms))

    assert isinstance(entry, Entry)
    assert entry.timeline.type == UNREADABLE


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe", b"not-a-referral", b"x" * 36])
def test_an_unreadable_record_without_a_referral_for_a_key_lies_under_none(key: bytes | None) -> None:
    assert entry_of(a_record(REPLIES.name, b"\xff", key)).referrals == ()


def test_an_offer_says_on_what_basis_which_groups_were_given_to_whom() -> None:
    offered = routing_pb2.Offered(
        leg_id=OTHER,
        partner_id="oak-school",
        purpose="child_protection",
        basis=common_pb2.LAWFUL_BASIS_SAFEGUARDING,
        agreement="schools 3",
        given=[
            routing_pb2.Given(group=common_pb2.FIELD_GROUP_NARRATIVE),
            routing_pb2.Given(group=common_pb2.FIELD_GROUP_IDENTITY, subject=1),
            routing_pb2.Given(group=common_pb2.FIELD_GROUP_IDENTITY, subject=2),
        ],
    )
    fact = routing_pb2.RoutingFact(header=a_header(ROLE_SERVICE, "partner-routing"), offered=offered)

    entry = entry_of(a_record(topics.ROUTING.name, fact))

    said = entry.timeline
    assert (said.partner_id, said.leg_id, said.purpose) == ("oak-school", OTHER, "child_protection")
    assert (said.basis, said.agreement) == (common_pb2.LAWFUL_BASIS_SAFEGUARDING, "schools 3")
    assert list(said.groups) == [common_pb2.FIELD_GROUP_IDENTITY, common_pb2.FIELD_GROUP_NARRATIVE]
    assert entry.disclosed


def test_a_look_says_what_was_done_by_which_call_and_at_what() -> None:
    fact = an_access(REFERRAL)
    fact.groups.append(common_pb2.FIELD_GROUP_NARRATIVE)
    looked = entry_of(a_record(topics.access_topic("audit").name, fact))
    fact.kind = access_pb2.ACCESS_KIND_DISCLOSED
    disclosed = entry_of(a_record(topics.access_topic("audit").name, fact))

    assert (looked.timeline.look, looked.timeline.method) == (access_pb2.ACCESS_KIND_SEARCHED, "Audit/Search")
    assert list(looked.timeline.groups) == [common_pb2.FIELD_GROUP_NARRATIVE]
    assert (looked.disclosed, disclosed.disclosed) == (False, True)


def test_words_that_this_version_does_not_know_are_left_out() -> None:
    fact = an_access(REFERRAL)
    fact.MergeFromString(access_pb2.AccessFact(groups=[77]).SerializeToString())  # type: ignore[list-item]
    fact.MergeFromString(access_pb2.AccessFact(kind=77).SerializeToString())  # type: ignore[arg-type]

    entry = entry_of(a_record(topics.access_topic("audit").name, fact))

    assert (entry.timeline.look, list(entry.timeline.groups), entry.timeline.reason) == (0, [], "review")


def test_a_kind_of_concern_of_a_later_version_is_passed_over_as_a_reason() -> None:
    later, known = 4_000, common_pb2.CONCERN_KIND_DOMESTIC_ABUSE

    def reason(*kinds: int) -> str:
        fact = raised()
        fact.raised.kinds.extend(kinds)  # type: ignore[arg-type]  # a number without a name
        return entry_of(a_record(topics.INTAKE.name, fact)).timeline.reason

    assert reason(known) == "domestic_abuse"
    assert reason(later, known) == "domestic_abuse"
    assert reason(later) == reason() == ""


def test_the_fingerprint_is_what_its_description_says_and_stays_so() -> None:
    record = a_record("t", b"value", b"key", headers=(("ce_id", b"1"), ("empty", None)))

    def framed(part: bytes) -> bytes:
        return b"\1" + len(part).to_bytes(8, "big") + part

    parts = framed(b"key"), (2).to_bytes(8, "big"), framed(b"ce_id"), framed(b"1"), framed(b"empty"), b"\0"
    assert fingerprint(record) == hashlib.sha256(b"".join(parts) + framed(b"value")).digest()
    assert fingerprint(record).hex() == "d948d88ae8e1e94fa16cea63822d7a84841a46edc3c872b925c4a75280e9aa17"


def test_records_that_differ_anywhere_have_different_fingerprints() -> None:
    alike = [
        a_record("t", b"ab", b"c"),
        a_record("t", b"b", b"ca"),
        a_record("t", None, b"c"),
        a_record("t", b"", b"c"),
        a_record("t", b"ab", None),
        a_record("t", b"ab", b"c", headers=(("a", b""),)),
        a_record("t", b"ab", b"c", headers=(("a", None),)),
        a_record("t", b"ab", b"c", headers=(("a", b"b"), ("c", b"d"))),
        a_record("t", b"ab", b"c", headers=(("c", b"d"), ("a", b"b"))),
    ]

    assert len({fingerprint(record) for record in alike}) == len(alike)


def test_each_operation_that_the_law_names_has_its_facts() -> None:
    of_types = {operation for operation in operations.OF_TYPE.values()} | {
        operations.operation_of("safeguarding.v1.AccessFact", access_pb2.ACCESS_KIND_VIEWED)
    }

    assert of_types == set(audit_pb2.Operation.values()) - {audit_pb2.OPERATION_UNSPECIFIED}


def test_a_link_lies_under_both_referrals_and_says_why() -> None:
    linked = triage_pb2.Linked(other_referral_id=OTHER, by="number, close_name", score=90)
    fact = triage_pb2.TriageFact(header=a_header(ROLE_SERVICE, "triage"), linked=linked)

    entry = entry_of(a_record(topics.TRIAGE.name, fact))

    assert entry.referrals == (REFERRAL, OTHER)
    assert entry.timeline.operation == audit_pb2.OPERATION_COMBINATION
    assert entry.timeline.reason == "number, close_name"


def test_a_copy_says_why_too() -> None:
    copy = partner_pb2.PartnerRecord(event_id=EVENT, referral_id=REFERRAL, leg_id=OTHER, sealed_copy=b"x")

    said = entry_of(a_record(COPIES.name, copy)).timeline

    assert (said.operation, said.reason) == (audit_pb2.OPERATION_DISCLOSURE, "copy_of_a_fact")
