"""What each row gave when it was last measured, in build/bench/rows: of all of them a page is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from tests.performance.result import QUICK_SHARE, Found, Ratio

FOLDER = Path("build", "bench", "rows")


@dataclass(frozen=True)
class Kept:
    """A row as it was measured, and how."""

    row: str
    began: datetime
    """UTC."""
    load: float
    """Of the machine, when the row began."""
    words: str
    """The command that asked for it."""
    quick: bool
    found: Found

    @property
    def ratios(self) -> list[Ratio]:
        """Its claims, as they were held against what was asked."""
        return self.found.ratios(QUICK_SHARE if self.quick else 1.0)


_JSON = TypeAdapter(Kept)


def save(kept: Kept, root: Path) -> None:
    """Keep it in place of what the row gave before in a run of that size. Raises OSError."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    measured = replace(kept.found, contest=replace(kept.found.contest, arms={}))  # how to run them is the code's to say
    _file(root, kept.row, quick=kept.quick).write_bytes(_JSON.dump_json(replace(kept, found=measured), indent=1))


def newest(rows: Sequence[str], root: Path) -> list[Kept]:
    """Of each of these rows what it gave last: in a full run where there was one, in a quick one otherwise.

    Raises OSError, and ValueError for a file that is not as this code writes it.
    """
    files = ((_file(root, row, quick=False), _file(root, row, quick=True)) for row in rows)
    found = (next((file for file in sizes if file.exists()), None) for sizes in files)
    return [_JSON.validate_json(file.read_bytes()) for file in found if file is not None]


def _file(root: Path, row: str, *, quick: bool) -> Path:
    return root / FOLDER / f"{row}{'-quick' * quick}.json"
