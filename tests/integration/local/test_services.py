"""A service starts after what it needs, with its environment, counts as up when it says so, and ends first."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.local import plan
from services.cli.local.errors import NotReady
from services.cli.local.stack import Stack

pytestmark = pytest.mark.integration

# Ready at the third question; without the file that it is told of, never.
SERVICE = """
import http.server, os, pathlib
asked = 0
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        ready = asked > 2 and pathlib.Path(os.environ["INTAKE_TLS_KEY"]).exists() and self.path == "/readyz"
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"" if ready else b"waiting for a key")
host, port = os.environ["INTAKE_HTTP_ADDRESS"].split(":")
http.server.HTTPServer((host, int(port)), Answer).serve_forever()
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack whose intake is a stand-in: the real ones have tests of their own."""
    real = {entry.name: entry for entry in plan.PLAN}
    intake = plan.Entry(
        "intake",
        1,
        real["intake"].ports,
        lambda home, ports: [sys.executable, "-c", SERVICE],
        real["intake"].probe,
        environment_file=True,
    )
    monkeypatch.setattr(plan, "PLAN", (real["mongo"], intake))
    monkeypatch.setattr(plan, "is_installed", lambda entry: True)
    stack = Stack(tmp_path / "home")
    yield stack
    stack.stop()


def test_a_service_is_up_when_it_says_so_and_ends_before_the_store(stack: Stack) -> None:
    assert stack.start(["mongo", "intake"], timeout=30) == ["mongo", "intake"]
    assert [(row.name, row.trouble) for row in stack.status()] == [("mongo", ""), ("intake", "")]

    stack.stop()

    started, ended = [
        [line.split()[2] for line in stack.home.log("supervisor").read_text().splitlines() if word in line]
        for word in (" started", " stopped")
    ]
    assert (started, ended) == (["mongo", "intake"], ["intake", "mongo"])


def test_a_service_that_never_gets_ready_is_named_with_its_reason_and_log(stack: Stack) -> None:
    stack.start(["mongo", "intake"], timeout=30)
    (stack.home.identities / "service" / "intake" / "key.pem").unlink()

    with pytest.raises(NotReady, match=r"intake.http answers 503: waiting for a key: see .+/logs/intake.log"):
        stack.wait_ready(["intake"], timeout=1)


def test_a_suspended_process_is_in_trouble_until_it_goes_on(stack: Stack) -> None:
    stack.start(["mongo", "intake"], timeout=30)

    stack.freeze("intake")
    assert "intake.http does not answer" in {row.name: row.trouble for row in stack.status()}["intake"]
    stack.thaw("intake")

    stack.wait_ready(["intake"], timeout=10)
