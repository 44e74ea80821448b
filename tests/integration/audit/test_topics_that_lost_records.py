"""Topics that have less than was there: each gap is named in the log with its reason, and a broker that went back
stops audit. In a file that comes late: from here on the log holds what no topic has."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest
from kafka import TopicPartition

from services import topics
from services.audit.log.leaf import Gap, Leaf, decode
from services.audit.sequencer import LogAhead
from services.cli.local import partners
from services.cli.local.partners import Partner
from services.cli.local.stack import Stack
from tests.integration.audit.alone import Alone
from tests.integration.audit.support import in_one_transaction, log_of, send_to, topic_ids
from tests.unit.audit.log.support import unsynced
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def copies(audit: Stack, broker: Stack) -> str:
    """The topic of a partner that no other test has."""
    partner = f"yew-school-{uuid.uuid4().hex[:8]}"
    partners.add(broker, [Partner(partner, "Yew School", ("school",), ("northtown",))])
    return topics.partner_topics(partner)[0].name


def logged(stack: Stack, topic: str) -> list[Leaf | Gap]:
    return [leaf for leaf in map(decode, log_of(stack).entries()) if leaf.topic == topic]


def test_records_that_expired_unread_and_offsets_without_a_record_are_gaps_with_their_reasons(
    audit: Stack, broker: Stack, copies: str
) -> None:
    place = TopicPartition(copies, 0)
    send_to(broker, place, 2)
    happens("the first two", lambda: len(logged(audit, copies)) == 2)
    audit.hold("audit")
    send_to(broker, place, 5)
    with broker.admin() as admin:
        admin.delete_records({place: 5})
    audit.start(["audit"])
    happens("the gap, and what is left", lambda: len(logged(audit, copies)) == 5)
    in_one_transaction(broker, place, 2)  # its marker takes offset 9, and nobody can read it
    send_to(broker, place, 1)
    happens("the gap in the middle", lambda: len(logged(audit, copies)) == 9)

    said = [(leaf.offset, leaf.until, leaf.why if isinstance(leaf, Gap) else "") for leaf in logged(audit, copies)]
    assert said == [
        (0, 1, ""),
        (1, 2, ""),
        (2, 5, "expired-unread"),
        (5, 6, ""),
        (6, 7, ""),
        (7, 8, ""),
        (8, 9, ""),
        (9, 10, "missing-on-topic"),
        (10, 11, ""),
    ]
    assert {leaf.topic_id for leaf in logged(audit, copies)} == {topic_ids(broker)[copies]}


def test_a_log_that_is_ahead_of_a_topic_stops_and_names_both(
    audit: Stack, broker: Stack, copies: str, tmp_path: Path
) -> None:
    """The broker's disk is put back to an older copy, and for the end of the test to the newest one."""
    place, disk = TopicPartition(copies, 1), unsynced(tmp_path / "log")
    audit.hold("audit")
    data = audit.home.data / "kafka"
    send_to(broker, place, 3)
    audit.hold("kafka")
    shutil.copytree(data, tmp_path / "old")
    audit.start(["kafka"])
    send_to(broker, place, 4)
    with Alone(audit, disk) as alone:
        partition = (topic_ids(audit)[copies], 1)
        happens("all that there is", lambda: alone.covered() and alone.reached(partition) == 7, 60)
    audit.hold("kafka")
    data.rename(tmp_path / "newest")
    shutil.copytree(tmp_path / "old", data)
    try:
        audit.start(["kafka"])
        with Alone(audit, disk) as alone:
            assert alone.ended.wait(60), "it stops"
    finally:
        audit.hold("kafka")
        shutil.rmtree(data)
        (tmp_path / "newest").rename(data)
        audit.start(["kafka", "audit"])

    [error] = alone.fatal
    assert isinstance(error, LogAhead)
    assert f"{copies}/1 ends at offset 3, but the log holds it up to 7" in str(error)
