"""Services whose clock can be set a day ahead or behind while they run, by libfaketime; what is monotonic goes on."""

from __future__ import annotations

import http.client
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

DAY = 24 * 60 * 60
NOTICED_SECONDS = 1
"""How often a service looks at what its clock is to be."""
PLACES = ("usr/lib/*/faketime", "usr/lib/faketime", "usr/local/lib/faketime")
LIBRARY = "libfaketimeMT.so.1"
CLOCK = "FAKETIME_TIMESTAMP_FILE"


ANSWER_SECONDS = 3.0
NEAR_SECONDS = 60.0
"""Within which two clocks of one machine show the same."""


class NoLibrary(Exception):
    """libfaketime is not on this machine; the text says how it is had."""


def library(root: Path = Path("/")) -> Path:
    """Where libfaketime lies. Raises NoLibrary."""
    found = sorted(file for place in PLACES for file in root.glob(f"{place}/{LIBRARY}"))
    if not found:
        raise NoLibrary(f"{LIBRARY} is missing, without which no clock can be set: apt-get install faketime")
    return found[0]


class Clocks:
    """One file for each service says by how much its clock is wrong."""

    def __init__(self, folder: Path) -> None:
        """Raises NoLibrary."""
        self._library = library()
        self._folder = folder

    def environment(self, service: str) -> dict[str, str]:
        """With which the service is started, its clock right."""
        self.set(service, 0)
        return {
            "LD_PRELOAD": str(self._library),
            CLOCK: str(self._file(service)),
            "FAKETIME_CACHE_DURATION": str(NOTICED_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, service: str, seconds: int) -> None:
        """Let its clock be so much ahead, or behind where it is less than nothing, from a second later on."""
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._file(service).with_suffix(".new")
        temporary.write_text(f"{seconds:+d}\n")
        temporary.rename(self._file(service))

    def _file(self, service: str) -> Path:
        return self._folder / f"{service}.clock"


def wrong_by(address: str) -> float | None:
    """By how many seconds the clock of whoever serves HTTP there is ahead of ours; None where nobody answers."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        said = connection.getresponse().getheader("Date")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return parsedate_to_datetime(said).timestamp() - time.time() if said else None


def is_near(shown: float | None, wanted: int) -> bool:
    """Whether a clock is as wrong as is wanted."""
    return shown is not None and abs(shown - wanted) < NEAR_SECONDS
