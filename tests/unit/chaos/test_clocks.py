"""A clock is set for one service, and where no clock can be set the harness says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import clocks
from tests.chaos.clocks import DAY, Clocks, NoLibrary

PLACE = Path("usr", "lib", "x86_64-linux-gnu", "faketime")


def test_a_machine_without_the_library_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoLibrary, match="apt-get install faketime"):
        clocks.library(tmp_path)


def test_the_library_is_found_where_debian_puts_it(tmp_path: Path) -> None:
    (tmp_path / PLACE).mkdir(parents=True)
    file = tmp_path / PLACE / clocks.LIBRARY
    file.touch()

    assert clocks.library(tmp_path) == file


def test_a_clock_is_set_for_one_service_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "library", lambda: Path("libfaketime"))
    some = Clocks(tmp_path / "clocks")
    files = {name: Path(some.environment(name)[clocks.CLOCK]) for name in ("triage", "intake", "audit")}

    some.set("triage", DAY)
    some.set("audit", -DAY)

    said = {name: file.read_text().strip() for name, file in files.items()}
    assert said == {"triage": "+86400", "intake": "+0", "audit": "-86400"}
