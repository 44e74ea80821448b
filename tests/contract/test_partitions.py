"""Our partitioner, kafka-python's and aiokafka's agree: partners and older records depend on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_python_murmur2

from services.chassis.partitions import partition_of

MURMURS = [pytest.param(kafka_python_murmur2, id="kafka-python"), pytest.param(aiokafka_murmur2, id="aiokafka")]


@pytest.mark.parametrize("murmur2", MURMURS)
@given(key=st.one_of(st.binary(max_size=80), st.uuids().map(lambda id: str(id).encode())), count=st.integers(1, 64))
@example(key=b"", count=6)
def test_every_key_goes_to_the_partition_that_other_clients_choose(
    murmur2: Callable[[bytes], Any], key: bytes, count: int
) -> None:
    assert partition_of(key, count) == (int(murmur2(key)) & 0x7FFFFFFF) % count


def test_known_keys_stay_where_they_lie() -> None:
    """Worked out once with kafka-python 3.0.12: a change here would part a referral's old facts from its new ones."""
    keys = [str(uuid.UUID(int=number)).encode() for number in range(8)]
    assert [partition_of(key, 6) for key in keys] == [3, 2, 5, 1, 0, 3, 5, 2]
