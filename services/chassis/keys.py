"""The client of intake's keys: one call a batch, remembered in memory until the keys are erased."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final

import grpc

from safeguarding.v1.intake_pb2 import OpenRequest, OpenResponse
from safeguarding.v1.intake_pb2_grpc import KeysStub
from services.chassis.engine.away import Away
from services.chassis.sealing import forget_ciphers

MOST_A_CALL = 1000
MOST_REMEMBERED = 20_000
REMEMBERED_SECONDS = 600.0
"""The longest that a process which does not hear of an erasure itself goes on with destroyed keys."""
TIMEOUT = 5.0
MOST_AHEAD = 2
"""Calls under way for what is only expected: of a busy service's referrals, those that come meanwhile go together."""

AWAY: Final = frozenset(
    (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
        # Of who asks and not of what is asked for: no other referral would fare better.
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
)
"""What waiting may mend."""

ReferralKeys = Mapping[str, bytes]
"""Data keys of one referral by key id."""
NEVER: Final[tuple[ReferralKeys, float]] = ({}, 0.0)
"""What is remembered of a referral that was not asked for: nothing, until no time."""


class NotOpened(Exception):
    """Intake answered with an error that is of what was asked for; asked again it would be no other."""


class Keys:
    """Opens data keys through intake. Thread-safe."""

    def __init__(self, channel: grpc.Channel, purpose: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stub = KeysStub(channel)
        self._purpose = purpose
        self._remembered: OrderedDict[str, tuple[ReferralKeys, float]] = OrderedDict()
        """Each with the time (monotonic) until which it is used."""
        self._ciphers_until = clock() + REMEMBERED_SECONDS
        """When what was made of keys goes, whoever heard of an erasure."""
        # gRPC's own futures start a thread for each call that is alone under way.
        self._asking = ThreadPoolExecutor(MOST_AHEAD, thread_name_prefix="keys-ahead")
        self._coming: dict[str, Future[OpenResponse]] = {}
        """Calls under way, by each referral that they ask for."""
        self._awaited: dict[str, None] = {}
        """Referrals whose keys are expected, and not yet asked for."""
        self._ahead = 0
        """How many calls are under way for what is only expected."""
        self._lock = threading.Lock()

    def expect(self, referral_ids: Collection[str]) -> None:
        """Ask for keys that will soon be needed, and do not wait: `open` does, should they not have come by then."""
        now = self._clock()
        with self._lock:
            for each in referral_ids:
                if each not in self._coming and self._remembered.get(each, NEVER)[1] <= now:
                    self._awaited[each] = None
        self._ask_ahead()

    def open(
        self, referral_ids: Collection[str], needed: Mapping[str, Iterable[str]] | None = None
    ) -> dict[str, ReferralKeys]:
        """The keys of the referrals; one that has none, or was erased, gives an empty mapping.

        `needed` names key ids that must be there: a referral whose remembered keys lack one (a subject was added)
        is asked for again. Raises Away where intake does not answer, NotOpened where it answers with another error.
        """
        opened: dict[str, ReferralKeys] = {}
        missing: list[str] = []
        self._ask_at_once(referral_ids)
        self._wait_for(referral_ids)
        now = self._clock()
        with self._lock:
            for referral_id in referral_ids:
                known, until = self._remembered.get(referral_id, NEVER)
                if until <= now or any(key_id not in known for key_id in (needed or {}).get(referral_id, ())):
                    missing.append(referral_id)
                else:
                    self._remembered.move_to_end(referral_id)
                    opened[referral_id] = known
        for start in range(0, len(missing), MOST_A_CALL):
            opened.update(self._ask(missing[start : start + MOST_A_CALL]))
        return opened

    def forget(self, referral_id: str) -> None:
        """Drop what is remembered, as an erasure asks, and what was made of any keys."""
        forget_ciphers()
        with self._lock:
            self._remembered.pop(referral_id, None)
            self._coming.pop(referral_id, None)  # what comes may be of before
            self._awaited.pop(referral_id, None)

    def _ask_ahead(self) -> None:
        """Ask for what is awaited, unless so many calls are under way: their end asks for what came meanwhile."""
        while True:
            with self._lock:
                if not self._awaited or self._ahead >= MOST_AHEAD:
                    return
                asked = self._take_awaited()
                self._ahead += 1
            request = OpenRequest(referral_ids=asked, purpose=self._purpose)
            call = self._asking.submit(self._stub.Open, request, timeout=TIMEOUT)
            with self._lock:
                self._coming.update(dict.fromkeys(asked, call))
            call.add_done_callback(partial(self._ended, asked))

    def _ask_at_once(self, referral_ids: Collection[str]) -> None:
        """Who needs what is only awaited waits for no other call, and takes along what else is."""
        while True:
            with self._lock:
                if not any(each in self._awaited for each in referral_ids):
                    return
                asked = self._take_awaited()
            self._ask(asked)

    def _take_awaited(self) -> list[str]:
        asked = list(islice(self._awaited, MOST_A_CALL))
        for each in asked:
            del self._awaited[each]
        return asked

    def _ended(self, asked: Sequence[str], call: Future[OpenResponse]) -> None:
        with self._lock:
            self._ahead -= 1
        self._came(asked, call)
        self._ask_ahead()

    def _wait_for(self, referral_ids: Collection[str]) -> None:
        """Take what comes; a call that fails has brought nothing, and `open` asks again."""
        with self._lock:
            calls = {id(call): (call, list[str]()) for each in referral_ids if (call := self._coming.get(each))}
            for each, call in self._coming.items():
                if id(call) in calls:
                    calls[id(call)][1].append(each)
        for call, asked in calls.values():
            self._came(asked, call)

    def _came(self, asked: Sequence[str], call: Future[OpenResponse]) -> None:
        """Remember what a call brings, but for what was forgotten meanwhile. Also a second time."""
        response = OpenResponse()
        with suppress(grpc.RpcError):
            response = call.result()
        found = _by_referral(asked, response)
        with self._lock:
            for referral_id in asked:
                if self._coming.get(referral_id) is call:
                    del self._coming[referral_id]
                    self._remember(referral_id, found[referral_id])

    def _ask(self, referral_ids: list[str]) -> dict[str, ReferralKeys]:
        request = OpenRequest(referral_ids=referral_ids, purpose=self._purpose)
        try:
            response = self._answered(request)
        except NotOpened:
            # Also what becomes of a call where its connection breaks in the middle: that is gone, or away, by now.
            response = self._answered(request)
        asked = _by_referral(referral_ids, response)
        with self._lock:
            for referral_id, keys in asked.items():
                self._remember(referral_id, keys)
        return asked

    def _answered(self, request: OpenRequest) -> OpenResponse:
        try:
            response: OpenResponse = self._stub.Open(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            code = error.code()
            if code in AWAY:
                raise Away("keys", code.name) from error
            raise NotOpened(code.name) from error
        return response

    def _remember(self, referral_id: str, keys: ReferralKeys) -> None:
        if not keys:
            return
        now = self._clock()
        if now >= self._ciphers_until:
            forget_ciphers()
            self._ciphers_until = now + REMEMBERED_SECONDS
        self._remembered[referral_id] = keys, now + REMEMBERED_SECONDS
        self._remembered.move_to_end(referral_id)
        while len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def _by_referral(referral_ids: Iterable[str], response: OpenResponse) -> dict[str, ReferralKeys]:
    asked: dict[str, dict[str, bytes]] = {referral_id: {} for referral_id in referral_ids}
    for key in response.keys:
        if key.referral_id in asked:
            asked[key.referral_id][key.key_id] = key.key
    return dict(asked)
