"""Single records on their way: handles of what was sent, when it arrived, how many a second, and what it became."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from safeguarding.v1.partner_pb2 import PartnerRecord
from tests.performance.ground import Loaded
from tests.performance.triaging import decided

ACKNOWLEDGED_SECONDS = 30.0


def times(records: Iterable[Any]) -> dict[bytes, int]:
    """Milliseconds, by key; of several records of a key the first."""
    found: dict[bytes, int] = {}
    for record in records:
        found.setdefault(record.key, record.timestamp)
    return found


def copies_of(raised: Loaded) -> list[Loaded]:
    """What the usual way makes of a fact: a copy for each leg."""
    legs = [leg for fact in decided(raised) for leg in fact.routed.legs]
    return [
        Loaded(
            raised.key,
            PartnerRecord(
                referral_id=raised.key.decode(), leg_id=str(number), sealed_copy=raised.value
            ).SerializeToString(),
        )
        for number, _ in enumerate(legs)
    ]


def carried(times: Sequence[int]) -> float:
    """How many arrived a second, by milliseconds: from the first tenth to the last, which outliers move little."""
    ordered = sorted(times)
    first, last = len(ordered) // 10, len(ordered) * 9 // 10
    return 1_000 * (last - first) / max(1, ordered[last] - ordered[first])


class Sent:
    """A record on its way."""

    def __init__(self, key: bytes, future: Any) -> None:
        self._key, self._future = key, future

    def result(self) -> bytes:
        """Its key, once the broker has it."""
        self._future.get(ACKNOWLEDGED_SECONDS)
        return self._key


class Raised:
    """A call on its way."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def result(self) -> bytes:
        """The key of the referral's records, once it is acknowledged."""
        referral_id: str = self._call.result().referral_id
        return referral_id.encode()
