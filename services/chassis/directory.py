"""Who exists at present: a file for each identity, looked at on every call, so that removal acts at once."""

import os
import threading
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.chassis.areafile import FileRefused, Strict, read, refuse
from services.chassis.areas import refuse_twice
from services.chassis.deciding import Refused, Why
from services.chassis.identity import ROLE_NAMES, Identity, Name
from services.chassis.language import SERVICES

LONGEST_KIND = 60
"""Characters of a kind: facts carry it with whoever acts (Actor.kind)."""


class BrokenEntry(Exception):
    """A directory file cannot be read; the text names role, id and what would be right."""


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner's entry: what it can be asked for, and where."""

    id: str
    name: str
    kind: str
    serves: tuple[str, ...]
    """Kinds of service, such as childrens_social_care."""
    areas: tuple[str, ...]
    public_key: bytes
    """X25519, 32 bytes; copies are encrypted to it."""
    kafka: bool
    """Whether it reads its own topic; else it uses the inbox by gRPC."""
    lead: bool
    """Whether it is told of what others let expire."""
    paused_until: date | None = None
    """The first day on which it takes legs on again."""
    capacity: str = "open"
    """open, limited (asked after those that are open) or full (not asked)."""
    council: str = ""
    """The coarse area by whose council's school days it works, where that is not always the concern's."""


Capacity = Literal["open", "limited", "full"]


def _known_service(word: str) -> str:
    SERVICES.number(word)
    return word


_ServiceWord = Annotated[str, AfterValidator(_known_service)]

# What tells one state of a file from another: a file replaced by rename has another inode.
_Version = tuple[int, int, int]


class Directory:
    """The files directory/<role>/<id>.toml. Thread-safe.

    A look-up costs one stat; a file is parsed again only where it changed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._people: dict[tuple[int, str], tuple[_Version, Identity]] = {}
        self._partners: dict[str, tuple[_Version, Partner]] = {}
        self._partner_ids: tuple[tuple[int, int], tuple[str, ...]] | None = None
        self._lock = threading.Lock()

    def find(self, name: Name) -> Identity:
        """Whoever has this name at present.

        Raises Refused (FORBIDDEN) for one who is not in the directory, BrokenEntry for a file that is wrong.
        """
        path = f"{self._root}/{ROLE_NAMES[name.role]}/{name.id}.toml"
        version = _version(path)
        if version is None:
            self._people.pop((name.role, name.id), None)
            raise Refused(Why.FORBIDDEN, "you are not in the directory", "ask an operator to enter you")
        known = self._people.get((name.role, name.id))
        if known is not None and known[0] == version:
            return known[1]
        entry = _read(Path(path))
        identity = Identity(name.role, name.id, _kind(entry, path), _text(entry, "team", path))
        self._people[name.role, name.id] = version, identity
        return identity

    def partners(self) -> tuple[Partner, ...]:
        """Every partner at present, by id. One stat for the folder and one for each file.

        Raises BrokenEntry for a file that is wrong.
        """
        with self._lock:
            return tuple(self._current_partners())

    def refuse_elsewhere(self, partners: Sequence[Partner], areas: frozenset[str]) -> None:
        """Raises BrokenEntry for a partner of an area or a council that there is not: nobody would ever ask it."""
        for partner in partners:
            for key, codes in (("areas", partner.areas), ("council", (partner.council,) if partner.council else ())):
                for code in codes:
                    if code not in areas:
                        path = self._root / "partner" / f"{partner.id}.toml"
                        right = "one of " + ", ".join(sorted(areas))
                        raise _broken(path, refuse(path, (key,), f"there is no area {code}", right))

    def partner(self, partner_id: str) -> Partner | None:
        """One partner's entry at present, or None."""
        return next((partner for partner in self.partners() if partner.id == partner_id), None)

    def _current_partners(self) -> Iterator[Partner]:
        folder = f"{self._root}/partner"
        for partner_id in self._ids(folder):
            path = f"{folder}/{partner_id}.toml"
            version = _version(path)
            if version is None:  # removed since the folder was listed
                continue
            known = self._partners.get(partner_id)
            if known is None or known[0] != version:
                try:
                    known = version, _partner(Path(path))
                except BrokenEntry:
                    if _version(path) is None:  # removed while it was read
                        continue
                    raise
                self._partners[partner_id] = known
            yield known[1]

    def _ids(self, folder: str) -> tuple[str, ...]:
        try:
            found = os.stat(folder)
        except FileNotFoundError:
            return ()
        version = found.st_mtime_ns, found.st_ino
        if self._partner_ids is None or self._partner_ids[0] != version:
            self._partner_ids = version, tuple(sorted(path.stem for path in Path(folder).glob("*.toml")))
            self._partners = {key: self._partners[key] for key in self._partner_ids[1] if key in self._partners}
        return self._partner_ids[1]


def _version(path: str) -> _Version | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:  # removed between stat and open
        raise Refused(Why.FORBIDDEN, "you are not in the directory", "ask an operator to enter you") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenEntry(f"{_who(path)}: not TOML; write one `key = value` a line") from error


class _Entry(Strict):
    """A partner's file."""

    name: str
    kind: Annotated[str, Field(max_length=LONGEST_KIND)]
    serves: Annotated[Sequence[_ServiceWord], Field(min_length=1, examples=['["housing"]'])]
    areas: Annotated[Sequence[str], Field(min_length=1, examples=['["bristol"]'])]
    public_key: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$", examples=['"<X25519 key, 64 hex digits>"'])]
    kafka: Annotated[bool, Field(examples=["true"])] = False
    lead: Annotated[bool, Field(examples=["true"])] = False
    team: str = ""
    paused_until: Annotated[date, Field(examples=["2026-12-01"])] | None = None
    capacity: Capacity = "open"
    council: str = ""

    def model_post_init(self, _: object) -> None:
        """See areas.PlannedPartner."""
        refuse_twice("areas", self.areas)
        refuse_twice("serves", self.serves)


def _partner(path: Path) -> Partner:
    try:
        entry = read(path, _Entry)
    except FileRefused as refused:
        raise _broken(path, refused) from None
    return Partner(
        id=path.stem,
        name=entry.name,
        kind=entry.kind,
        serves=tuple(entry.serves),
        areas=tuple(entry.areas),
        public_key=bytes.fromhex(entry.public_key),
        kafka=entry.kafka,
        lead=entry.lead,
        paused_until=entry.paused_until,
        capacity=entry.capacity,
        council=entry.council,
    )


def _broken(path: Path, refused: FileRefused) -> BrokenEntry:
    return BrokenEntry(f"{_who(path)}:{refused.line}: {refused.wrong}; right would be: {refused.right}")


def _text(entry: dict[str, object], key: str, where: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise BrokenEntry(f'{_who(Path(where))}: {key} must be a text, such as {key} = "…"')
    return value


def _kind(entry: dict[str, object], where: str) -> str:
    kind = _text(entry, "kind", where)
    if len(kind) > LONGEST_KIND:
        raise BrokenEntry(f"{_who(Path(where))}: kind is longer than {LONGEST_KIND} characters; write it shorter")
    return kind


def _who(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
