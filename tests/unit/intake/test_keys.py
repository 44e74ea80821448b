"""A data key that cannot be unwrapped is its own referral's loss; under another key-encryption key nothing starts."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import structlog.testing
from pymongo.errors import AutoReconnect

from safeguarding.v1 import intake_pb2
from services.chassis.engine.away import Away
from services.chassis.sealing import KeyWrapper, new_key
from services.intake import api
from services.intake.api import KeysApi
from services.intake.same_key import LOOKED_AT, refuse_another_key

ONE = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01"
OTHER = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a02"
WRAPPER = KeyWrapper(bytes(32))


class Found(list[dict[str, Any]]):
    """What a collection finds."""

    def limit(self, most: int) -> list[dict[str, Any]]:
        return self[:most]


class Collection:
    """Documents with wrapped keys."""

    def __init__(self, *documents: tuple[str, Mapping[str, bytes]]) -> None:
        self._documents = Found({"_id": id, "keys": dict(keys)} for id, keys in documents)

    def find(self, query: Any, fields: Any) -> Found:
        return self._documents


def keys_of(referral_id: str, *key_ids: str) -> dict[str, bytes]:
    return {key_id: WRAPPER.wrap(referral_id, key_id, new_key()) for key_id in key_ids}


def test_a_damaged_key_is_left_out_and_told_of_by_its_ids_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = {**keys_of(ONE, "subject-1", "narrative"), "subject-1": b"damaged"}
    collection = Collection((ONE, damaged), (OTHER, keys_of(OTHER, "narrative")))
    parts: Any = SimpleNamespace(collection=collection, access=SimpleNamespace(record=lambda *_, **__: None))
    monkeypatch.setattr(api, "caller", lambda: None)

    request = intake_pb2.OpenRequest(referral_ids=[ONE, OTHER], purpose="copies")
    no_context: Any = None
    with structlog.testing.capture_logs() as told:
        opened = KeysApi(parts, WRAPPER).Open(request, no_context)

    assert [(key.referral_id, key.key_id) for key in opened.keys] == [(ONE, "narrative"), (OTHER, "narrative")]
    [line] = told
    assert (line["event"], line["referral_id"], line["key_id"]) == ("key_unreadable", ONE, "subject-1")


def test_intake_does_not_start_under_another_key() -> None:
    stored: Any = Collection((ONE, keys_of(ONE, "narrative")), (OTHER, {}))

    refuse_another_key(stored, WRAPPER)
    with pytest.raises(SystemExit, match="INTAKE_KEY_ENCRYPTION_KEY opens none"):
        refuse_another_key(stored, KeyWrapper(bytes(31) + b"1"))


def test_an_empty_store_and_one_damaged_key_among_others_keep_nobody_from_starting() -> None:
    empty: Any = Collection()
    erased: Any = Collection((ONE, {}))
    damaged: Any = Collection((ONE, {"narrative": b"damaged"}), (OTHER, keys_of(OTHER, "narrative")))

    refuse_another_key(empty, WRAPPER)
    refuse_another_key(erased, WRAPPER)
    refuse_another_key(damaged, WRAPPER)


def test_of_very_many_referrals_a_few_are_looked_at() -> None:
    def stored(damaged: int) -> Any:
        first = [(f"{ONE[:-2]}{number:02}", {"narrative": b"damaged"}) for number in range(damaged)]
        return Collection(*first, (ONE, keys_of(ONE, "narrative")))

    refuse_another_key(stored(LOOKED_AT - 1), WRAPPER)
    with pytest.raises(SystemExit):
        refuse_another_key(stored(LOOKED_AT), WRAPPER)


def test_a_store_that_does_not_answer_says_nothing_of_keys() -> None:
    def find(*_: Any) -> Found:
        raise AutoReconnect

    away: Any = SimpleNamespace(find=find)

    with pytest.raises(Away):
        refuse_another_key(away, WRAPPER)
