"""Ways to tamper with a log. Each changes a copy of it, and says what it did."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from services.audit.log import disk as disks
from services.audit.log.checkpoint import Checkpoint, Tree
from services.audit.log.note import sign
from tests.unit.audit.log.support import NAME, SIGNER, Records, a_log

Tampering = Callable[[Path, random.Random], str]
HOW_MANY = int(os.environ.get("TAMPERINGS", "60"))
"""60 in `make test`, 1,000 in `make chaos-night`."""
OWN = ("positions", "lock")
"""The writer's own files, which are no part of what is served."""


def _pick(log: Path, chosen: random.Random, prefix: str = "") -> str:
    found = [name for name in disks.files(log) if name.startswith(prefix) and name not in OWN]
    return chosen.choice([name for name in found if (log / name).stat().st_size])


def flip(log: Path, chosen: random.Random) -> str:
    """One bit of any file."""
    name = _pick(log, chosen)
    data = bytearray((log / name).read_bytes())
    bit = chosen.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    (log / name).write_bytes(data)
    return f"bit {bit} of {name}"


def flip_in_checkpoint(log: Path, chosen: random.Random) -> str:
    """One bit of the checkpoint."""
    data = bytearray((log / "checkpoint").read_bytes())
    bit = chosen.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    (log / "checkpoint").write_bytes(data)
    return f"bit {bit} of checkpoint"


def truncate(log: Path, chosen: random.Random) -> str:
    """The end of any file is cut off."""
    name = _pick(log, chosen)
    data = (log / name).read_bytes()
    kept = chosen.randrange(len(data))
    (log / name).write_bytes(data[:kept])
    return f"{name} cut to {kept} of {len(data)} bytes"


def lengthen(log: Path, chosen: random.Random) -> str:
    """Something is added to any file."""
    name = _pick(log, chosen)
    with (log / name).open("ab") as file:
        file.write(b"\0" * chosen.choice([1, 2, 32]))
    return f"{name} made longer"


def remove(log: Path, chosen: random.Random) -> str:
    """A file that the checkpoint needs is taken away. (Of earlier partial files nobody can say which there were.)"""
    name = _pick(log, chosen)
    while ".p/" in name and int(name.rpartition("/")[2]) < max(map(int, os.listdir((log / name).parent))):
        name = _pick(log, chosen)
    (log / name).unlink()
    return f"{name} removed"


def add(log: Path, chosen: random.Random) -> str:
    """A file is put beside the others."""
    name = chosen.choice(["tile/0/999", "tile/entries/x001/000", "tile/3/000.p/1", "note.txt", "tile/0/000.p/7"])
    (log / name).parent.mkdir(parents=True, exist_ok=True)
    (log / name).write_bytes(bytes(32))
    return f"{name} added"


def swap(log: Path, chosen: random.Random) -> str:
    """Two tiles, or two bundles, change places."""
    kind = chosen.choice(["tile/0/", "tile/entries/"])
    full = [name for name in disks.files(log) if name.startswith(kind) and ".p/" not in name]
    one, other = chosen.sample(full, 2)
    held = (log / one).read_bytes()
    (log / one).write_bytes((log / other).read_bytes())
    (log / other).write_bytes(held)
    return f"{one} and {other} swapped"


def sign_another_root(log: Path, chosen: random.Random) -> str:
    """The checkpoint is signed, by the log's own key, with another root."""
    tree = Tree(int((log / "checkpoint").read_text().split("\n")[1]), chosen.randbytes(32))
    (log / "checkpoint").write_bytes(sign(Checkpoint(NAME, tree).text(), SIGNER))
    return "forked checkpoint"


FILES: tuple[Tampering, ...] = (
    flip,
    flip,
    flip_in_checkpoint,
    truncate,
    lengthen,
    remove,
    add,
    swap,
    sign_another_root,
)


def another_log(folder: Path, size: int) -> Path:
    """A whole log of the same key, with other entries."""
    a_log(folder, [size], Records("another"))
    return folder
