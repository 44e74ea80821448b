"""What intake takes from its area: the coarse areas that a concern may name, and the keys of well-known persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.chassis.areafile import Strict, read, refuse
from services.chassis.areas import load_areas

WELL_KNOWN = "well_known.toml"
KEY_PATTERN = r"^[0-9a-f]{32}$"


class WellKnown(Strict):
    """A person whose record draws the curious. Nobody is named: only whoever has the linking key can tell who it is."""

    keys: Annotated[
        Sequence[Annotated[str, Field(pattern=KEY_PATTERN, examples=['"0f1e2d3c4b5a69788796a5b4c3d2e1f0"'])]],
        Field(min_length=1, examples=['["<what `referrals watch well-known` prints>"]']),
    ]
    source: Annotated[str, Field(min_length=1, examples=['"list of the professional standards department, 2026-10"'])]


class _WellKnownFile(Strict):
    person: Sequence[WellKnown] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """What the files state."""

    codes: frozenset[str]
    well_known: frozenset[bytes] = frozenset()


def load_area(area: Path) -> Area:
    """Read partners.toml, and well_known.toml where the area has one; raises FileRefused."""
    return Area(load_areas(area).codes, _well_known(area / WELL_KNOWN))


def _well_known(path: Path) -> frozenset[bytes]:
    if not path.exists():
        return frozenset()
    keys: set[bytes] = set()
    for place, person in enumerate(read(path, _WellKnownFile).person):
        for number, key in enumerate(person.keys):
            made = bytes.fromhex(key)
            if made in keys:
                at = ("person", place, "keys", number)
                raise refuse(path, at, "this key is stated twice", "one table a person, and each key once")
            keys.add(made)
    return frozenset(keys)
