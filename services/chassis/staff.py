"""Whose keys the directory states: `person_keys` of the people who may call, so that their own records are watched."""

from __future__ import annotations

import re
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from services.chassis import logs
from services.chassis.identity import ROLES, Name

PERSON_KEYS = "person_keys"
STAFF_ROLES = ("officer", "volunteer", "triage", "supervisor", "protection", "auditor", "operator")
"""Roles that people have who work for the service; the public, partners and programs are nobody's colleagues."""
LOOK_EVERY = 2.0
_KEY = re.compile(r"[0-9a-f]{32}")
_Version = tuple[int, int, int]
log = logs.get(__name__)


class Staff:
    """Reads the directory anew every LOOK_EVERY seconds, and of it what changed. Thread-safe."""

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._lock = threading.Lock()
        self._files: dict[Path, tuple[_Version, frozenset[bytes]]] = {}
        self._by_key: Mapping[bytes, frozenset[Name]] = {}
        self._until = float("-inf")

    def by_key(self) -> Mapping[bytes, frozenset[Name]]:
        """Whom each key belongs to; one person may have several names."""
        with self._lock:
            if self._clock() >= self._until:
                self._by_key = self._read()
                self._until = self._clock() + LOOK_EVERY
            return self._by_key

    def _read(self) -> Mapping[bytes, frozenset[Name]]:
        found: dict[bytes, set[Name]] = {}
        files: dict[Path, tuple[_Version, frozenset[bytes]]] = {}
        for path, version in self._present():
            known = self._files.get(path)
            files[path] = known if known is not None and known[0] == version else (version, _keys(path))
            name = Name(ROLES[path.parent.name], path.stem)
            for key in files[path][1]:
                found.setdefault(key, set()).add(name)
        self._files = files
        return {key: frozenset(names) for key, names in found.items()}

    def _present(self) -> Iterator[tuple[Path, _Version]]:
        for role in STAFF_ROLES:
            for path in sorted((self._root / role).glob("*.toml")):
                try:
                    stat = path.stat()
                except FileNotFoundError:  # removed since the folder was listed
                    continue
                yield path, (stat.st_mtime_ns, stat.st_ino, stat.st_size)


def _keys(path: Path) -> frozenset[bytes]:
    """The keys of one entry; what is wrong in one is said, and stops nobody else's."""
    try:
        stated = tomllib.loads(path.read_text()).get(PERSON_KEYS, [])
    except FileNotFoundError:
        return frozenset()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        stated = None
    if not isinstance(stated, list) or not all(isinstance(key, str) and _KEY.fullmatch(key) for key in stated):
        log.error("person_keys_unreadable", entry=f"{path.parent.name}/{path.stem}")
        return frozenset()
    return frozenset(bytes.fromhex(key) for key in stated)
