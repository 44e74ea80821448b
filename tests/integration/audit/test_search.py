"""Who has seen a referral and on what basis, what a person looked at, what a partner received: by the index."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo.database import Database

from safeguarding.v1 import access_pb2, audit_pb2, common_pb2, intake_pb2, partner_pb2, routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_PARTNER, ROLE_SERVICE, ROLE_TRIAGE
from safeguarding.v1.audit_pb2 import SearchRequest, SearchResponse
from services import topics
from services.audit.log.checkpoint import open_checkpoint
from services.audit.log.leaf import Leaf, decode
from services.cli.local.stack import Stack
from tests.integration.audit.conftest import SCHOOL
from tests.integration.audit.support import Auditor, a_referral, log_of, send, verifier, wait_for_all
from tests.integration.audit.test_api import looks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

Index = Database[dict[str, Any]]


def header(referral: str, role: Any, name: str, later: int = 0) -> common_pb2.FactHeader:
    made = common_pb2.FactHeader(event_id=str(uuid.uuid4()), referral_id=referral, cause_id="test")
    made.actor.CopyFrom(common_pb2.Actor(role=role, id=name))
    made.occurred_at.FromSeconds(int(time.time()) + later)
    return made


@dataclass(frozen=True)
class Story:
    """A referral, whom it names, and what happened to it, in this order."""

    referral: str
    desk: str
    partner: str = SCHOOL.id


@pytest.fixture(scope="module")
def story(audit: Stack) -> Story:
    """Raised; offered with a copy; read by a volunteer of the desk's id, by the desk, and by the partner's inbox."""
    told = Story(a_referral(), f"desk-{uuid.uuid4().hex[:8]}")
    leg = str(uuid.uuid4())
    offered = routing_pb2.Offered(
        leg_id=leg,
        partner_id=told.partner,
        purpose="child_protection",
        basis=common_pb2.LAWFUL_BASIS_SAFEGUARDING,
        given=[routing_pb2.Given(group=common_pb2.FIELD_GROUP_NARRATIVE)],
    )

    def look(kind: Any, role: Any, name: str, later: int) -> access_pb2.AccessFact:
        made = header(told.referral, role, name, later)
        return access_pb2.AccessFact(header=made, kind=kind, method="Triage/GetAssessment", reason="grading")

    routed = header(told.referral, ROLE_SERVICE, "partner-routing", 1)
    copy = partner_pb2.PartnerRecord(
        event_id=routed.event_id, referral_id=told.referral, leg_id=leg, sealed_copy=b"sealed"
    )
    facts: list[tuple[str, Any]] = [
        (
            topics.INTAKE.name,
            intake_pb2.IntakeFact(header=header(told.referral, ROLE_OFFICER, told.desk), raised=intake_pb2.Raised()),
        ),
        (topics.ROUTING.name, routing_pb2.RoutingFact(header=routed, offered=offered)),
        (topics.partner_topics(told.partner)[0].name, copy),
        (topics.access_topic("triage").name, look(access_pb2.ACCESS_KIND_VIEWED, ROLE_TRIAGE, told.desk, 100)),
        (
            topics.access_topic("partner-routing").name,
            look(access_pb2.ACCESS_KIND_DISCLOSED, ROLE_PARTNER, told.partner, 101),
        ),
    ]
    audit.wait_ready(["kafka", "mongo", "audit"])
    send(audit, [(topic, told.referral.encode(), fact.SerializeToString()) for topic, fact in facts])
    return told


def searched(auditor: Auditor, **by: Any) -> SearchResponse:
    found: SearchResponse = auditor.stub.Search(
        SearchRequest(**{"limit": 1_000, "reason": "subject_access", **by}), timeout=30
    )
    return found


def kinds(found: SearchResponse) -> list[str]:
    return [entry.type.rpartition(".")[2] for entry in found.entries]


def test_who_has_seen_a_referral_and_on_what_basis(audit: Stack, index: Index, auditor: Auditor, story: Story) -> None:
    wait_for_all(audit, index)

    found = searched(auditor, referral_id=story.referral, sight=audit_pb2.SIGHT_ANY)

    by_others = [entry for entry in found.entries if entry.actor.id != "auditor-1"]
    assert sorted(entry.type.rpartition(".")[2] for entry in by_others) == [
        "AccessFact", "AccessFact", "Offered", "PartnerRecord",
    ]  # fmt: skip
    [offer] = [entry for entry in by_others if entry.type.endswith("Offered")]
    assert (offer.basis, offer.purpose) == (common_pb2.LAWFUL_BASIS_SAFEGUARDING, "child_protection")
    assert {(entry.actor.id, entry.reason) for entry in by_others if entry.look} == {
        (story.desk, "grading"), (story.partner, "grading"),
    }  # fmt: skip


def test_what_a_person_looked_at_is_told_apart_from_what_another_of_that_id_did(
    audit: Stack, index: Index, auditor: Auditor, story: Story
) -> None:
    wait_for_all(audit, index)

    assert kinds(searched(auditor, actor_id=story.desk, sight=audit_pb2.SIGHT_LOOK)) == ["AccessFact"]
    assert kinds(searched(auditor, actor_id=story.desk, actor_role=ROLE_TRIAGE)) == ["AccessFact"]
    assert kinds(searched(auditor, actor_id=story.desk, actor_role=ROLE_OFFICER)) == ["Raised"]


def test_what_a_partner_received_is_offers_copies_and_what_it_opened(
    audit: Stack, index: Index, auditor: Auditor, story: Story
) -> None:
    wait_for_all(audit, index)

    found = searched(auditor, partner_id=story.partner, sight=audit_pb2.SIGHT_DISCLOSURE)

    of_story = [entry.type.rpartition(".")[2] for entry in found.entries if entry.referral_id == story.referral]
    assert sorted(of_story) == ["AccessFact", "Offered", "PartnerRecord"]
    disclosed = access_pb2.ACCESS_KIND_DISCLOSED
    opened = searched(auditor, partner_id=story.partner, look=disclosed, referral_id=story.referral)
    assert kinds(opened) == ["AccessFact"]


def test_pages_neither_overlap_nor_leave_anything_out(
    audit: Stack, index: Index, auditor: Auditor, story: Story
) -> None:
    wait_for_all(audit, index)
    whole = [entry.place for entry in searched(auditor, topic=topics.ROUTING.name).entries]

    found: list[int] = []
    page, many = "", max(1, len(whole) // 3)
    while page or not found:
        answer = searched(auditor, topic=topics.ROUTING.name, limit=many, page=page)
        found += [entry.place for entry in answer.entries]
        page = answer.next_page
        assert answer.more == bool(page)

    assert found == whole


def test_every_row_lies_at_its_place_in_the_log_that_the_checkpoint_signs(
    audit: Stack, index: Index, auditor: Auditor, story: Story
) -> None:
    wait_for_all(audit, index)

    found = searched(auditor, referral_id=story.referral)

    tree = open_checkpoint(found.checkpoint, verifier(audit))[0].tree
    log = log_of(audit)
    assert log.root(tree.size) == tree.root
    assert 0 < found.searched <= tree.size
    for entry in found.entries:
        leaf = decode(log.entry(entry.place))
        assert isinstance(leaf, Leaf)
        assert (leaf.topic, leaf.offset, leaf.sha256) == (entry.topic, entry.offset, entry.sha256)


def test_every_query_leaves_a_look_and_an_export_says_that_it_is_one(
    audit: Stack, index: Index, auditor: Auditor, story: Story
) -> None:
    wait_for_all(audit, index)
    searched(auditor, referral_id=story.referral)
    searched(auditor, referral_id=story.referral, export=True)

    searched_for, exported = looks(audit)[-2:]
    assert searched_for.kind == access_pb2.ACCESS_KIND_SEARCHED
    assert (exported.kind, exported.reason) == (access_pb2.ACCESS_KIND_EXPORTED, "subject_access")
    assert exported.header.referral_id == story.referral
