"""Refuses to start under another key-encryption key than the one that the store's data keys are wrapped under.

A data key that cannot be unwrapped is left out of what is opened, as damaged. Under another key-encryption key all of
them would be, and partners be given copies without their personal parts.
"""

from __future__ import annotations

from typing import Any

from pymongo.collection import Collection as MongoCollection

from services.chassis import logs
from services.chassis.engine.store import answering
from services.chassis.sealing import KeyWrapper
from services.intake.sealed import openable

log = logs.get(__name__)

LOOKED_AT = 20
"""Referrals: one whose keys open is enough."""


def refuse_another_key(referrals: MongoCollection[dict[str, Any]], wrapper: KeyWrapper) -> None:
    """End the process where none of the keys of so many referrals opens. Raises Away."""
    with answering():
        stored = list(referrals.find({}, {"keys": 1}).limit(LOOKED_AT))
    wrapped: dict[str, Any] = {found["_id"]: found["keys"] for found in stored if found.get("keys")}
    if wrapped and not any(openable(wrapper, referral_id, keys) for referral_id, keys in wrapped.items()):
        log.critical("another_key_encryption_key", referrals=len(wrapped))
        raise SystemExit(
            "intake cannot start: INTAKE_KEY_ENCRYPTION_KEY opens none of the data keys in its store; "
            "give it the one that they were wrapped under"
        )
