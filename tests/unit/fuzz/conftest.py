"""One world for all of the fuzzing's own tests: to live it through takes longer than any of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.world import World


@pytest.fixture(scope="session")
def lasting_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """As the last test left it."""
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(lasting_world: World) -> Iterator[World]:
    """As at its beginning."""
    lasting_world.back()
    yield lasting_world
    lasting_world.back()
