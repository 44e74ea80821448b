"""Who calls in these tests, and the proof that a refused call left no trace."""

from collections.abc import Iterator
from typing import Any

import pytest

from safeguarding.v1 import routing_pb2
from services.topics import SERVICES
from tests.integration.bad_input.support import abuse, ask
from tests.integration.house import House, Who
from tests.integration.unread import facts_wait
from tests.waiting import happens


@pytest.fixture(scope="session")
def callers(house: House) -> dict[str, Who]:
    """One identity of each role that these tests call with."""
    made = {
        role: house.who(role, f"{role}-bad-input")
        for role in (
            "officer",
            "volunteer",
            "public",
            "triage",
            "supervisor",
            "protection",
            "auditor",
            "operator",
            "system",
        )
    }
    return {**made, "partner": house.who("partner", "safe-harbour"), "service": house.who("service", "triage")}


def traces_left(house: House) -> dict[str, Any]:
    """What a call could have changed: records on topics, and documents with their revisions."""
    # Services open keys for what other tests raised; that leaves facts of its own.
    ends = {place: end for place, end in house.ends().items() if place[0] != "referrals.access.intake.v1"}
    kept = {
        service: {found["_id"]: found["revision"] for found in house.documents(service).find({}, {"revision": 1})}
        for service in SERVICES
        if service != "audit"
    }
    return {"ends": {f"{topic}/{number}": end for (topic, number), end in ends.items()}, "documents": kept}


@pytest.fixture(scope="module")
def nothing_changes(house: House) -> Iterator[None]:
    """Fail where the tests of a file left a record on any topic or changed any document."""
    before = settled(house)
    yield
    after = traces_left(house)
    assert after == before


def settled(house: House) -> dict[str, Any]:
    """What is there once nothing moves any more."""

    def still() -> dict[str, Any] | None:
        # Looked at on both sides: a fact may be handled, and that be told, just after the first look.
        before = traces_left(house)
        return before if not facts_wait(house.stack) and traces_left(house) == before else None

    return happens("the house comes to rest", still)


@pytest.fixture(scope="module")
def intake(house: House, callers: dict[str, Who]) -> Any:
    """Intake, as an officer calls it."""
    return house.stub("Intake", callers["officer"])


@pytest.fixture(scope="module")
def harbour(house: House, callers: dict[str, Who]) -> Any:
    """The inbox of safe-harbour, a partner without Kafka."""
    return house.stub("PartnerInbox", callers["partner"])


@pytest.fixture(scope="module")
def journey(house: House, callers: dict[str, Who]) -> Any:
    """GetJourney, as the desk calls it."""
    return house.stub("Routing", callers["triage"]).GetJourney


@pytest.fixture
def leg(house: House, harbour: Any, callers: dict[str, Who]) -> routing_pb2.InboxItem:
    """A leg that was just offered to safe-harbour."""
    raised = house.raise_concern(abuse(), callers["officer"])

    def offered() -> routing_pb2.InboxItem | None:
        items = ask(harbour.List, routing_pb2.ListRequest(limit=500)).items
        return next((item for item in items if item.referral_id == raised.referral_id), None)

    return happens("the leg is offered", offered)
