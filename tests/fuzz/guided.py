"""`make fuzz-guided CASES=…`: the same cases, steered by coverage: libFuzzer chooses where the dice fall (atheris)."""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

# Brought along by `make fuzz-guided` alone, and without types.
atheris: Any = import_module("atheris")

with atheris.instrument_imports(include=["services"]):
    from services.chassis import logs
    from tests.fuzz.decoders import decoders, of_files, somewhere
    from tests.fuzz.world import World


class Steered(random.Random):
    """Dice that fall as the bytes say, and always on 0 once there are no more."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._left: Iterator[int] = iter(data)

    def getrandbits(self, count: int, /) -> int:
        """So many bits of what is left."""
        wanted = -(-count // 8)
        found = bytes(next(self._left, 0) for _ in range(wanted))
        return int.from_bytes(found, "big") >> (wanted * 8 - count)

    def random(self) -> float:
        """Two bytes are fine enough for shares."""
        return self.getrandbits(16) / 65_536


def main() -> None:
    """Run until libFuzzer has done its `-runs`, or until the first defect, which it keeps as a file."""
    logs.configure("fuzz", "CRITICAL", io.StringIO())
    folder = somewhere()
    world = World(folder)
    for name in ("decoders", "files"):
        (folder / name).mkdir()
    once: list[Any] = [each.once for each in decoders(folder / "decoders", world.records)]
    once += [each.once for each in of_files(folder / "files")]

    def test_one(data: bytes) -> None:
        dice = Steered(data[1:])
        which = data[0] if data else 0
        if which < 96:
            world.call(dice)
        elif which < 128:
            world.fact(dice)
        else:
            once[which % len(once)](dice)

    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
