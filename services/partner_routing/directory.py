"""Which partner serves: chosen from the directory's entries by service and area. Pure."""

from collections.abc import Collection, Iterable
from datetime import date

from services.chassis.directory import Partner
from services.chassis.language import SERVICES, Service


def choose(
    entries: Iterable[Partner], service: Service, area: str, on: date, excluding: Collection[str] = ()
) -> Partner | None:
    """Return the partner that gives a service in an area on that day, or None.

    One that is paused or full is not asked, one with little capacity after those with enough. Of several, the most
    local: the one that serves the fewest areas, then the first by id. `excluding` names the partners that were asked
    already. None is the caller's cue for its fallback, the lead agency.
    """
    word = SERVICES.word(service)
    serving = (
        entry
        for entry in entries
        if word in entry.serves and area in entry.areas and entry.id not in excluding and takes_on(entry, on)
    )
    return min(serving, key=lambda entry: (entry.capacity != "open", *_locality(entry)), default=None)


def takes_on(entry: Partner, on: date) -> bool:
    """True where the partner is neither full nor paused on that day."""
    return entry.capacity != "full" and (entry.paused_until is None or entry.paused_until <= on)


def lead(entries: Iterable[Partner], area: str) -> Partner | None:
    """Return the area's lead agency, or None; of several, the most local."""
    leading = (entry for entry in entries if entry.lead and area in entry.areas)
    return min(leading, key=_locality, default=None)


def _locality(entry: Partner) -> tuple[int, str]:
    return len(entry.areas), entry.id
