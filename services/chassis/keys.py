"""The client of intake's keys: one call a batch, remembered in memory until the keys are erased."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping

import grpc

from safeguarding.v1.intake_pb2 import OpenRequest
from safeguarding.v1.intake_pb2_grpc import KeysStub
from services.chassis.engine.away import Away

MOST_A_CALL = 1000
MOST_REMEMBERED = 20_000
REMEMBERED_SECONDS = 600.0
"""The longest that a process which does not hear of an erasure itself goes on with destroyed keys."""
TIMEOUT = 5.0

ReferralKeys = Mapping[str, bytes]
"""Data keys of one referral by key id."""


class Keys:
    """Opens data keys through intake. Thread-safe."""

    def __init__(self, channel: grpc.Channel, purpose: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stub = KeysStub(channel)
        self._purpose = purpose
        self._remembered: OrderedDict[str, tuple[ReferralKeys, float]] = OrderedDict()
        """Each with the time (monotonic) until which it is used."""
        self._lock = threading.Lock()

    def open(
        self, referral_ids: Collection[str], needed: Mapping[str, Iterable[str]] | None = None
    ) -> dict[str, ReferralKeys]:
        """The keys of the referrals; one that has none, or was erased, gives an empty mapping.

        `needed` names key ids that must be there: a referral whose remembered keys lack one (a subject was added)
        is asked for again. Raises Away where intake does not answer.
        """
        opened: dict[str, ReferralKeys] = {}
        missing: list[str] = []
        now = self._clock()
        with self._lock:
            for referral_id in referral_ids:
                known, until = self._remembered.get(referral_id, ({}, 0.0))
                if until <= now or any(key_id not in known for key_id in (needed or {}).get(referral_id, ())):
                    missing.append(referral_id)
                else:
                    self._remembered.move_to_end(referral_id)
                    opened[referral_id] = known
        for start in range(0, len(missing), MOST_A_CALL):
            opened.update(self._ask(missing[start : start + MOST_A_CALL]))
        return opened

    def forget(self, referral_id: str) -> None:
        """Drop what is remembered, as an erasure asks."""
        with self._lock:
            self._remembered.pop(referral_id, None)

    def _ask(self, referral_ids: list[str]) -> dict[str, ReferralKeys]:
        try:
            response = self._stub.Open(OpenRequest(referral_ids=referral_ids, purpose=self._purpose), timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise Away("keys", error.code().name) from error
        asked: dict[str, dict[str, bytes]] = {referral_id: {} for referral_id in referral_ids}
        for key in response.keys:
            asked[key.referral_id][key.key_id] = key.key
        until = self._clock() + REMEMBERED_SECONDS
        with self._lock:
            for referral_id, keys in asked.items():
                if keys:
                    self._remembered[referral_id] = keys, until
                    self._remembered.move_to_end(referral_id)
            while len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return dict(asked)
