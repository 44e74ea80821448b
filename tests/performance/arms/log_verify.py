"""Arm: makes a log of so many real leaves, or verifies one as `referrals audit verify --log-only` does."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

from services.audit.log.leaf import Leaf, batch_of
from services.audit.log.note import Signer, Verifier
from services.audit.log.verify import verify
from services.audit.log.writer import Writer
from tests.performance.process import most_resident

TOPIC_ID = "00000000-0000-4000-8000-000000000000"
PARTITIONS, BATCH = 6, 5_000


def make(folder: Path, entries: int) -> None:
    """With a key that lies beside it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signer = Signer("bench.invalid/log", Ed25519PrivateKey.generate())
    with Writer(folder, signer) as writer:
        for start in range(0, entries, BATCH):
            writer.append(batch_of(map(_leaf, range(start, min(start + BATCH, entries)))))
    folder.with_suffix(".vkey").write_text(str(signer.verifier))


def _leaf(number: int) -> Leaf:
    return Leaf(
        "referrals.intake.v1",
        TOPIC_ID,
        number % PARTITIONS,
        number // PARTITIONS,
        1_795_374_854_123,
        hashlib.sha256(str(number).encode()).digest(),
        f"{number:036}",
        "safeguarding.v1.Raised",
        f"00000000-0000-4000-8000-{number:012}",
        "officer/x4021",
    )


def main() -> None:
    settings = json.loads(sys.stdin.read())
    folder = Path(settings["folder"])
    if settings.get("make"):
        make(folder, settings["entries"])
        return
    key = Verifier.parse(folder.with_suffix(".vkey").read_text())
    cpu, began = time.process_time(), time.monotonic()
    size = verify(folder, key).tree.size
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    found = {"per_second": size / wall, "per_cpu": size / cpu, "memory": most_resident()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
