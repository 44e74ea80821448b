"""Auditors ask over gRPC with their certificates, and every question is itself on the record."""

import uuid
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pymongo.database import Database

from safeguarding.v1.access_pb2 import ACCESS_KIND_SEARCHED, ACCESS_KIND_VIEWED, AccessFact
from safeguarding.v1.audit_pb2 import SearchRequest, TimelineRequest
from services import topics
from services.cli.local.stack import Stack
from tests.integration.audit.conftest import SCHOOL
from tests.integration.audit.support import Auditor, a_referral, raised, send, wait_for_all
from tests.integration.audit.test_sequencer import records_on_the_broker
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

Index = Database[dict[str, Any]]


@pytest.fixture
def referral(audit: Stack, broker: Stack, index: Index) -> str:
    """A referral with one fact, in the index."""
    made = a_referral()
    send(broker, [(topics.INTAKE.name, made.encode(), raised(made))])
    happens("the referral is in the index", lambda: index["referrals"].find_one({"_id": made}))
    return made


def looks(stack: Stack, auditor_id: str = "auditor-1") -> list[AccessFact]:
    """The access facts that audit has left, in the order of their times."""
    records = [found for found in records_on_the_broker(stack) if found.topic == topics.access_topic("audit").name]
    facts = [AccessFact.FromString(found.value or b"") for found in records]
    own = [fact for fact in facts if fact.header.actor.id == auditor_id]
    return sorted(own, key=lambda fact: fact.header.occurred_at.ToNanoseconds())


def test_a_timeline_leaves_an_access_fact_which_the_next_timeline_shows(
    audit: Stack, index: Index, auditor: Auditor, referral: str
) -> None:
    first = auditor.stub.Timeline(TimelineRequest(referral_id=referral, reason="case_review"), timeout=10)

    last = looks(audit)[-1]
    assert [entry.type for entry in first.entries] == ["safeguarding.v1.Raised"]
    assert (last.kind, last.method, last.reason) == (ACCESS_KIND_VIEWED, "Audit/Timeline", "case_review")
    assert last.header.referral_id == referral

    wait_for_all(audit, index)
    second = auditor.stub.Timeline(TimelineRequest(referral_id=referral.upper(), reason="case_review"), timeout=10)
    assert [entry.type for entry in second.entries] == ["safeguarding.v1.Raised", "safeguarding.v1.AccessFact"]
    assert (second.entries[1].actor.id, second.entries[1].reason) == ("auditor-1", "case_review")


def test_a_search_that_finds_a_referral_lies_in_that_referrals_timeline(
    audit: Stack, broker: Stack, index: Index, auditor: Auditor
) -> None:
    officer, pair = f"officer-{uuid.uuid4().hex[:8]}", sorted([a_referral(), a_referral()])
    send(broker, [(topics.INTAKE.name, made.encode(), raised(made, officer)) for made in pair])
    wait_for_all(audit, index)

    found = auditor.stub.Search(SearchRequest(actor_id=officer, limit=10, reason="complaint"), timeout=30)

    assert sorted(entry.referral_id for entry in found.entries) == pair
    assert (looks(audit)[-1].kind, sorted(looks(audit)[-1].referral_ids)) == (ACCESS_KIND_SEARCHED, pair)
    wait_for_all(audit, index)
    timeline = auditor.stub.Timeline(TimelineRequest(referral_id=pair[0], reason="complaint"), timeout=10)
    assert [entry.type for entry in timeline.entries] == ["safeguarding.v1.Raised", "safeguarding.v1.AccessFact"]


def test_a_search_gives_no_more_than_asked_for_and_says_that_there_are_more(
    audit: Stack, broker: Stack, index: Index, auditor: Auditor
) -> None:
    officer, made = f"officer-{uuid.uuid4().hex[:8]}", [a_referral() for _ in range(5)]
    send(broker, [(topics.INTAKE.name, one.encode(), raised(one, officer, number)) for number, one in enumerate(made)])
    wait_for_all(audit, index)

    def search(limit: int, **more: Any) -> Any:
        return auditor.stub.Search(SearchRequest(actor_id=officer, limit=limit, reason="test", **more), timeout=30)

    everything = search(5)
    assert ([entry.referral_id for entry in everything.entries], everything.more) == (made, False)
    assert ([entry.referral_id for entry in search(2).entries], search(2).more) == (made[:2], True)
    third = everything.entries[2].occurred_at
    assert [entry.referral_id for entry in search(5, **{"from": third}).entries] == made[2:]
    assert [entry.referral_id for entry in search(5, until=third).entries] == made[:2]


def test_a_search_narrows_by_partner_type_and_topic(
    audit: Stack, broker: Stack, index: Index, auditor: Auditor
) -> None:
    copies, replies = topics.partner_topics(SCHOOL.id)
    made = a_referral()
    send(broker, [(topic.name, made.encode(), b"\xff") for topic in (copies, replies)])
    wait_for_all(audit, index)

    def found(**by: Any) -> set[str]:
        answer = auditor.stub.Search(SearchRequest(limit=1_000, reason="test", **by), timeout=30)
        return {entry.topic for entry in answer.entries if entry.referral_id == made}

    assert found(partner_id=SCHOOL.id) == {copies.name, replies.name}
    assert found(partner_id=SCHOOL.id, topic=replies.name) == {replies.name}
    assert found(type="unreadable", topic=copies.name) == {copies.name}
    assert found(type="safeguarding.v1.Raised", partner_id=SCHOOL.id) == set()


def refused(call: Any, request: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=10)
    code: grpc.StatusCode = error.value.code()
    return code


@pytest.mark.parametrize("role", ["officer", "partner", "operator", "supervisor", "system"])
def test_another_role_is_refused_and_leaves_no_trace_of_a_look(audit: Stack, referral: str, role: str) -> None:
    with Auditor(audit, role, "nobody-1") as caller:
        assert refused(caller.stub.Timeline, TimelineRequest(referral_id=referral, reason="test")) is (
            grpc.StatusCode.PERMISSION_DENIED
        )
        assert refused(caller.stub.Search, SearchRequest(limit=1, reason="test")) is grpc.StatusCode.PERMISSION_DENIED
    assert looks(audit, "nobody-1") == []


def test_a_protection_officer_may_ask(audit: Stack, referral: str) -> None:
    with Auditor(audit, "protection", "protection-1") as caller:
        assert caller.stub.Timeline(TimelineRequest(referral_id=referral, reason="erasure"), timeout=10).entries


def test_a_referral_that_nobody_named_is_not_found(auditor: Auditor) -> None:
    request = TimelineRequest(referral_id=a_referral(), reason="test")

    assert refused(auditor.stub.Timeline, request) is grpc.StatusCode.NOT_FOUND


def from_(time: Timestamp) -> SearchRequest:
    request = SearchRequest(limit=1, reason="test")
    getattr(request, "from").CopyFrom(time)  # a word of Python's
    return request


WRONG = {
    "no limit": SearchRequest(reason="test"),
    "too much": SearchRequest(reason="test", limit=1_001),
    "no reason": SearchRequest(limit=1),
    "a reason in prose": SearchRequest(limit=1, reason="because Jane asked"),
    "a time beyond all calendars": SearchRequest(limit=1, reason="test", until=Timestamp(seconds=2**62)),
    "a time before all calendars": from_(Timestamp(seconds=-(2**62))),
}


@pytest.mark.parametrize("request_", WRONG.values(), ids=WRONG)
def test_a_wrong_question_is_refused(auditor: Auditor, request_: SearchRequest) -> None:
    assert refused(auditor.stub.Search, request_) is grpc.StatusCode.INVALID_ARGUMENT
