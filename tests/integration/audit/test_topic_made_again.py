"""A topic that was made again under its old name. In a file that comes last: the log then holds what no topic has."""

from __future__ import annotations

import uuid

import pytest

from services import topics
from services.audit.log.leaf import decode
from services.cli.local import partners
from services.cli.local.partners import Partner
from services.cli.local.stack import Stack
from tests.integration.audit.support import log_of, send, topic_ids
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_a_topic_that_was_made_again_has_places_of_its_own_in_the_log(audit: Stack, broker: Stack) -> None:
    partner = f"oak-school-{uuid.uuid4().hex[:8]}"
    partners.add(broker, [Partner(partner, "Oak School", ("school",), ("northtown",))])
    name = topics.partner_topics(partner)[0].name

    def ids_in_log() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for leaf in map(decode, log_of(audit).entries()):
            if leaf.topic == name:
                found.setdefault(leaf.topic_id, []).append(leaf.offset)
        return found

    made: list[str] = []
    for again in (False, True):
        if again:
            with broker.admin() as admin:
                admin.delete_topics([name])
                happens("the topic is gone", lambda: name not in topic_ids(broker))
                admin.create_topics({name: {"num_partitions": 6, "replication_factor": 1}})
        happens("the broker knows of the topic", lambda: name in topic_ids(broker))
        happens("every part of the broker knows the topic", lambda: name in topic_ids(broker))
        made.append(topic_ids(broker)[name])
        send(broker, [(name, b"key", b"one"), (name, b"key", b"two")])
        happens("both records of each are logged", lambda: ids_in_log() == {one: [0, 1] for one in made})
    assert len(set(made)) == 2
