"""Every look at personal data leaves one fact, which the broker has acknowledged before the data leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from safeguarding.v1 import audit_pb2, intake_pb2, procedure_pb2, routing_pb2
from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.access_pb2 import AccessFact
from safeguarding.v1.common_pb2 import LAWFUL_BASIS_SAFEGUARDING
from safeguarding.v1.intake_pb2 import IntakeFact
from services import topics
from tests.contract.test_access_table import LOOKS
from tests.integration.bad_input import right_requests as right
from tests.integration.bad_input.support import abuse, ask_if_known
from tests.integration.house import CALL_SECONDS, STUBS, House, Who
from tests.waiting import happens

pytestmark = pytest.mark.integration

HELD_SECONDS = 4.0
Look = Callable[[float], Any]


@pytest.fixture(scope="module")
def referral(house: House, people: dict[str, Who]) -> str:
    """A referral of which every service knows, with a leg in an inbox."""
    referral_id: str = house.raise_concern(abuse(), people["officer"]).referral_id
    happens("audit has it in its timeline", lambda: in_audit(house, people, referral_id))
    return referral_id


@pytest.fixture(scope="module")
def leg(house: House, referral: str) -> str:
    inbox = house.stub("PartnerInbox", house.who("partner", "safe-harbour"))

    def offered() -> str | None:
        items = inbox.List(routing_pb2.ListRequest(limit=500), timeout=CALL_SECONDS).items
        return next((item.leg_id for item in items if item.referral_id == referral), None)

    return happens("a leg is offered", offered)


def in_audit(house: House, people: dict[str, Who], referral_id: str) -> bool:
    request = audit_pb2.TimelineRequest(referral_id=referral_id, reason="review")
    return ask_if_known(house.stub("Audit", people["auditor"]).Timeline, request) is not None


@pytest.fixture(scope="module")
def looks(house: House, people: dict[str, Who], referral: str, leg: str) -> dict[str, tuple[Who, Look]]:
    """For each RPC of the table, who looks and the call."""
    requests: dict[str, tuple[Who, Any]] = {
        "Intake/GetReferral": (people["officer"], intake_pb2.GetReferralRequest(referral_id=referral)),
        "Protection/ReviewErasure": (
            people["protection"],
            intake_pb2.ReviewErasureRequest(referral_id=referral),
        ),
        "Keys/Open": (
            house.who("service", "audit"),
            intake_pb2.OpenRequest(referral_ids=[referral], purpose="copies"),
        ),
        "Triage/ListWork": (people["triage"], triage.ListWorkRequest(limit=10)),
        "Triage/GetAssessment": (people["triage"], triage.GetAssessmentRequest(referral_id=referral, reason="triage")),
        "Routing/ReadOutcome": (people["officer"], routing_pb2.ReadOutcomeRequest(referral_id=referral)),
        "Insight/GetFigure": (people["protection"], right.RIGHT["Insight/GetFigure"][1]),
        "Insight/GetOwnService": (house.who("partner", "safe-harbour"), right.RIGHT["Insight/GetOwnService"][1]),
        "Equality/GetEqualityFigure": (people["protection"], right.RIGHT["Equality/GetEqualityFigure"][1]),
        "Routing/PreviewDisclosure": (people["protection"], preview(referral)),
        "Procedures/ReadConferences": (
            people["protection"],
            procedure_pb2.ReadConferencesRequest(referral_id=referral),
        ),
        "Routing/GetJourney": (people["protection"], routing_pb2.GetJourneyRequest(referral_id=referral)),
        "PartnerInbox/List": (house.who("partner", "safe-harbour"), routing_pb2.ListRequest(limit=10)),
        "PartnerInbox/OpenCopy": (
            house.who("partner", "safe-harbour"),
            routing_pb2.OpenCopyRequest(referral_id=referral, leg_id=leg),
        ),
        "Audit/Timeline": (people["auditor"], audit_pb2.TimelineRequest(referral_id=referral, reason="review")),
        "Audit/Search": (people["auditor"], audit_pb2.SearchRequest(limit=10, reason="review")),
        "Audit/GetReceipt": (people["officer"], audit_pb2.GetReceiptRequest(event_id=raised_event(house, referral))),
        "Audit/GetEntries": (people["auditor"], audit_pb2.GetEntriesRequest(bundle=0, reason="review")),
    }
    assert set(requests) == set(LOOKS)
    made = {}
    for method, (who, request) in requests.items():
        service, _, name = method.partition("/")
        call = getattr(house.stub(service, who), name)
        made[method] = who, lambda seconds, call=call, request=request: call(request, timeout=seconds)
    return made  # type: ignore[return-value]  # the lambda's defaults are no parameters to its callers


def preview(referral: str) -> routing_pb2.PreviewDisclosureRequest:
    """What a school would be told."""
    return routing_pb2.PreviewDisclosureRequest(
        referral_id=referral,
        partner_id="meadowbank-school",
        purpose="child_protection",
        basis=LAWFUL_BASIS_SAFEGUARDING,
    )


def raised_event(house: House, referral: str) -> str:
    """The event id of the fact that raised the referral."""
    raised = next(record for record in house.records([topics.INTAKE.name]) if record.key == referral.encode())
    return str(IntakeFact.FromString(raised.value).header.event_id)


def facts_of(house: House, topic: str, since: dict[tuple[str, int], int], who: Who) -> list[AccessFact]:
    """The looks of one caller on a topic since then."""
    facts = [AccessFact.FromString(record.value) for record in house.records([topic], since)]
    return [fact for fact in facts if fact.header.actor.id == who.id]


@pytest.mark.parametrize("method", sorted(LOOKS))
def test_a_look_leaves_one_fact_that_lies_on_the_topic_when_the_data_arrives(
    house: House, looks: dict[str, tuple[Who, Look]], referral: str, method: str
) -> None:
    who, look = looks[method]
    topic = f"referrals.access.{STUBS[method.partition('/')[0]][1]}.v1"
    before = house.ends([topic])

    look(CALL_SECONDS)

    [fact] = facts_of(house, topic, before, who)
    assert (fact.method, fact.kind) == (method, LOOKS[method])
    assert fact.reason
    assert fact.header.sequence == 0
    about_nobody = method.startswith(("Insight/", "Equality/"))
    if about_nobody:
        assert not fact.referral_ids
    elif LOOKS[method] not in (LOOKS["Triage/ListWork"], LOOKS["Audit/GetEntries"]):
        assert fact.header.referral_id == referral
    else:
        assert len(fact.referral_ids) <= 1000


@pytest.fixture
def held_broker(house: House) -> Iterator[None]:
    """The broker keeps its port and answers nothing."""
    house.stack.freeze("kafka")
    try:
        happens("every thread of the broker has stopped", lambda: set(states_of(house, "kafka")) == {"T"})
        yield
    finally:
        house.stack.thaw("kafka")
        house.stack.wait_ready(["kafka"])


def states_of(house: House, name: str) -> list[str]:
    """The state of each thread of a process, as Linux tells it; T where it is stopped."""
    running = house.stack.process(name)
    assert running is not None
    stats = [path.read_text() for path in Path(f"/proc/{running.pid}/task").glob("*/stat")]
    return [stat.rpartition(")")[2].split()[0] for stat in stats]


def test_while_the_broker_is_away_every_look_is_refused_and_no_data_leaves(
    house: House, looks: dict[str, tuple[Who, Look]], held_broker: None
) -> None:
    with ThreadPoolExecutor(len(looks)) as pool:
        asked = {method: pool.submit(outcome, look) for method, (_, look) in looks.items()}
        found = {method: future.result() for method, future in asked.items()}

    assert found == dict.fromkeys(LOOKS, "UNAVAILABLE")


def test_when_the_broker_is_back_looks_are_answered_again(looks: dict[str, tuple[Who, Look]]) -> None:
    for method, (_, look) in looks.items():
        happens(f"{method} is answered", lambda look=look: outcome(look) == "OK")  # type: ignore[misc]


def outcome(look: Look) -> str:
    """How a look ends, as the name of its code."""
    try:
        look(HELD_SECONDS)
    except grpc.RpcError as error:
        name: str = error.code().name
        return name
    return "OK"
