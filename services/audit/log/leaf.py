"""The bytes of a leaf: one record of a topic, or a gap in it (the specification: services/audit/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Place = tuple[str, int]
"""A partition: the topic's id, which a topic made again does not share, and the partition's number."""

RECORD, GAP = b"referrals-leaf/v1\n", b"referrals-gap/v1\n"
_WHERE = (
    r"topic (?P<topic>[A-Za-z0-9._-]{1,249})\n"
    r"topic-id (?P<topic_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n"
    r"partition (?P<partition>0|[1-9][0-9]{0,9})\n"
    r"offset (?P<offset>0|[1-9][0-9]{0,18})\n"
)
_TIME = r"time (?P<time>0|-?[1-9][0-9]{0,18})\n"
_RECORD = re.compile(
    r"referrals-leaf/v1\n" + _WHERE + _TIME + r"(?:event (?P<event_id>[A-Za-z0-9._:-]{1,100})\n)?"
    r"(?:type (?P<type>[A-Za-z0-9._-]{1,200})\n)?"
    r"(?:referral (?P<referral_id>[0-9a-f-]{36})\n)?"
    r"(?:actor (?P<actor>[a-z-]{1,40}/[a-z0-9][a-z0-9._-]{0,99})\n)?"
    r"sha256 (?P<sha256>[0-9a-f]{64})\n"
)
_GAP = re.compile(
    r"referrals-gap/v1\n" + _WHERE + r"until (?P<until>[1-9][0-9]{0,18})\n" + _TIME + r"why (?P<why>[a-z-]{1,60})\n"
)


class NoLeaf(Exception):
    """The bytes are no leaf, or not in the one form that a leaf has."""


class Leaf(NamedTuple):
    """One record. `time` is the broker's: milliseconds since 1970, UTC. What nobody knows is empty."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    time: int
    sha256: bytes
    event_id: str = ""
    type: str = ""
    referral_id: str = ""
    actor: str = ""
    """`<role>/<id>`."""

    @property
    def until(self) -> int:
        """The offset that follows."""
        return self.offset + 1

    def encode(self) -> bytes:
        """The bytes. Raises ValueError for a field that a leaf may not have."""
        text = (
            f"referrals-leaf/v1\ntopic {self.topic}\ntopic-id {self.topic_id}\npartition {self.partition}\n"
            f"offset {self.offset}\ntime {self.time}\n"
            + (f"event {self.event_id}\n" if self.event_id else "")
            + (f"type {self.type}\n" if self.type else "")
            + (f"referral {self.referral_id}\n" if self.referral_id else "")
            + (f"actor {self.actor}\n" if self.actor else "")
            + f"sha256 {self.sha256.hex()}\n"
        )
        if not _RECORD.fullmatch(text):
            raise ValueError(f"{self.topic}/{self.partition} offset {self.offset}: a field is not as a leaf's must be")
        return text.encode("ascii")


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of which the topic has no record to log, and why; `until` is the first after them."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    until: int
    time: int
    """When it was found: milliseconds since 1970, UTC."""
    why: str

    def encode(self) -> bytes:
        """The bytes. Raises ValueError for a field that a gap may not have."""
        text = (
            f"referrals-gap/v1\ntopic {self.topic}\ntopic-id {self.topic_id}\npartition {self.partition}\n"
            f"offset {self.offset}\nuntil {self.until}\ntime {self.time}\nwhy {self.why}\n"
        )
        if not _GAP.fullmatch(text) or self.until <= self.offset:
            raise ValueError(f"{self.topic}/{self.partition} offset {self.offset}: a field is not as a gap's must be")
        return text.encode("ascii")


def decode(data: bytes) -> Leaf | Gap:
    """What the bytes say. Raises NoLeaf for all but the one canonical form."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise NoLeaf("not ASCII") from None
    if found := _RECORD.fullmatch(text):
        return Leaf(
            found["topic"],
            found["topic_id"],
            int(found["partition"]),
            int(found["offset"]),
            int(found["time"]),
            bytes.fromhex(found["sha256"]),
            found["event_id"] or "",
            found["type"] or "",
            found["referral_id"] or "",
            found["actor"] or "",
        )
    if found := _GAP.fullmatch(text):
        offset, until = int(found["offset"]), int(found["until"])
        if until > offset:
            place = (found["topic"], found["topic_id"], int(found["partition"]))
            return Gap(*place, offset, until, int(found["time"]), found["why"])
    raise NoLeaf("neither referrals-leaf/v1 nor referrals-gap/v1")


class Skipped(Exception):
    """Offsets do not follow on what the log holds."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Leaves to append together, and for each partition the offsets that they span: [from, until)."""

    leaves: Sequence[bytes]
    moves: Mapping[Place, tuple[int, int]]


def batch_of(leaves: Iterable[Leaf | Gap]) -> Batch:
    """The batch of these leaves. Raises Skipped where those of one partition do not follow on each other."""
    encoded: list[bytes] = []
    moves: dict[Place, tuple[int, int]] = {}
    for leaf in leaves:
        place = (leaf.topic_id, leaf.partition)
        start, reached = moves.get(place, (leaf.offset, leaf.offset))
        if reached != leaf.offset:
            raise Skipped(f"{leaf.topic}/{leaf.partition}: offset {leaf.offset} where {reached} must follow")
        moves[place] = (start, leaf.until)
        encoded.append(leaf.encode())
    return Batch(encoded, moves)


class Follower:
    """Follows the leaves of a log, and knows the next offset of each partition.

    With one dictionary look-up a leaf, since all that comes before its offset is the same for a whole partition.
    """

    def __init__(self, positions: Mapping[Place, int] | None = None) -> None:
        self._next: dict[Place, int] = dict(positions or {})
        self._heads: dict[bytes, list[int]] = {}
        self._head_of: dict[Place, bytes] = {}

    def follow(self, leaf: bytes) -> None:
        """Raises NoLeaf, or Skipped where its offset is not the next of its partition."""
        head, _, rest = leaf.partition(b"\noffset ")
        reached = self._heads.get(head)
        offset = rest[: rest.find(b"\n")]
        if reached is not None and offset == b"%d" % reached[0]:
            reached[0] += 1
        else:
            self._look(leaf, head)

    def positions(self) -> dict[Place, int]:
        """The next offset of each partition."""
        return self._next | {place: self._heads[head][0] for place, head in self._head_of.items()}

    def _look(self, leaf: bytes, head: bytes) -> None:
        """The first record of a partition, a gap, or what should not be there."""
        found = decode(leaf)
        place = (found.topic_id, found.partition)
        known = self._head_of.get(place)
        reached = self._heads[known][0] if known is not None else self._next.get(place, 0)
        if found.offset != reached:
            raise Skipped(f"{found.topic}/{found.partition}: offset {found.offset} where {reached} must follow")
        if isinstance(found, Leaf):
            if known is not None:
                raise Skipped(f"{found.topic}/{found.partition}: the topic's id has had another name")
            self._head_of[place] = head
            self._heads[head] = [found.until]
        elif known is not None:
            self._heads[known][0] = found.until
        else:
            self._next[place] = found.until
