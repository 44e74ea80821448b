"""Which partner serves: chosen from the directory's entries by service and area. Pure."""

from collections.abc import Collection, Iterable

from services.chassis.directory import Partner
from services.chassis.language import SERVICES, Service


def choose(entries: Iterable[Partner], service: Service, area: str, excluding: Collection[str] = ()) -> Partner | None:
    """Return the partner that gives a service in an area, or None.

    Of several, the most local: the one that serves the fewest areas, then the first by id. `excluding` names
    the partners that were asked already.
    """
    word = SERVICES.word(service)
    serving = (entry for entry in entries if word in entry.serves and area in entry.areas and entry.id not in excluding)
    return min(serving, key=_locality, default=None)


def lead(entries: Iterable[Partner], area: str) -> Partner | None:
    """Return the area's lead agency, or None; of several, the most local."""
    leading = (entry for entry in entries if entry.lead and area in entry.areas)
    return min(leading, key=_locality, default=None)


def _locality(entry: Partner) -> tuple[int, str]:
    return len(entry.areas), entry.id
