"""kill -9 of the sequencer at random moments under load: no entry lost, none twice, no checkpoint ever taken back.

KILLS says how many: 8 in `make test`, 200 in `make chaos-night`.
"""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from services.audit.log.checkpoint import Tree, open_checkpoint
from services.chassis import kafka_headers
from services.cli.local.stack import Stack
from tests.integration.audit.alone import started
from tests.integration.audit.conftest import SCHOOL
from tests.integration.audit.support import everywhere, log_of, send, verifier, wait_for_all
from tests.integration.audit.test_sequencer import assert_kept_once
from tests.waiting import happens

KILLS = int(os.environ.get("KILLS", "8"))
SEED = int(os.environ.get("SEED", "4"))
BATCH, PAUSE_SECONDS = 40, 0.25
"""The load, for as long as there are kills; not more, since all tests after this one read it again."""
pytestmark = [pytest.mark.integration, pytest.mark.timeout(120 + 10 * KILLS)]


def watch(stack: Stack, seen: set[Tree], ended: threading.Event) -> None:
    """Remember every checkpoint that is there to be served."""
    while not ended.wait(0.005):
        try:
            note = (stack.home.audit / "log" / "checkpoint").read_bytes()
        except FileNotFoundError:
            continue
        seen.add(open_checkpoint(note, verifier(stack))[0].tree)


def load(stack: Stack, sent: list[int], ended: threading.Event) -> None:
    """Records on every topic, for as long as it is killed."""
    while not ended.wait(PAUSE_SECONDS):
        send(stack, everywhere(BATCH, SCHOOL.id))
        sent.append(BATCH)


def test_kills_at_random_moments_lose_and_repeat_nothing_and_take_no_checkpoint_back(
    audit: Stack, broker: Stack, index: Database[dict[str, Any]], tmp_path: Path
) -> None:
    kafka_headers.tolerate()
    audit.hold("audit")
    seen: set[Tree] = set()
    sent: list[int] = []
    ended, chosen = threading.Event(), random.Random(SEED)
    threads = [
        threading.Thread(target=watch, args=(audit, seen, ended)),
        threading.Thread(target=load, args=(broker, sent, ended)),
    ]
    for thread in threads:
        thread.start()
    moved = 0
    try:
        for _ in range(KILLS):
            before = len(seen)
            process = started(audit, tmp_path / "said")
            try:
                happens("a checkpoint", lambda before=before: len(seen) > before, 30)  # type: ignore[misc]
                moved += 1
                ended.wait(chosen.uniform(0, 0.5))
            finally:
                process.kill()
                process.wait(10)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        audit.start(["audit"])

    wait_for_all(audit, index, 60 + KILLS)

    log = log_of(audit)
    assert moved == KILLS
    assert len(seen) > KILLS
    assert all(log.root(tree.size) == tree.root for tree in seen)
    assert_kept_once(audit, index)
