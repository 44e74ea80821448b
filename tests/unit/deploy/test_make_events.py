"""The catalogue of events says what protos and topics say, and since when each fact is there."""

from __future__ import annotations

from deploy.make_events import DESCRIPTORS, PAGE, Language, page
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.partner_pb2 import Copy, Reply
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics

ROWS = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]


def test_the_page_is_the_one_that_protos_and_topics_give() -> None:
    assert PAGE.read_text() == page(), "the page is older than the protos or the topics: make events"


def test_every_topic_and_every_fact_is_on_it() -> None:
    first = {row[0].removeprefix("| ").strip("`") for row in ROWS}
    holders = (IntakeFact, TriageFact, RoutingFact, Copy, Reply)
    facts = {field.name for holder in holders for oneof in holder.DESCRIPTOR.oneofs for field in oneof.fields}

    assert {topic.name for topic in topics.TOPICS} | {"partner.<id>.v1", "partner.<id>.replies.v1"} <= first
    assert facts <= first


def test_each_fact_says_what_it_means_and_since_when() -> None:
    facts = {row[0]: row for row in ROWS if len(row) == 6}

    assert facts["| `raised`"][2] == "0.1.0"
    assert all(row[2] and row[3] for row in facts.values())


def test_what_is_sealed_is_found_however_deep_and_codes_are_not_taken_for_it() -> None:
    language = Language(DESCRIPTORS.read_bytes())

    assert list(language.personal("Declined")) == ["note"]
    assert "subjects.parts" in set(language.personal("Raised"))
    assert list(language.personal("Recalled")) == []
