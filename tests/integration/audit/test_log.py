"""The log of the running service: what anyone may read of it, who gets which receipt, and that it only grows."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
import uuid
from typing import Any

import grpc
import pytest
from pymongo.database import Database

from safeguarding.v1 import common_pb2, intake_pb2, partner_pb2, routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_PARTNER
from safeguarding.v1.audit_pb2 import GetConsistencyRequest, GetEntriesRequest, GetReceiptRequest
from services import topics
from services.audit.log import hashing, proof, tiles
from services.audit.log.checkpoint import Tree, open_checkpoint
from services.audit.log.disk import Fenced
from services.audit.log.leaf import Leaf, decode
from services.audit.log.note import Signer
from services.audit.log.reader import LogReader
from services.audit.log.writer import Writer
from services.cli.local.stack import Stack
from tests.integration.audit.conftest import SCHOOL
from tests.integration.audit.support import (
    Auditor,
    a_referral,
    everywhere,
    log_of,
    on_the_broker,
    send,
    verifier,
    wait_for_all,
)
from tests.integration.audit.test_sequencer import assert_kept_once

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

Index = Database[dict[str, Any]]
OTHER = "beech-school"
"""Another partner."""


def header(referral_id: str, role: Any, name: str) -> common_pb2.FactHeader:
    made = common_pb2.FactHeader(event_id=str(uuid.uuid4()), referral_id=referral_id, sequence=1, cause_id="test")
    made.actor.CopyFrom(common_pb2.Actor(role=role, id=name))
    made.occurred_at.FromSeconds(1_795_374_854)
    return made


class Case:
    """One referral: raised by an officer, with a leg of a partner that accepted and replied, and one of another."""

    def __init__(self, broker: Stack) -> None:
        self.id = a_referral()
        self.raised = header(self.id, ROLE_OFFICER, "pc-own")
        self.accepted = header(self.id, ROLE_PARTNER, SCHOOL.id)
        self.others = header(self.id, ROLE_PARTNER, OTHER)
        self.copy_id = str(uuid.uuid4())
        copies, replies = topics.partner_topics(SCHOOL.id)
        accepted = routing_pb2.Accepted(leg_id=str(uuid.uuid4()))
        claimed = partner_pb2.Reply(reply_id=self.raised.event_id, referral_id=self.id)
        claimed.accepted.SetInParent()
        key = self.id.encode()
        copy = partner_pb2.PartnerRecord(event_id=self.copy_id, referral_id=self.id)
        # The partner's reply, which takes the id of another's fact for its own, comes first.
        send(broker, [(replies.name, key, claimed.SerializeToString())])
        send(
            broker,
            [
                (
                    topics.INTAKE.name,
                    key,
                    intake_pb2.IntakeFact(header=self.raised, raised=intake_pb2.Raised()).SerializeToString(),
                ),
                (
                    topics.ROUTING.name,
                    key,
                    routing_pb2.RoutingFact(header=self.accepted, accepted=accepted).SerializeToString(),
                ),
                (
                    topics.ROUTING.name,
                    key,
                    routing_pb2.RoutingFact(header=self.others, accepted=accepted).SerializeToString(),
                ),
                (copies.name, key, copy.SerializeToString()),
            ],
        )


@pytest.fixture(scope="module")
def case(audit: Stack) -> Case:
    audit.wait_ready(["kafka", "mongo", "audit"])
    return Case(audit)


@pytest.fixture
def logged(audit: Stack, case: Case, index: Index) -> Case:
    wait_for_all(audit, index)
    return case


def asked(stack: Stack, role: str, name: str, event_id: str) -> Leaf | grpc.StatusCode:
    """What the receipt proves, by the key alone; or how the call was refused."""
    with Auditor(stack, role, name) as caller:
        try:
            raw = caller.stub.GetReceipt(GetReceiptRequest(event_id=event_id), timeout=10).receipt
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    leaf = decode(proof.verify_receipt(raw, verifier(stack)).leaf)
    assert isinstance(leaf, Leaf)
    return leaf


def test_a_receipt_verifies_with_the_key_alone_and_names_the_first_record_of_its_event(
    audit: Stack, logged: Case
) -> None:
    for role, name in (("officer", "pc-own"), ("auditor", "auditor-1"), ("protection", "protection-1")):
        leaf = asked(audit, role, name, logged.raised.event_id)
        assert isinstance(leaf, Leaf)
        assert (leaf.topic, leaf.event_id, leaf.referral_id) == (topics.INTAKE.name, logged.raised.event_id, logged.id)
        assert (leaf.type, leaf.actor) == ("safeguarding.v1.Raised", "officer/pc-own")


def test_a_partner_gets_receipts_of_its_own_leg_and_nothing_about_another_partner(audit: Stack, logged: Case) -> None:
    for own in (logged.accepted.event_id, logged.copy_id):
        leaf = asked(audit, "partner", SCHOOL.id, own)
        assert isinstance(leaf, Leaf)
        assert leaf.event_id == own
    assert asked(audit, "partner", SCHOOL.id, logged.others.event_id) is grpc.StatusCode.NOT_FOUND
    assert asked(audit, "partner", OTHER, logged.accepted.event_id) is grpc.StatusCode.NOT_FOUND
    assert asked(audit, "partner", OTHER, logged.copy_id) is grpc.StatusCode.NOT_FOUND
    assert asked(audit, "partner", OTHER, logged.raised.event_id) is grpc.StatusCode.NOT_FOUND
    with Auditor(audit, "partner", OTHER) as caller, pytest.raises(grpc.RpcError) as refused:
        caller.stub.GetEntries(GetEntriesRequest(bundle=0, reason="test"), timeout=10)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_whoever_raised_gets_no_receipt_that_tells_who_else_was_told(audit: Stack, logged: Case) -> None:
    assert asked(audit, "officer", "pc-own", logged.accepted.event_id) is grpc.StatusCode.NOT_FOUND
    assert asked(audit, "officer", "pc-own", logged.copy_id) is grpc.StatusCode.NOT_FOUND
    assert asked(audit, "officer", "pc-else", logged.raised.event_id) is grpc.StatusCode.NOT_FOUND
    assert asked(audit, "officer", "pc-own", str(uuid.uuid4())) is grpc.StatusCode.NOT_FOUND


def test_a_partner_that_takes_a_facts_id_for_its_reply_gets_only_its_reply(audit: Stack, logged: Case) -> None:
    leaf = asked(audit, "partner", SCHOOL.id, logged.raised.event_id)

    assert isinstance(leaf, Leaf)
    assert leaf.topic == topics.partner_topics(SCHOOL.id)[1].name


def served(stack: Stack, path: str) -> bytes:
    with urllib.request.urlopen(f"http://{stack.address('audit.log')}/{path}", timeout=5) as answer:
        body: bytes = answer.read()
    return body


def status(stack: Stack, path: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as error:
        served(stack, path)
    return error.value.code


def test_anyone_reads_checkpoint_and_tiles_and_nobody_reads_entries_without_being_an_auditor(
    audit: Stack, logged: Case, auditor: Auditor
) -> None:
    checkpoint, _ = open_checkpoint(served(audit, "checkpoint"), verifier(audit))
    size = checkpoint.tree.size

    assert LogReader(lambda path: served(audit, path), size).root(size) == checkpoint.tree.root
    assert served(audit, "tile/0/000.p/1") == hashing.leaf_hash(log_of(audit).entry(0)), "a partial that was superseded"
    assert status(audit, tiles.bundle_path(0, min(size, 256))) == 403
    for path in ("positions", "lock", "tile/0/999", "tile/0/000.p/0", "../log.vkey", "tile/../checkpoint", ""):
        assert status(audit, path) == 404, path
    found = auditor.stub.GetEntries(GetEntriesRequest(bundle=0, reason="inspection"), timeout=10)
    assert hashing.root_of(hashing.leaf_hashes(tiles.unpack(found.bundle))[:1]) == log_of(audit).root(1)
    assert found.count == min(256, open_checkpoint(found.checkpoint, verifier(audit))[0].tree.size)


def test_it_is_proved_that_the_log_only_grew(audit: Stack, broker: Stack, index: Index, logged: Case) -> None:
    before = open_checkpoint(served(audit, "checkpoint"), verifier(audit))[0].tree
    send(broker, everywhere(300, SCHOOL.id))
    wait_for_all(audit, index)
    after = open_checkpoint(served(audit, "checkpoint"), verifier(audit))[0].tree

    with Auditor(audit, "partner", SCHOOL.id) as caller:
        found = caller.stub.GetConsistency(GetConsistencyRequest(first=before.size, second=after.size), timeout=10)

    assert hashing.consistent(before.size, after.size, list(found.proof), before.root, after.root)


def test_a_second_sequencer_is_fenced_off_and_says_so(audit: Stack, logged: Case) -> None:
    signer = Signer.parse((audit.home.root / "env" / "audit.log-key").read_text().strip())
    with pytest.raises(Fenced, match="another process writes this log"):
        Writer(audit.home.audit / "log", signer)


def test_every_checkpoint_that_was_served_while_it_was_killed_is_the_beginning_of_the_last(
    audit: Stack, broker: Stack, index: Index
) -> None:
    seen: set[Tree] = set()
    ended = threading.Event()
    watching = threading.Thread(target=watch, args=(audit, seen, ended))
    watching.start()
    try:
        for kill in range(3):
            send(broker, everywhere(400, SCHOOL.id))
            ended.wait(0.4 * kill)
            audit.kill("audit")
            audit.wait_ready(["audit"])
        wait_for_all(audit, index)
    finally:
        ended.set()
        watching.join()

    log = log_of(audit)
    assert len(seen) > 3
    assert all(log.root(tree.size) == tree.root for tree in seen)
    assert_kept_once(audit, index)


def watch(stack: Stack, seen: set[Tree], ended: threading.Event) -> None:
    """Remember every checkpoint that is there to be served."""
    while not ended.wait(0.005):
        try:
            note = (stack.home.audit / "log" / "checkpoint").read_bytes()
        except FileNotFoundError:
            continue
        seen.add(open_checkpoint(note, verifier(stack))[0].tree)


def test_what_the_log_has_and_the_index_lacks_is_indexed_at_the_next_start(
    audit: Stack, broker: Stack, index: Index
) -> None:
    wait_for_all(audit, index)
    size = sum(on_the_broker(audit).values())
    audit.hold("audit")
    index["log"].update_one({"_id": "covered"}, {"$set": {"size": size - 50}})
    index["entries"].delete_many({"_id": {"$gte": size - 50}})

    audit.start(["audit"])

    wait_for_all(audit, index)
    assert_kept_once(audit, index)
