"""Draining from a broker that is away says so at once; the rest is tested by rebuilds on a real broker."""

import pytest

from services.chassis.draining import BrokerFailed, records_before
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess

NOBODY = KafkaAccess("127.0.0.1:1", "triage", "secret", SASL_PLAINTEXT)


def test_a_broker_that_is_away_is_named_by_the_class_of_its_error() -> None:
    with pytest.raises(BrokerFailed, match=r"^KafkaConnectionError$"):
        list(records_before({("referrals.intake.v1", 0): 5}, NOBODY, "test"))


def test_nothing_before_the_end_is_nothing_to_ask_a_broker_for() -> None:
    assert list(records_before({("referrals.intake.v1", 0): 0}, NOBODY, "test")) == []
