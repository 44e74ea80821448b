"""A Timestamp that is no time is refused by its path, before anybody reads it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis import checking
from services.chassis.times import are_times, wrong_times
from tests.integration.bad_input.right_requests import RIGHT


@pytest.mark.parametrize(
    "time",
    [Timestamp(seconds=-(2**63)), Timestamp(seconds=253_402_300_800), Timestamp(nanos=-1), Timestamp(nanos=10**9)],
    ids=["before the year 1", "after 9999", "less than no nanoseconds", "a whole second of them"],
)
def test_each_is_named_however_deep_it_lies(time: Timestamp) -> None:
    request: Any = copy.deepcopy(RIGHT["Procedures/RecordConference"][1])
    assert checking.violations(request) == []

    request.held_at.CopyFrom(time)
    request.decisions.add(action="visit").by.CopyFrom(time)

    assert not are_times(request)
    assert list(wrong_times(request)) == ["held_at", "decisions[1].by"]
    assert [found.field for found in checking.violations(request)] == ["held_at", "decisions[1].by"]
