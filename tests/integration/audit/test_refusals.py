"""What stops the sequencer, and that it says so: a full disk, a second writer, an old copy of its log, no witness."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from services.audit.log.checkpoint import open_checkpoint
from services.audit.log.disk import Disk
from services.audit.log.verify import verify
from services.cli.local.stack import Stack
from tests.fakes.witness import Witness
from tests.integration.audit.alone import Alone, started
from tests.integration.audit.conftest import SCHOOL
from tests.integration.audit.support import everywhere, log_of, on_the_broker, send, verifier, wait_for_all
from tests.unit.audit.log.support import VERIFIER
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

Index = Database[dict[str, Any]]


class FullDisk(Disk):
    """A disk that takes no byte more while `full` is set."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.full = threading.Event()

    def write(self, path: str, data: bytes) -> None:
        """A part of it, then no more."""
        super().write(path, data[: len(data) // 2] if self.full.is_set() else data)
        if self.full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    def replace(self, path: str, data: bytes) -> None:
        """Never by half."""
        if self.full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        super().replace(path, data)


def test_on_a_full_disk_it_signs_nothing_says_so_and_goes_on_by_itself(
    audit: Stack, broker: Stack, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "log"
    disk = FullDisk(folder)
    with Alone(audit, disk) as alone:
        happens("all that there is", lambda: alone.covered() >= sum(on_the_broker(audit).values()))
        signed = (folder / "checkpoint").read_bytes()
        disk.full.set()
        send(broker, everywhere(50, SCHOOL.id))
        happens("it says that the log is away", lambda: alone.told.get("log") is False)
        assert (folder / "checkpoint").read_bytes() == signed

        disk.full.clear()

        happens("what came meanwhile", lambda: alone.covered() >= sum(on_the_broker(audit).values()))
        happens("it says that the log is there again", lambda: alone.told["log"])
        assert not alone.fatal
    assert verify(folder, VERIFIER).tree.size >= 50
    assert "No space left on device" in capfd.readouterr().out


def ended(stack: Stack, output: Path, **changed: str) -> str:
    """What a further audit says that does not stay up; its exit status is that of what only people can mend."""
    process = started(stack, output, "services.audit", **changed)
    try:
        assert process.wait(30) == 70
    finally:
        process.kill()
    return output.read_text()


def test_a_second_audit_is_fenced_off_and_says_so(audit: Stack, tmp_path: Path) -> None:
    audit.wait_ready(["audit"])

    assert "another process writes this log, and only one may" in ended(audit, tmp_path / "said")


def test_an_old_copy_of_the_log_is_refused_with_both_sizes(
    audit: Stack, broker: Stack, index: Index, tmp_path: Path
) -> None:
    wait_for_all(audit, index)
    audit.hold("audit")
    old = log_of(audit).size
    shutil.copytree(audit.home.audit / "log", tmp_path / "old")
    audit.start(["audit"])
    send(broker, everywhere(20, SCHOOL.id))
    wait_for_all(audit, index)
    audit.hold("audit")
    try:
        said = ended(audit, tmp_path / "said", LOG=str(tmp_path / "old"))
    finally:
        audit.start(["audit"])

    assert f"{old} entries" in said
    assert f"{log_of(audit).size} entries" in said or f"{old + 20} entries" in said
    assert "an old copy of the log was restored" in said


def test_a_configured_witness_cosigns_what_is_served_and_without_it_nothing_is(
    audit: Stack, broker: Stack, tmp_path: Path
) -> None:
    """A further audit with a log, a database and a witness of its own."""
    folder, said = tmp_path / "log", tmp_path / "said"
    own = {
        "LOG": str(folder),
        "LOG_SECOND_MEMORY": str(tmp_path / "signed"),
        "MONGO_DATABASE": f"audit_{tmp_path.name[-8:]}".replace("-", "_"),
        "LOG_WITNESSES": str(tmp_path / "witnesses.toml"),
    }
    key = verifier(audit)

    def cosigned() -> int:
        try:
            note = (folder / "checkpoint").read_bytes()
        except FileNotFoundError:
            return 0
        checkpoint, opened = open_checkpoint(note, key, [witness.remote.key])
        return checkpoint.tree.size if len(opened.verified) == 2 else 0

    with Witness("witness.test.invalid/w", key) as witness:
        listed = f'[[witness]]\nkey = "{witness.remote.key}"\nurl = "{witness.remote.url}"\n'
        (tmp_path / "witnesses.toml").write_text(f"quorum = 1\n{listed}")
        process = started(audit, said, "services.audit", **own)
        try:
            happens("all is cosigned", lambda: cosigned() >= sum(on_the_broker(audit).values()) > 0, 60)
            witness.away = True
            size = cosigned()
            send(broker, everywhere(20, SCHOOL.id))
            happens("it says why it waits", lambda: "fewer than 1 witnesses cosigned" in said.read_text())
            assert cosigned() == size
            witness.away = False
            happens("it goes on by itself", lambda: cosigned() >= size + 20)
        finally:
            process.terminate()
            process.wait(30)
