"""Row 11: audit's transparency log beside Tessera's POSIX driver, in Go, on the same disk and with the same syncs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from services.cli.local.home import CHECKOUT
from tests.performance.compiled import compiled
from tests.performance.ground import Ground
from tests.performance.result import Claim, Contest, Sample
from tests.performance.work import hop_facts

RUN_SECONDS = 600
TUNED = ("-interval", "100ms")
"""The shortest that Tessera allows between checkpoints."""


def saturated(entries: int) -> Contest:
    """As many as can be, 4,000 in flight; over when the last is signed."""
    many = ("-in-flight", "4000")
    return Contest(
        "log, saturated",
        f"{entries:,} entries of 400 bytes appended, integrated, synced and signed, 4,000 in flight",
        {
            "log": lambda: _ours(entries, in_flight=4_000),
            "tessera": lambda: _tessera(entries, *many),
            "tessera tuned": lambda: _tessera(entries, *many, *TUNED, "-batch", "2048", "-age", "20ms"),
        },
        [
            Claim("11.cpu", "log to Tessera, by CPU-second", "log", "tessera", 1.5),
            Claim("11.cpu.tuned", "log to Tessera tuned, by CPU-second", "log", "tessera tuned", 1.5),
            Claim("11.clock", "log to Tessera, by the clock", "log", "tessera", 1.0, "per_second"),
            Claim("11.clock.tuned", "log to Tessera tuned, by the clock", "log", "tessera tuned", 1.0, "per_second"),
        ],
    )


def checkpointed(entries: int) -> Contest:
    """Each of 1,000 in flight waits until a checkpoint covers it."""
    waits = ("-in-flight", "1000", "-checkpointed", *TUNED, "-batch", "1000", "-age", "10ms")
    return Contest(
        "log, 1,000 in flight until checkpointed",
        f"{entries:,} entries of 400 bytes",
        {
            "log": lambda: _ours(entries, in_flight=1_000),
            "tessera tuned": lambda: _tessera(entries, *waits),
        },
        [Claim("11.wait", "log to Tessera tuned, until checkpointed", "log", "tessera tuned", 5, "per_second")],
    )


def latency(rate: int, seconds: int) -> Contest:
    """From when an entry is due to the checkpoint that covers it."""
    entries = rate * seconds
    paced = ("-in-flight", "4000", "-rate", str(rate), *TUNED, "-batch", "256", "-age", "5ms")
    name = f"11.p99.{rate}"
    return Contest(
        f"log, {rate} entries a second",
        f"{entries:,} entries of 400 bytes, each due at its time",
        {
            "log": lambda: _ours(entries, in_flight=4_000, rate=rate),
            "tessera tuned": lambda: _tessera(entries, *paced),
        },
        [Claim(name, f"log to Tessera tuned, p99 at {rate}/s", "log", "tessera tuned", 0.1, "p99", "at most")],
    )


def hashing(entries: int) -> Contest:
    """Tree and tile work alone."""
    kinds = {"log": "ours", "bare hashlib": "bare", "pymerkle": "pymerkle"}
    return Contest(
        "log, hashes and tiles",
        f"a tree of {entries:,} leaves of 400 bytes, in batches of 1,000; nothing is written",
        {name: partial(measured, "log_tree", {"entries": entries, "kind": kind}) for name, kind in kinds.items()},
        [
            Claim("11.hashes", "log to bare hashlib calls of the same number", "log", "bare hashlib", 0.6),
            Claim("11.pymerkle", "log to pymerkle's append", "log", "pymerkle", 4),
        ],
    )


def verifying(entries: int) -> Contest:
    """`audit verify --log-only` beside Tessera's fsck, on one log."""
    folder = CHECKOUT / "build" / f"bench-log-of-{entries}"
    vkey = folder.with_suffix(".vkey")

    def made() -> None:
        if not vkey.exists():
            shutil.rmtree(folder, ignore_errors=True)
            settings = {"folder": str(folder), "entries": entries, "make": True}
            _run([sys.executable, "-m", "tests.performance.arms.log_verify"], json.dumps(settings))

    def ours() -> Sample:
        made()
        return measured("log_verify", {"folder": str(folder)})

    def fsck() -> Sample:
        made()
        options = ["-folder", str(folder), "-entries", str(entries), "-fsck", vkey.read_text()]
        return _sample([compiled("tessera"), *options], "")

    return Contest(
        "log, verified",
        f"a log of {entries:,} leaves, read from its folder and verified whole",
        {"audit verify --log-only": ours, "tessera fsck": fsck},
        [Claim("11.verify", "verify to Tessera's fsck, by CPU time", "audit verify --log-only", "tessera fsck", 0.5)],
    )


def sequencing(ground: Ground, entries: int) -> Contest:
    """From Kafka to a log that is signed and an index that is committed."""
    [topic] = ground.topics(["bench.sequencer"])
    ground.load(topic, hop_facts(entries))

    def arm(kind: str) -> Sample:
        with tempfile.TemporaryDirectory(dir=CHECKOUT / "build", prefix="bench-log-") as folder:
            told = {"topic": topic, "entries": entries, "kind": kind, "database": "audit_bench"}
            return measured("log_sequencer", {**ground.settings, **told, "folder": f"{folder}/log"})

    def slower() -> Sample:
        halves = [arm("log"), arm("index")]
        return next((half for half in halves if half.void), min(halves, key=lambda half: half.per_second))

    return Contest(
        "sequencer",
        f"{entries:,} records of a topic of 4 partitions, to the log and to the index",
        {"sequencer": lambda: arm("whole"), "the slower of its halves": slower},
        [
            Claim(
                "11.sequencer",
                "sequencer to the slower of: Kafka to log; index alone",
                "sequencer",
                "the slower of its halves",
                0.8,
                "per_second",
            )
        ],
    )


def memory(entries: int) -> Contest:
    """Resident memory does not grow with the log."""
    few = 10_000
    return Contest(
        "log, memory",
        f"{few:,} and {entries:,} entries of 400 bytes, 1,000 at a time",
        {
            "few": lambda: _ours(few, in_flight=1_000),
            "many": lambda: _ours(entries, in_flight=1_000),
        },
        [Claim("11.memory", f"{entries:,} entries to {few:,}", "many", "few", 1.1, "memory", "at most")],
    )


def _ours(entries: int, **settings: int) -> Sample:
    with tempfile.TemporaryDirectory(dir=CHECKOUT / "build", prefix="bench-log-") as folder:
        return measured("log_append", {"folder": f"{folder}/log", "entries": entries, **settings})


def measured(arm: str, settings: Mapping[str, Any]) -> Sample:
    """An arm that ends by itself, and says what it took."""
    return _sample([sys.executable, "-m", f"tests.performance.arms.{arm}"], json.dumps(settings))


def _tessera(entries: int, *options: str) -> Sample:
    folder = Path(tempfile.mkdtemp(dir=CHECKOUT / "build", prefix="bench-tessera-log-"))
    try:
        return _sample([compiled("tessera"), "-folder", str(folder), "-entries", str(entries), *options], "")
    finally:
        shutil.rmtree(folder)


def _run(command: Sequence[str], given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=CHECKOUT, input=given, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )


def _sample(command: Sequence[str], given: str) -> Sample:
    """What the arm says of itself: its own CPU time and resident memory."""
    done = _run(command, given)
    if done.returncode:
        return Sample(void=f"ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return Sample(found["per_cpu"], found["per_second"], found["memory"], found.get("p50", 0.0), found.get("p99", 0.0))
