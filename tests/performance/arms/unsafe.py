"""The engine with one safety left out, for row 8. Only the benchmark can do this: no setting of the product does."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from safeguarding.v1.common_pb2 import Sealed
from services.chassis.deciding import Context, Upstream
from services.chassis.engine.document import Document, serialized, stamp
from services.chassis.engine.items import Item
from services.chassis.engine.judge import APPLIED, Judge, Verdict, must_keep_rules
from services.intake import sealed

OBSERVED = "tracing and metrics"
SMALLEST = 16
"""Bytes that a sealed part has at least."""


class Trusting(Judge[Any]):
    """Takes every fact for new: no repeat, gap or fork is looked for."""

    def _upstream(self, item: Item, given: Upstream, document: Document[Any], context: Context) -> Verdict:
        decider = self._decider
        assert item.record is not None
        assert item.record.value is not None
        state = decider.evolve(document.state, given.writer, given.fact)
        after = document.length(decider.writer)
        decided = decider.decide(state, given, context)
        stamp(decided, document.id, after, context.now, context.service, given.cause_id)
        must_keep_rules(decided, headers=False)
        document.append(given.writer, given.cause_id, item.record.value, state)
        for fact in decided:
            state = decider.evolve(state, decider.writer, fact)
            document.append_own(decider.writer, fact, serialized(fact), state)
        return APPLIED


def seal_nothing() -> None:
    """Let intake keep parts as they are, without keys."""

    def plain(_: sealed.Sealer, into: Sealed, key_id: str, group: Any, version: int, content: Message) -> None:
        raw = content.SerializeToString(deterministic=True).ljust(SMALLEST, b"\0")
        into.MergeFrom(Sealed(key_id=key_id, nonce=bytes(12), ciphertext=raw, group=group, version=version))

    sealed.Sealer._seal = plain  # type: ignore[method-assign,assignment]  # which is the point
