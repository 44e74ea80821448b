"""A partner of the harness: what it read and could not finish it reads again."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from typing import Any, cast

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from kafka.errors import KafkaTimeoutError

from safeguarding.v1.partner_pb2 import Copy, Offer
from safeguarding.v1.routing_pb2 import InboxItem
from tests.chaos import players
from tests.chaos.ledger import Ledger
from tests.chaos.players import InboxPartner, KafkaPartner, Table


class Topic:
    """A topic of five copies, and what is committed of it."""

    def __init__(self) -> None:
        self.committed = 0
        self.commits_fail = 0


class Consumer:
    """Begins at what is committed, and goes on from what it gave: as kafka-python's."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._at = topic.committed

    def poll(self, timeout_ms: int) -> dict[str, list[int]]:
        given = list(range(self._at, min(self._at + 2, 5)))
        self._at += len(given)
        return {"partition": given} if given else {}

    def commit(self, timeout_ms: int) -> None:
        if self._topic.commits_fail:
            self._topic.commits_fail -= 1
            raise KafkaTimeoutError
        self._topic.committed = self._at

    def close(self, autocommit: bool, timeout_ms: int) -> None:
        """Nothing is held."""

    def subscription(self) -> set[str]:
        return set()

    def metrics(self) -> dict[str, Any]:
        return {}


class Partner(KafkaPartner):
    """Reads that topic, and fails to answer as often as told."""

    def __init__(self, topic: Topic, answers_fail: int) -> None:
        self._table = Table(cast(Any, None), Ledger(), cast(Any, None), threading.Event())
        self._producer = None
        self._topic = topic
        self._answers_fail = answers_fail
        self.answered: list[int] = []

    def _connected(self) -> Any:
        return None if self._table.stopping.is_set() else Consumer(self._topic)

    def _take(self, records: Sequence[Any]) -> None:
        if self._answers_fail:
            self._answers_fail -= 1
            raise KafkaTimeoutError
        self.answered += records
        if self.answered[-1] == 4 and not self._topic.commits_fail:
            self._table.stopping.set()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.players.AGAIN", 0.0)


def test_copies_whose_answers_failed_are_read_and_answered_again() -> None:
    partner = Partner(Topic(), answers_fail=2)

    partner.run()

    assert partner.answered == [0, 1, 2, 3, 4]


def test_copies_whose_commit_failed_are_read_again() -> None:
    topic = Topic()
    topic.commits_fail = 1
    partner = Partner(topic, answers_fail=0)

    partner.run()

    assert partner.answered == [0, 1, 0, 1, 2, 3, 4]


def test_one_leg_in_five_is_asked_about_and_a_repeated_offer_is_answered_by_the_same_replies() -> None:
    offers = [Copy(referral_id=str(uuid.UUID(int=n)), leg_id=str(uuid.UUID(int=n)), offer=Offer()) for n in range(500)]
    asking = [offer for offer in offers if players.asks(offer)]
    assert 60 < len(asking) < 140

    key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    accepted, asked = players.question(asking[0], "turning-tide", key)
    again = players.question(asking[0], "turning-tide", key)

    assert (accepted.WhichOneof("step"), asked.WhichOneof("step")) == ("accepted", "asked")
    assert asked.sealed_note, "a question needs its words"
    assert [reply.reply_id for reply in again] == [accepted.reply_id, asked.reply_id]
    done = players.replies_to(asking[0], "turning-tide", key)
    assert done[0] == accepted, "which is taken once"
    assert done[1].reply_id not in (accepted.reply_id, asked.reply_id)


class Over(grpc.RpcError):
    """What the inbox says of a leg that is over."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.FAILED_PRECONDITION


class InboxOfLegsThatAreOver(InboxPartner):
    """Knows what was listed, and may do nothing of it any more."""

    def __init__(self, ledger: Ledger) -> None:
        self._table = Table(cast(Any, None), ledger, cast(Any, None), threading.Event())
        self._id = "safe-harbour"

    def _do(self, item: InboxItem) -> None:
        raise Over


@pytest.mark.parametrize(("right", "wrong"), [(True, 1), (False, 0)])
def test_a_leg_that_is_over_before_the_inbox_answers_is_wrong_only_where_clocks_are_right(
    right: bool, wrong: int
) -> None:
    ledger = Ledger(clocks_are_right=right)

    InboxOfLegsThatAreOver(ledger)._try(InboxItem(referral_id="referral", leg_id="leg"))

    assert len(ledger.troubles) == wrong
