"""Which partner serves: chosen from the directory's entries by service and area. Pure once they are read."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.chassis.areafile import Strict, read
from services.chassis.language import Service


@dataclass(frozen=True, slots=True)
class Entry:
    """A partner as the directory knows it."""

    id: str
    name: str
    serves: frozenset[Service]
    areas: frozenset[str]
    kafka: bool
    lead: bool
    public_key: bytes
    """X25519, 32 bytes; empty for a partner without one."""
    respond_clock: str = ""
    """The clock for this partner's answers, where it has its own."""


class _EntryFile(Strict):
    name: Annotated[str, Field(min_length=1, examples=['"Meadow Homes"'])]
    kind: Annotated[str, Field(examples=['"charity"'])] = ""
    team: str = ""
    serves: Annotated[Sequence[Service], Field(examples=['["housing"]'])]
    areas: Annotated[Sequence[str], Field(min_length=1, examples=['["bristol"]'])]
    public_key: Annotated[
        str, Field(pattern=r"^([0-9a-f]{64})?$", examples=['"<64 hexadecimal digits>"'])
    ] = ""
    kafka: Annotated[bool, Field(examples=["true"])]
    lead: bool = False
    respond_clock: str = ""


def load_entries(directory: Path) -> tuple[Entry, ...]:
    """Read directory/partner/*.toml, by id; raises FileRefused."""
    return tuple(_entry(path) for path in sorted((directory / "partner").glob("*.toml")))


def _entry(path: Path) -> Entry:
    found = read(path, _EntryFile)
    return Entry(
        id=path.stem,
        name=found.name,
        serves=frozenset(found.serves),
        areas=frozenset(found.areas),
        kafka=found.kafka,
        lead=found.lead,
        public_key=bytes.fromhex(found.public_key),
        respond_clock=found.respond_clock,
    )


def choose(
    entries: Iterable[Entry], service: Service, area: str, excluding: Collection[str] = ()
) -> Entry | None:
    """Return the partner that gives a service in an area, or None.

    Of several, the most local: the one that serves the fewest areas, then the first by id. `excluding` names the
    partners that were asked already.
    """
    serving = (
        entry
        for entry in entries
        if service in entry.serves and area in entry.areas and entry.id not in excluding
    )
    return min(serving, key=_locality, default=None)


def lead(entries: Iterable[Entry], area: str) -> Entry | None:
    """Return the area's lead agency, or None; of several, the most local."""
    return min(
        (entry for entry in entries if entry.lead and area in entry.areas), key=_locality, default=None
    )


def _locality(entry: Entry) -> tuple[int, str]:
    return len(entry.areas), entry.id
