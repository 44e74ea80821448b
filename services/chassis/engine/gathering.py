"""What a turn's decisions need beyond their referrals: asked for at once, and for each alone where that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from services.chassis import logs
from services.chassis.engine.away import Away

S = TypeVar("S")
log = logs.get(__name__)

Gather = Callable[[Sequence[tuple[S, Any]]], Mapping[str, Any]]
"""Gets (state, input) pairs; may raise Away."""


def gathered(
    gather: Gather[S], work: Sequence[tuple[str, tuple[S, Any]]]
) -> tuple[Mapping[str, Any], Mapping[str, Exception]]:
    """What was gathered for `work`, each with its referral's id; and the referrals whose inputs fail for want of it.

    One referral for which gathering meets a bug keeps no other from being handled. Raises Away.
    """
    if not work:
        return {}, {}
    found, error = _tried(gather, [each for _, each in work])
    if error is None:
        return found, {}
    alone: dict[str, list[tuple[S, Any]]] = {}
    for referral_id, each in work:
        alone.setdefault(referral_id, []).append(each)
    failed: dict[str, Exception] = {}
    for referral_id, of_one in alone.items():
        found, error = _tried(gather, of_one)
        if error is not None:
            # The class only: the message may hold what the input held.
            log.error("gather_failed", referral_id=referral_id, error=type(error).__name__)
            failed[referral_id] = error
    left = [each for referral_id, each in work if referral_id not in failed]
    found, error = _tried(gather, left) if left else ({}, None)
    if error is not None:  # each alone can be had, and all together cannot
        log.error("gather_failed", referrals=len(left), error=type(error).__name__)
        return {}, dict.fromkeys(alone, error) | failed
    return found, failed


def _tried(gather: Gather[S], work: Sequence[tuple[S, Any]]) -> tuple[Mapping[str, Any], Exception | None]:
    try:
        return gather(work), None
    except Away:
        raise
    except Exception as error:  # noqa: BLE001 - it fails the inputs that it is of
        return {}, error
