"""A clock is set for one service, and where no clock can be set the harness says what is missing."""

from __future__ import annotations

import socket
import time
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from services.chassis.listening import Handler, Listening
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


class _Ahead(Handler):
    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + DAY)

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        self.answer(HTTPStatus.OK, "text/plain", b"alive")


def test_a_service_whose_clock_is_wrong_is_seen_by_its_own_answers() -> None:
    server = Listening(ThreadingHTTPServer(("127.0.0.1", 0), _Ahead), "ahead")
    server.start()
    try:
        shown = clocks.wrong_by(f"127.0.0.1:{server.port}")
    finally:
        server.stop()

    assert clocks.is_near(shown, DAY)
    assert not clocks.is_near(shown, 0)
    assert not clocks.is_near(shown, -DAY)


def test_a_service_that_does_not_answer_shows_no_clock() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))

        shown = clocks.wrong_by(f"127.0.0.1:{silent.getsockname()[1]}")

    assert shown is None
    assert not clocks.is_near(shown, 0)
