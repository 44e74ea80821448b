"""When a consumer of replies must be replaced."""

import pytest

from services.chassis.replies_in import HEARTLESS_SECONDS, heartless


@pytest.mark.parametrize(
    ("partitions", "seconds", "expected"),
    [(6, HEARTLESS_SECONDS + 1, True), (6, 3, False), (0, HEARTLESS_SECONDS + 1, False)],
    ids=["joined and silent", "joined and beating", "not joined"],
)
def test_a_consumer_is_heartless_where_it_joined_and_sends_no_heartbeat(
    partitions: int, seconds: float, expected: bool
) -> None:
    group = {"assigned-partitions": partitions, "last-heartbeat-seconds-ago": seconds}

    assert heartless({"consumer-coordinator-metrics": group}) is expected


def test_a_consumer_without_a_group_has_no_heart_to_lose() -> None:
    assert not heartless({})
