"""Every principal at every topic, group and power of the real broker: allowed exactly what this table says.

The table is written from the design's words (each topic its one writer and its readers; a partner its own topic, its
own replies and its own group prefix; nothing else to anybody), and repeats no code.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.cli.local.stack import Stack
from tests.integration.local.asking import Asker
from tests.integration.local.conftest import DESK, SCHOOL, WATCH
from tests.integration.local.test_permissions import login_of, send

pytestmark = pytest.mark.integration

SERVICES = ("intake", "triage", "partner-routing", "audit")
PARTNERS = (f"partner-{SCHOOL.id}", f"partner-{WATCH.id}")
PRINCIPALS = (*SERVICES, *PARTNERS)

WRITER: dict[str, str] = {
    "referrals.intake.v1": "intake",
    "referrals.triage.v1": "triage",
    "referrals.routing.v1": "partner-routing",
    **{f"referrals.access.{service}.v1": service for service in SERVICES},
    **{f"referrals.parked.{service}.v1": service for service in SERVICES},
    **{f"partner.{partner.id}.v1": "partner-routing" for partner in (SCHOOL, WATCH, DESK)},
    f"partner.{SCHOOL.id}.replies.v1": f"partner-{SCHOOL.id}",
    f"partner.{WATCH.id}.replies.v1": f"partner-{WATCH.id}",
    f"partner.{DESK.id}.replies.v1": "nobody: it has no Kafka",
}
READERS: dict[str, set[str]] = {
    "referrals.intake.v1": {"triage", "partner-routing"},
    "referrals.triage.v1": {"intake", "partner-routing"},
    "referrals.routing.v1": {"intake", "triage"},
    f"partner.{SCHOOL.id}.v1": {f"partner-{SCHOOL.id}"},
    f"partner.{WATCH.id}.v1": {f"partner-{WATCH.id}"},
    **{f"partner.{partner.id}.replies.v1": {"partner-routing"} for partner in (SCHOOL, WATCH, DESK)},
}
"""Beside audit, which reads all, and services, which read what they wrote themselves (tail check, rebuild, replay)."""
INTERNAL = ("__consumer_offsets", "no-such-topic")


def may_read(who: str, topic: str) -> bool:
    own = WRITER[topic] == who and who in SERVICES
    return own or who == "audit" or who in READERS.get(topic, set())


@pytest.fixture(scope="module")
def askers(stack: Stack) -> Iterator[dict[str, Asker]]:
    send(stack.kafka_login(), "referrals.intake.v1")  # the first write is what makes __consumer_offsets and ids
    logins = {service: stack.kafka_login(service) for service in SERVICES}
    logins |= {f"partner-{partner.id}": login_of(stack, partner.id)["login"] for partner in (SCHOOL, WATCH)}
    found = {who: Asker(login) for who, login in logins.items()}
    yield found
    for each in found.values():
        each.close()


def test_the_table_names_every_topic_that_there_is(stack: Stack) -> None:
    with stack.admin() as client:
        assert {name for name in client.list_topics() if not name.startswith("__")} == set(WRITER)


def test_the_administrator_may_do_it_all_so_a_refusal_is_one(stack: Stack) -> None:
    admin = Asker(stack.kafka_login())
    try:
        topic = "referrals.parked.audit.v1"
        assert admin.read(topic)
        assert admin.describe(topic)
        assert admin.alter(topic)
        assert admin.read_settings(topic)
        assert admin.create_topic()
        assert admin.see_permissions()
        assert admin.see_users()
        assert admin.see_group("triage")
        assert admin.use_group("anything")
    finally:
        admin.close()


@pytest.mark.parametrize("who", PRINCIPALS)
def test_topics_may_be_read_and_described_by_their_readers_alone(askers: dict[str, Asker], who: str) -> None:
    expected = {topic for topic in WRITER if may_read(who, topic)}

    assert {topic for topic in WRITER if askers[who].read(topic)} == expected
    seen = {topic for topic in WRITER if askers[who].describe(topic)}
    assert seen == expected | {topic for topic in WRITER if WRITER[topic] == who}, "who may write may know that it is"
    assert not [topic for topic in INTERNAL if askers[who].read(topic) or askers[who].describe(topic)]


@pytest.mark.parametrize("who", PRINCIPALS)
def test_topics_may_be_written_by_their_writer_alone(askers: dict[str, Asker], who: str) -> None:
    assert {topic for topic in WRITER if askers[who].write(topic)} == {t for t in WRITER if WRITER[t] == who}
    assert not [topic for topic in INTERNAL if askers[who].write(topic)]


@pytest.mark.parametrize("who", PRINCIPALS)
def test_nobody_deletes_alters_or_reads_the_settings_of_a_topic(askers: dict[str, Asker], who: str) -> None:
    asker = askers[who]

    assert not [topic for topic in (*WRITER, *INTERNAL) if asker.delete(topic)]
    assert not [topic for topic in (*WRITER, *INTERNAL) if asker.alter(topic)]
    assert not [topic for topic in (*WRITER, *INTERNAL) if asker.read_settings(topic)]


@pytest.mark.parametrize("who", PRINCIPALS)
def test_groups_are_used_by_those_whose_prefix_they_have(askers: dict[str, Asker], who: str) -> None:
    asker = askers[who]
    groups = {
        **{service: service for service in SERVICES},
        **{f"{service}-replies": service for service in SERVICES},
        **{f"{partner}-one": partner for partner in PARTNERS},
        **dict.fromkeys((*PARTNERS, "anything", "partner-", ""), "nobody"),
    }
    expected = {group for group, whose in groups.items() if whose == who}
    reads = next(topic for topic in WRITER if may_read(who, topic))

    assert {group for group in groups if asker.use_group(group)} - {""} == expected
    assert {group for group in groups if asker.see_group(group)} == expected
    assert {group for group in groups if asker.move_group(group, reads)} - {""} == expected
    assert not [group for group in groups if asker.delete_group(group)]


@pytest.mark.parametrize("who", PRINCIPALS)
def test_nobody_has_power_over_the_broker(askers: dict[str, Asker], who: str) -> None:
    asker = askers[who]

    assert not asker.create_topic()
    assert not asker.create_topic(f"partner.{SCHOOL.id}.v2")
    assert not asker.see_permissions()
