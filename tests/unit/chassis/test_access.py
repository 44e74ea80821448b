"""A look at personal data leaves a fact, acknowledged before the data leaves."""

from datetime import UTC, datetime

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_AUDITOR
from safeguarding.v1.access_pb2 import ACCESS_KIND_SEARCHED, ACCESS_KIND_VIEWED, AccessFact
from safeguarding.v1.common_pb2 import FIELD_GROUP_NARRATIVE
from services.chassis.access import Access
from services.chassis.checking import violations
from services.chassis.engine.away import Away
from services.chassis.errors import Unavailable
from services.chassis.identity import Identity
from services.chassis.records import OutRecord, header

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AUDITOR = Identity(ROLE_AUDITOR, "auditor-1", kind="reviewer")
ONE = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01"
TWO = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a02"


class Broker:
    """Acknowledges everything, or nothing."""

    def __init__(self, away: Exception | None = None) -> None:
        self.records: list[OutRecord] = []
        self._away = away

    def send(self, records: list[OutRecord], _timeout: float) -> None:
        if self._away is not None:
            raise self._away
        self.records += records


def access(broker: Broker) -> Access:
    return Access(broker.send, "triage", clock=lambda: NOON)


def fact_of(record: OutRecord) -> AccessFact:
    return AccessFact.FromString(record.value)


def test_a_look_at_one_referral_says_who_what_when_and_why() -> None:
    broker = Broker()
    event_id = access(broker).record(
        AUDITOR,
        ACCESS_KIND_VIEWED,
        "Triage/GetAssessment",
        reason="review",
        referral_ids=[ONE],
        groups=[FIELD_GROUP_NARRATIVE],
    )

    (record,) = broker.records
    fact = fact_of(record)
    assert (record.topic, record.key) == ("referrals.access.triage.v1", ONE.encode())
    assert header(record.headers, "ce_id") == event_id.encode() == fact.header.event_id.encode()
    assert header(record.headers, "ce_type") == b"safeguarding.v1.AccessFact"
    assert (fact.header.referral_id, fact.header.sequence) == (ONE, 0)
    assert (fact.header.actor, fact.reason) == (AUDITOR.actor(), "review")
    assert fact.header.occurred_at.ToDatetime(tzinfo=UTC) == NOON
    assert list(fact.groups) == [FIELD_GROUP_NARRATIVE]
    assert violations(fact) == []


@pytest.mark.parametrize("referrals", [[ONE, TWO], []])
def test_a_search_has_an_id_of_its_own_and_names_what_it_touched(referrals: list[str]) -> None:
    broker = Broker()
    access(broker).record(AUDITOR, ACCESS_KIND_SEARCHED, "Audit/Search", reason="review", referral_ids=referrals)

    (record,) = broker.records
    fact = fact_of(record)
    assert list(fact.referral_ids) == referrals
    assert fact.header.referral_id not in {ONE, TWO}
    assert record.key == fact.header.referral_id.encode()
    assert violations(fact) == []


def test_two_looks_are_two_facts() -> None:
    broker = Broker()
    both = access(broker)
    ids = {
        both.record(AUDITOR, ACCESS_KIND_VIEWED, "Audit/Timeline", reason="review", referral_ids=[ONE])
        for _ in range(2)
    }

    assert len(ids) == len(broker.records) == 2


@pytest.mark.parametrize("away", [Away("broker"), TimeoutError()])
def test_without_the_brokers_word_nothing_may_leave(away: Exception) -> None:
    with pytest.raises(Unavailable) as caught:
        access(Broker(away)).record(AUDITOR, ACCESS_KIND_VIEWED, "Audit/Timeline", reason="x", referral_ids=[ONE])

    assert caught.value.what == "broker"
