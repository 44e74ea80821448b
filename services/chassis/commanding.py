"""From a checked request to a command, and from the engine's answer to the caller."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from services.chassis.calls import MARGIN, seconds_left
from services.chassis.deciding import Command
from services.chassis.engine import Answer, Away
from services.chassis.identity import Identity
from services.chassis.ids import naming
from services.chassis.keyed import Keyed

S = TypeVar("S")

CAUSES = uuid.UUID("4c1c2f1e-3a53-58a3-8cb8-4ab6fbc1c1d5")
"""Namespace of the ids of commands."""
_cause_named = naming(CAUSES)


class Commands:
    """Makes commands of one service; `hmac_key` is that service's own."""

    def __init__(self, hmac_key: bytes) -> None:
        self._keyed = Keyed(hmac_key)

    def make(
        self,
        identity: Identity,
        idempotency_key: str,
        request: Message,
        referral_id: str,
        *,
        seen_sequence: int | None = None,
        sealed: Any = None,
        keeps: Mapping[str, Any] | None = None,
        drops: Sequence[str] = (),
        creates: bool = False,
    ) -> Command:
        """A command by `identity`; its key is bound to the caller, so that nobody repeats another's."""
        return Command(
            referral_id=referral_id,
            cause_id=cause_of(identity, idempotency_key),
            actor=identity.actor(),
            body=request,
            request_hmac=self._hmac(request),
            seen_sequence=seen_sequence,
            sealed=sealed,
            keeps=keeps or {},
            drops=drops,
            creates=creates,
        )

    def _hmac(self, request: Message) -> bytes:
        said = request.DESCRIPTOR.full_name.encode() + b"\0" + request.SerializeToString(deterministic=True)
        return self._keyed.digest(said)


def cause_of(identity: Identity, idempotency_key: str) -> str:
    """The cause id of a caller's key; says nothing of either."""
    return _cause_named(f"{identity.role_name}/{identity.id}/{idempotency_key}")


def answered(future: Future[Answer[S]], context: grpc.ServicerContext) -> Answer[S]:
    """Wait for the engine while the caller waits.

    Raises what the engine raised, or Away shortly before the deadline: the outcome is unknown, repeat with the key.
    """
    left = seconds_left(context)
    try:
        return future.result(timeout=max(0.0, left - min(MARGIN, left / 10)))
    except TimeoutError as error:
        raise Away("engine", "no answer in time") from error
