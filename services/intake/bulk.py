"""A bulk of concerns on its way: what waits for the engine, and the one answer to all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final

import grpc

from safeguarding.v1 import intake_pb2
from services.chassis.commanding import answered
from services.chassis.deciding import Refused, Why
from services.chassis.engine import Answer
from services.chassis.errors import STATUS_OF
from services.intake.domain import State

MOST_OF_A_STREAM: Final = 10_000
"""Concerns, as the RPC states: all are answered in one message, and no caller takes one of more than 4 MiB."""
MOST_WORDS: Final = 200
"""Letters of what is said of one that is refused, for the same reason."""
LONGEST_KEY: Final = 100
MOST_IN_FLIGHT: Final = 1_000
"""Concerns of one stream that may wait for the engine."""


class Bulk:
    """One stream's concerns; each stands alone, and is answered in the order they came."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context
        self._response = intake_pb2.RaiseConcernsResponse()
        self._waiting: deque[tuple[str, Future[Answer[State]]]] = deque()
        self._count = 0

    def came(self, concerns: int) -> None:
        """So many more. Raises Refused where the answer could become too large: its caller would never have it."""
        self._count += concerns
        if self._count > MOST_OF_A_STREAM:
            wrong = f"the stream carries more than {MOST_OF_A_STREAM:,} concerns"
            raise Refused(Why.INVALID, wrong, "send them in several, with the same keys", field="concerns")

    def refuse(self, key: str, why: Why, words: str, field: str) -> None:
        """One of them is not recorded."""
        self._response.refused.add(
            idempotency_key=key[:LONGEST_KEY],
            code=STATUS_OF[why].value[0],
            message=words[:MOST_WORDS],
            field=field,
        )

    def wait(self, submitted: Iterable[tuple[str, Future[Answer[State]]]]) -> None:
        """These are with the engine, by their keys; waits where too many are."""
        self._waiting += submitted
        while len(self._waiting) > MOST_IN_FLIGHT:
            self._collect()

    def answer(self) -> intake_pb2.RaiseConcernsResponse:
        """Wait for all that are left."""
        while self._waiting:
            self._collect()
        return self._response

    def _collect(self) -> None:
        key, future = self._waiting.popleft()
        try:
            # Of one turn most have come by now, and to ask how long the caller waits costs more than the answer.
            answer = future.result() if future.done() else answered(future, self._context)
        except Refused as refused:
            self.refuse(key, refused.why, f"{refused.wrong}; {refused.right}", refused.field)
        else:
            tell(answer, self._response.raised.add())


def tell(answer: Answer[State], into: intake_pb2.RaiseConcernResponse) -> intake_pb2.RaiseConcernResponse:
    """The answer to one concern. Filled in place: each message that is put into another is copied."""
    [fact] = answer.facts
    header = fact.header
    referral_id = header.referral_id
    into.referral_id, into.reference = referral_id, reference(referral_id)
    into.event_id, into.sequence = header.event_id, header.sequence
    into.recorded_at.CopyFrom(header.occurred_at)
    return into


def reference(referral_id: str) -> str:
    """The short reference to quote on the telephone."""
    digits = referral_id.replace("-", "").upper()
    return f"{digits[:4]}-{digits[4:8]}"
