"""The auditor in Go, which shares no code with the log: it passes right logs and finds every tampering, in time."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.unit.audit.log import tampering
from tests.unit.audit.log.support import VERIFIER, Records, a_log, copied

AUDITOR = Path(__file__).parents[3] / "deploy" / "auditor"
BUILD_SECONDS = 300
"""The first build fetches one module."""
RUN_SECONDS = 60
pytestmark = [pytest.mark.integration, pytest.mark.timeout(BUILD_SECONDS + RUN_SECONDS + tampering.HOW_MANY)]


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("auditor") / "auditor"
    command = ["go", "build", "-trimpath", "-o", str(program), "."]
    subprocess.run(command, cwd=AUDITOR, check=True, timeout=BUILD_SECONDS)
    return program


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "log"
    a_log(folder, [3_000, 1, 255, 66_700, 20, 24])
    return folder


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def served(log: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(log))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def audited(auditor: Path, log: Path | str, *options: str) -> tuple[int, str]:
    """The exit status and what it said."""
    command = [str(auditor), "-vkey", str(VERIFIER), *options, str(log)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("sizes", [[], [1], [255], [256], [257], [70_000], [100, 100, 100]])
def test_a_right_log_passes(auditor: Path, tmp_path: Path, sizes: list[int]) -> None:
    tree = a_log(tmp_path / "log", sizes)

    status, said = audited(auditor, tmp_path / "log")

    assert status == 0, said
    assert f"right: {tree.size} entries" in said


def test_a_log_passes_as_it_is_served(auditor: Path, served: str) -> None:
    status, said = audited(auditor, served)

    assert status == 0, said
    assert "right: 70000 entries" in said


def test_every_tampering_is_found_in_time(auditor: Path, log: Path, tmp_path: Path) -> None:
    for number in range(tampering.HOW_MANY):
        tampered = copied(log, tmp_path / "log")
        what = tampering.FILES[number % len(tampering.FILES)](tampered, random.Random(number))

        status, said = audited(auditor, tampered)

        assert status == 1, f"{number}: {what}: {said}"
        assert "WRONG" in said


def test_a_log_that_went_back_or_was_forked_whole_is_found_by_who_saw_it(auditor: Path, tmp_path: Path) -> None:
    records, seen = Records(), ("-seen", str(tmp_path / "seen"))
    a_log(tmp_path / "log", [600], records)
    back = copied(tmp_path / "log", tmp_path / "back")
    assert audited(auditor, tmp_path / "log", *seen)[0] == 0
    a_log(tmp_path / "log", [600], records)
    assert audited(auditor, tmp_path / "log", *seen)[0] == 0

    assert "went back" in audited(auditor, back, *seen)[1]
    assert "forked" in audited(auditor, tampering.another_log(tmp_path / "other", 1_300), *seen)[1]
    assert audited(auditor, tmp_path / "log", *seen)[0] == 0


def test_another_key_is_refused(auditor: Path, log: Path) -> None:
    other = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    done = subprocess.run([str(auditor), "-vkey", other, str(log)], capture_output=True, timeout=60, check=False)

    assert done.returncode == 1
