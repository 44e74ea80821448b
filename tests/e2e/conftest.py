"""One whole stack for the tests that need one of their own making: every service, every partner, every raiser."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from services.cli.demo import run
from services.cli.demo.course import Follower
from services.cli.demo.people import People
from services.cli.demo.play import Play
from services.cli.local.stack import Stack


@dataclass(frozen=True)
class World:
    """A running stack, and the desk and the raisers of the scenario, who call under their own identity."""

    stack: Stack
    people: People
    play: Play
    follower: Follower


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    stack = run.new_stack(tmp_path_factory.mktemp("whole"))
    people = People(stack)
    try:
        run.start(stack, people, lambda line: None)
        play = Play([], patience=60, tell=lambda line: None)
        yield World(stack, people, play, Follower(people, play))
        people.close()
    finally:
        stack.stop()
