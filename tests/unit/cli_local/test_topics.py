"""The table of topics: one writer each, readers as designed, and permissions that follow from it alone."""

from datetime import timedelta

import pytest

from services import topics
from services.topics import Acl, Operation, Resource


def may(acls: frozenset[Acl], operation: Operation) -> set[tuple[str, str]]:
    return {(acl.user, acl.name) for acl in acls if acl.operation is operation and acl.resource is Resource.TOPIC}


def test_every_topic_has_one_writer_and_it_alone_may_write() -> None:
    everything = [*topics.TOPICS, *topics.partner_topics("oak-school")]

    assert may(topics.acls(everything), Operation.WRITE) == {(topic.writer, topic.name) for topic in everything}
    assert len({topic.name for topic in everything}) == len(everything)


def test_audit_reads_every_topic() -> None:
    everything = [*topics.TOPICS, *topics.partner_topics("oak-school")]
    read = may(topics.acls(everything), Operation.READ)

    assert {name for user, name in read if user == "audit"} == {topic.name for topic in everything}


def test_services_read_what_they_wrote_and_what_is_upstream() -> None:
    read = may(topics.service_acls(), Operation.READ)

    assert {name for user, name in read if user == "triage"} == {
        "referrals.intake.v1",
        "referrals.routing.v1",
        "referrals.triage.v1",
        "referrals.access.triage.v1",
        "referrals.parked.triage.v1",
    }


def test_a_partner_reads_its_copies_but_not_its_replies() -> None:
    acls = topics.partner_acls("oak-school")
    theirs = {acl for acl in acls if acl.user == "partner-oak-school"}

    assert theirs == {
        Acl("partner-oak-school", Operation.READ, Resource.TOPIC, "partner.oak-school.v1"),
        Acl("partner-oak-school", Operation.DESCRIBE, Resource.TOPIC, "partner.oak-school.v1"),
        Acl("partner-oak-school", Operation.WRITE, Resource.TOPIC, "partner.oak-school.replies.v1"),
        Acl("partner-oak-school", Operation.READ, Resource.GROUP_PREFIX, "partner-oak-school-"),
    }


def test_only_partners_topics_are_ever_emptied() -> None:
    assert {topic.retention for topic in topics.TOPICS} == {None}
    assert {topic.retention for topic in topics.partner_topics("oak-school")} == {timedelta(days=28)}
    assert {topic.partitions for topic in topics.TOPICS} == {6}


@pytest.mark.parametrize("wrong", ["", "Oak", "oak.replies", "oak_school", "-oak", "oak-", "oak--school", "o" * 61])
def test_a_malformed_partner_id_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="partner id"):
        topics.partner_topic(wrong)


@pytest.mark.parametrize("taken", ["routing", "routing-x"])
def test_a_partner_cannot_take_the_name_of_the_service_partner_routing(taken: str) -> None:
    with pytest.raises(ValueError, match="service partner-routing"):
        topics.partner_user(taken)


def test_an_unknown_service_has_no_topics() -> None:
    with pytest.raises(ValueError, match="must be one of intake"):
        topics.parked_topic("post-room")
