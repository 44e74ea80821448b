"""The schedule breaks the links that there are, and each of them; the wired services are told of no other way."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.local.stack import Stack
from services.topics import SERVICES
from tests.chaos import wiring
from tests.chaos.schedule import LINKS
from tests.chaos.wiring import Wiring


def test_every_link_of_the_schedule_is_one_of_the_stack(tmp_path: Path) -> None:
    with Wiring(Stack(tmp_path), disks=False) as wired:
        try:
            assert sorted(LINKS) == wired.links
            assert len({wired.address(service) for service in SERVICES}) == len(SERVICES)
        finally:
            wired.close()


def test_a_link_that_the_schedule_does_not_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "LINKS", LINKS[1:])
    wired = Wiring(Stack(tmp_path), disks=False)

    with pytest.raises(ValueError, match="the schedule knows other links"):
        wired.__enter__()
    wired.close()
