"""Every kind of poison is one that its readers refuse, and a name that is no text is really on the wire."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import pytest
from kafka.record.default_records import DefaultRecordBatchBuilder

from safeguarding.v1 import intake_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from services import topics
from services.chassis.engine.reading import Unreadable, facts_of
from services.chassis.kafka_in.chunk import Record
from tests.chaos import poison
from tests.chaos.headers import NoText

READ = facts_of("intake", intake_pb2.IntakeFact)


class Real(NamedTuple):
    """A fact as it lies on its topic."""

    topic: str
    partition: int
    offset: int
    value: bytes
    headers: list[tuple[str, bytes]]


def a_fact() -> Any:
    fact = intake_pb2.IntakeFact()
    header = fact.header
    header.event_id = header.referral_id = header.cause_id = "0d4bb3ba-6c0e-4fd5-9a3a-d7a4d9be6b0c"
    header.sequence, header.actor.role, header.actor.id = 1, ROLE_OFFICER, "pc-1"
    header.occurred_at.seconds = 1
    fact.withdrawn.reason = intake_pb2.WITHDRAWAL_REASON_MISTAKE
    return fact


def read(value: bytes | None, key: bytes | None) -> Any:
    return READ(Record(topics.INTAKE.name, 0, 0, 0, key, value, ()))


def test_the_fact_that_poison_is_made_of_is_a_right_one() -> None:
    fact = a_fact()

    assert read(fact.SerializeToString(), fact.header.referral_id.encode()).sequence == 1


def test_no_kind_of_poison_can_be_read_though_it_is_made_of_a_right_fact() -> None:
    real = [Real(topics.INTAKE.name, 0, 0, a_fact().SerializeToString(), [("ce_id", b"1")])]
    made = list(poison._facts(real, intake_pb2.IntakeFact, random.Random("poison"), set()))

    for each in made:
        with pytest.raises(Unreadable):
            read(each.value, each.key)
    kinds = {each.kind for each in made}
    assert len(kinds) == len(made) == 14
    assert {"a fact of a later version", "a header name that is no text", "header values that are no text"} <= kinds


def test_a_name_that_is_no_text_is_none_on_the_wire() -> None:
    batch = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    batch.append(0, 1, b"k", b"v", [(NoText("harm"), b"\xff")])

    assert b"\xffharm" in bytes(batch.build())
