"""What the broker lets each Kafka user do with each topic and group: as this table says, which repeats no code."""

from __future__ import annotations

import re
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from tests.integration.house import House

pytestmark = pytest.mark.integration

A, B = "police-safeguarding", "victims-first"
OWN = r"referrals\.(access|parked)\.%s\.v1"
FACTS = r"referrals\.(intake|triage|routing)\.v1"
COPIES, REPLIES = r"partner\.[a-z-]+\.v1", r"partner\.[a-z-]+\.replies\.v1"

MAY_WRITE = {
    "intake": [r"referrals\.intake\.v1", OWN % "intake"],
    "triage": [r"referrals\.triage\.v1", OWN % "triage"],
    "partner-routing": [r"referrals\.routing\.v1", OWN % "partner-routing", COPIES],
    "audit": [OWN % "audit"],
    A: [rf"partner\.{A}\.replies\.v1"],
    B: [rf"partner\.{B}\.replies\.v1"],
}
MAY_READ = {
    "intake": [FACTS, OWN % "intake"],
    "triage": [FACTS, OWN % "triage"],
    "partner-routing": [FACTS, OWN % "partner-routing", COPIES, REPLIES],
    "audit": [r"referrals\..*", COPIES, REPLIES],
    A: [rf"partner\.{A}\.v1"],
    B: [rf"partner\.{B}\.v1"],
}
MAY_JOIN = {
    "intake": "intake",
    "triage": "triage",
    "partner-routing": "partner-routing",
    "audit": "audit",
    A: f"partner-{A}-",
    B: f"partner-{B}-",
}
"""The groups that each may use begin with this."""
GROUPS = ("intake", "triage-1", "partner-routing-replies", "audit", f"partner-{A}-x", f"partner-{B}-x", "anything")


def login_of(house: House, user: str) -> dict[str, Any]:
    login: dict[str, Any] = house.partner_login(user)["login"] if user in (A, B) else house.stack.kafka_login(user)
    return login


def all_topics(house: House) -> set[str]:
    client = house.admin()
    try:
        return {name for name in client.list_topics() if not name.startswith("__")}
    finally:
        client.close()


def expected(user: str, topic: str) -> set[str]:
    write = {"WRITE"} if any(re.fullmatch(pattern, topic) for pattern in MAY_WRITE[user]) else set()
    read = {"READ"} if any(re.fullmatch(pattern, topic) for pattern in MAY_READ[user]) else set()
    return write | read | ({"DESCRIBE"} if write | read else set())


@pytest.mark.parametrize("user", sorted(MAY_WRITE))
def test_each_user_may_do_with_each_topic_what_the_table_says_and_no_more(house: House, user: str) -> None:
    """The broker's own answer to what the user may do; topics that it may not see are not told of."""
    client = KafkaAdminClient(**login_of(house, user), reconnect_backoff_max_ms=1000)
    try:
        told = {topic["name"]: set(topic["authorized_operations"]) for topic in client.describe_topics()}
        cluster = client.describe_cluster()["authorized_operations"]
    finally:
        client.close()
    wanted = {topic: expected(user, topic) for topic in all_topics(house)}

    assert len(wanted) > 40
    assert told == {topic: operations for topic, operations in wanted.items() if operations}
    assert cluster == [], "nobody but the administrator makes, changes or lists anything of the cluster"


@pytest.mark.parametrize("user", sorted(MAY_JOIN))
def test_each_user_may_use_its_own_groups_and_no_other(house: House, user: str) -> None:
    client = KafkaAdminClient(**login_of(house, user), reconnect_backoff_max_ms=1000)
    try:
        found = {group for group in GROUPS if may_use(client, group)}
    finally:
        client.close()

    assert found == {group for group in GROUPS if group.startswith(MAY_JOIN[user])}


def may_use(client: KafkaAdminClient, group: str) -> bool:
    try:
        client.describe_groups([group])
    except GroupAuthorizationFailedError:
        return False
    return True


@pytest.mark.parametrize(
    "topic", [f"partner.{B}.replies.v1", f"partner.{B}.v1", f"partner.{A}.v1", "referrals.routing.v1"]
)
def test_a_partner_that_writes_where_it_may_not_is_refused_by_the_broker(house: House, topic: str) -> None:
    producer = KafkaProducer(**login_of(house, A), acks="all", max_block_ms=5000, reconnect_backoff_max_ms=1000)
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            producer.send(topic, b"x", key=b"k").get(10)
    finally:
        producer.close(timeout=5)
