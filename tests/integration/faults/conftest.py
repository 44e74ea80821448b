"""One whole stack for all tests of this folder, with raisers and partners; each test has a ledger of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.world import World

SETTLE_SECONDS = 20.0


@pytest.fixture(scope="package")
def running_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The stack with partners and identities; nobody plays yet."""
    with World(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(running_world: World) -> Iterator[World]:
    """Everyone plays, into a ledger of this test's own, until its end."""
    running_world.stack.wait_ready(["kafka", "mongo", "intake", "triage", "partner-routing", "audit"])
    running_world.begin()
    yield running_world
    running_world.settle(SETTLE_SECONDS)  # after a failure, so that its referrals do not turn up in the next test
    running_world.end()
