"""A partner may have very many legs: it is released and lists its inbox all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from safeguarding.v1 import routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OPERATOR
from services.chassis.commanding import Commands
from services.chassis.deciding import Command
from services.chassis.engine import Answer
from services.chassis.engine.away import Busy
from services.chassis.engine.document import Document
from services.chassis.identity import Identity
from services.partner_routing import api
from services.partner_routing.api import RoutingApi
from services.partner_routing.views import inbox
from tests.unit.partner_routing.life import LEG, life_of, request

ROOM = 500
"""For which the engine has room; the real one has for ten thousand."""
MANY = ROOM + 1


class Crowded:
    """An engine that refuses more at once than it has room for, and answers each with a leg that expired."""

    def __init__(self) -> None:
        self.taken: list[Command] = []

    def submit(self, commands: Sequence[Command]) -> list[Future[Answer[Any]]]:
        """See Engine."""
        if len(commands) > ROOM:
            raise Busy(1.0)
        self.taken += commands
        expired = routing_pb2.RoutingFact(expired=routing_pb2.Expired(leg_id=LEG))
        futures: list[Future[Answer[Any]]] = [Future() for _ in commands]
        for future in futures:
            future.set_result(Answer((expired,), None, 1))
        return futures


def test_a_partner_with_more_referrals_than_may_wait_is_released_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    document = life_of(request()).document
    whole = {"facts": document.facts, "revision": "r", "published": 0}
    stored = [{"_id": str(number), **whole} for number in range(MANY)]
    engine, context = Crowded(), SimpleNamespace(time_remaining=lambda: None)
    collection = SimpleNamespace(find=lambda query: iter(stored))
    parts: Any = SimpleNamespace(engine=engine, commands=Commands(b"k" * 32), collection=collection)
    monkeypatch.setattr(api, "caller", lambda: Identity(ROLE_OPERATOR, "op-1"))
    routing: Any = RoutingApi(parts, lambda: None, None)  # type: ignore[arg-type,return-value]  # asked for neither

    released = routing.ReleasePartner(routing_pb2.ReleasePartnerRequest(partner_id="council-a"), context)

    assert released.legs == MANY
    assert [command.referral_id for command in engine.taken] == [each["_id"] for each in stored]
    assert len({command.cause_id for command in engine.taken}) == 1, "each referral tells its causes apart"


class Counted(Document[Any]):
    """A document of which somebody counts how many are held."""

    held = 0

    def __init__(self, id: str, state: Any) -> None:
        super().__init__(id, state)
        Counted.held += 1

    def __del__(self) -> None:
        Counted.held -= 1


def test_an_inbox_holds_no_more_referrals_than_it_lists() -> None:
    state = life_of(request()).state
    most = 0

    def found() -> Iterator[Document[Any]]:
        nonlocal most
        for number in range(50):
            yield Counted(str(number), state)
            most = max(most, Counted.held)

    items = inbox(found(), "council-a", 3)

    assert [item.referral_id for item in items] == ["0", "1", "2"]
    assert most <= 5
