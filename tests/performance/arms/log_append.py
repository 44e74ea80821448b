"""Arm: entries of 400 bytes into audit's log, with its syncs; prints one JSON document as the peer in Go does."""

from __future__ import annotations

import json
import sys
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.log.leaf import Batch
from services.audit.log.note import Signer
from services.audit.log.writer import Writer
from tests.performance.process import most_resident

ENTRY_BYTES = 400
DIFFERENT = 4_000
"""Entries come again after so many: what is measured is not their making."""
PLACE = ("00000000-0000-4000-8000-000000000000", 0)


@dataclass(frozen=True)
class Settings:
    """What the arm is told on its standard input."""

    folder: str
    entries: int
    in_flight: int
    """How many wait at a time: what waits goes into the log together."""
    rate: int = 0
    """Entries a second, instead of as many as can be."""


def main() -> None:
    settings = Settings(**json.loads(sys.stdin.read()))
    made = [str(number).encode().ljust(ENTRY_BYTES, b"\0") for number in range(DIFFERENT)]
    with Writer(Path(settings.folder), Signer("bench.invalid/log", Ed25519PrivateKey.generate())) as writer:
        cpu, began = time.process_time(), time.monotonic()
        took = _paced(writer, made, settings) if settings.rate else _saturated(writer, made, settings)
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        memory = most_resident()  # before what is measured is sorted
        assert writer.tree.size == settings.entries
    took = array("f", sorted(took))
    found = {
        "per_second": settings.entries / wall,
        "per_cpu": settings.entries / cpu,
        "p50": took[len(took) // 2] * 1_000,
        "p99": took[len(took) * 99 // 100] * 1_000,
        "memory": memory,
    }
    sys.stdout.write(json.dumps(found) + "\n")


def _saturated(writer: Writer, made: Sequence[bytes], settings: Settings) -> array[float]:
    took = array("f")
    for start in range(0, settings.entries, settings.in_flight):
        began = time.monotonic()
        until = min(start + settings.in_flight, settings.entries)
        writer.append(_batch(made, start, until))
        # One for the whole batch: a figure for each entry would be most of the memory that is measured.
        took.append(time.monotonic() - began)
    return took


def _batch(made: Sequence[bytes], start: int, until: int) -> Batch:
    return Batch([made[number % DIFFERENT] for number in range(start, until)], {PLACE: (start, until)})


def _paced(writer: Writer, made: Sequence[bytes], settings: Settings) -> array[float]:
    """Each is due at its own time; what is due goes in together, as the sequencer takes what a poll gave it."""
    took, rate = array("f"), settings.rate
    began, done = time.monotonic(), 0
    while done < settings.entries:
        due = min(settings.entries, int((time.monotonic() - began) * rate) + 1)
        if due == done:
            time.sleep(max(0.0, began + done / rate - time.monotonic()))
            continue
        writer.append(_batch(made, done, due))
        now = time.monotonic()
        took.extend(now - (began + number / rate) for number in range(done, due))
        done = due
    return took


if __name__ == "__main__":
    main()
