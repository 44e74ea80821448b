"""The operations of which DPA 2018, section 62, asks for logs: each leaves one record, with who, when and why."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from safeguarding.v1 import audit_pb2, intake_pb2
from safeguarding.v1.access_control_pb2 import Role
from safeguarding.v1.audit_pb2 import Operation, TimelineEntry
from safeguarding.v1.common_pb2 import CONCERN_KIND_CHILD_AT_RISK, SUBJECT_ROLE_CHILD
from safeguarding.v1.concern_pb2 import Identifiers, Subject
from tests.integration.bad_input import right_requests as right
from tests.integration.house import House, Who, new_key
from tests.integration.privacy.journey import KAFKA_PARTNERS
from tests.integration.privacy.test_erasure import Case
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


class Story:
    """One referral to which each of the operations happened, each once by the person or service that is named."""

    def __init__(self, house: House, people: dict[str, Who]) -> None:
        self.case = Case(house, people, nhs_number=an_nhs_number())
        own = {"referral_id": self.case.referral_id}
        amend = intake_pb2.AmendRequest(
            **own,  # type: ignore[arg-type]
            idempotency_key=new_key(),
            seen_sequence=1,
            kinds=[CONCERN_KIND_CHILD_AT_RISK],
        )
        self.case.ask("Intake", "Amend", "officer", amend)
        self.case.ask("Intake", "GetReferral", "officer", intake_pb2.GetReferralRequest(**own))
        other = right.concern()
        other.ClearField("place")
        # Nothing but the number is shared: a referral that shares more with others is linked to those first.
        numbers = Identifiers(nhs_number=self.case.nhs_number)
        other.subjects[0].CopyFrom(Subject(role=SUBJECT_ROLE_CHILD, identifiers=numbers))
        self.other = house.raise_concern(other, people["volunteer"]).referral_id
        happens(
            "the two are linked", lambda: any(entry.referral_id == self.other for entry in self.found("combination"))
        )
        self.case.request()
        self.case.decide("second")
        happens("the erasure is in the index", lambda: self.found("erasure"))

    def links(self) -> list[TimelineEntry]:
        """The records that join the two; they lie under both."""
        return [entry for entry in self.found("combination") if entry.referral_id == self.other]

    def found(self, operation: str) -> Sequence[TimelineEntry]:
        request = audit_pb2.SearchRequest(
            referral_id=self.case.referral_id,
            operation=Operation.Value(f"OPERATION_{operation.upper()}"),
            limit=1_000,
            reason="review",
        )
        entries: Sequence[TimelineEntry] = self.case.ask("Audit", "Search", "auditor", request).entries
        return entries


def an_nhs_number() -> str:
    """A number that nobody has yet, with its check digit."""
    while True:
        digits = [4, *(secrets.randbelow(10) for _ in range(8))]
        check = 11 - sum(digit * (10 - place) for place, digit in enumerate(digits)) % 11
        if check != 10:
            return "".join(map(str, [*digits, check % 11]))


@pytest.fixture(scope="module")
def story(house: House, people: dict[str, Who]) -> Story:
    return Story(house, people)


Picked = Callable[[TimelineEntry], bool]

EXPECTED: dict[str, tuple[str, str, str, Picked]] = {
    "collection": ("Raised", "officer/officer-privacy", "domestic_abuse", lambda entry: True),
    "alteration": ("Amended", "officer/officer-privacy", "corrected_by_raiser", lambda entry: True),
    "consultation": (
        "AccessFact",
        "officer/officer-privacy",
        "own_concern",
        lambda entry: entry.method == "Intake/GetReferral",
    ),
    "disclosure": (
        "Offered",
        "service/partner-routing",
        "child_protection",
        lambda entry: entry.type.endswith("Offered") and entry.partner_id == KAFKA_PARTNERS[1],
    ),
    "erasure": ("Erased", "protection/dpo-second", "article_17", lambda entry: True),
}
"""For each: the fact, who did it, why, and which of those of this operation is meant."""


@pytest.mark.parametrize("operation", EXPECTED)
def test_each_operation_leaves_one_record_with_who_when_and_why(story: Story, operation: str) -> None:
    kind, who, why, picked = EXPECTED[operation]

    entries = [entry for entry in story.found(operation) if picked(entry)]

    repeats = Counter((entry.topic, entry.event_id) for entry in entries)
    assert len(repeats) == 1, "records of one id are one record and its repeats"
    said = entries[0]
    assert said.type == f"safeguarding.v1.{kind}"
    assert f"{Role.Name(said.actor.role).removeprefix('ROLE_').lower()}/{said.actor.id}" == who
    assert said.occurred_at.seconds
    assert said.reason == why


def test_a_combination_leaves_one_record_with_who_when_and_why(story: Story) -> None:
    entries = story.links()

    assert len({entry.event_id for entry in entries}) == 1
    assert (entries[0].type, entries[0].actor.id) == ("safeguarding.v1.Linked", "triage")
    assert entries[0].occurred_at.seconds
    assert entries[0].reason


def test_every_record_of_these_operations_says_who_when_and_why(story: Story) -> None:
    for operation in EXPECTED:
        for entry in story.found(operation):
            assert entry.actor.id, (operation, entry.type)
            assert entry.HasField("occurred_at") or entry.HasField("record_time")
            assert entry.reason, (operation, entry.type)
