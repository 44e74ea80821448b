"""What lies on topics compared with what must lie there: a record lost, repeated, altered or misplaced voids an arm."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from services.chassis.partitions import partition_of
from tests.performance.ground import PARTITIONS, Loaded

What = tuple[Any, ...]
"""What tells one delivered record from another."""


def differs(expected: Counter[What], delivered: Counter[What]) -> str:
    """In which way it is not the same, or nothing."""
    if delivered == expected:
        return ""
    lost, extra = expected - delivered, delivered - expected
    return f"lost {lost.total()} records, and gave {extra.total()} that it should not"


def forwarded(topic: str, record: Loaded, partitions: int = PARTITIONS) -> What:
    """What must become of a record that is handed on as it is: its bytes, in the partition that its key gives."""
    return topic, partition_of(record.key, partitions), record.key, hash(record.value)


def as_it_is(record: Any) -> What:
    """A delivered record, as `forwarded` expects it. Of the value the hash: a run delivers hundreds of MiB."""
    return record.topic, record.partition, record.key, hash(record.value)


def uneven(alike: Mapping[bytes, Hashable], records: Iterable[tuple[bytes, str, Hashable]]) -> str:
    """What is wrong with records whose bytes no two runs share, or nothing.

    `alike` names for each key that was given what it was made of: those of the same must have led to the same kinds of
    records, each once. A record is told by its key, its event's id and its kind.
    """
    kinds: dict[bytes, list[Hashable]] = {key: [] for key in alike}
    ids: Counter[str] = Counter()
    strangers = 0
    for key, event_id, kind in records:
        ids[event_id] += 1
        if key in kinds:
            kinds[key].append(kind)
        else:
            strangers += 1
    found: dict[Hashable, Counter[What]] = defaultdict(Counter)
    for key, of_key in kinds.items():
        found[alike[key]][tuple(sorted(of_key, key=repr))] += 1
    odd = sum(counts.total() - max(counts.values()) for counts in found.values())
    twice = ids.total() - len(ids)
    if not (strangers or twice or odd):
        return ""
    said = (
        f"gave {strangers} records of what nobody raised and {twice} a second time; {odd} referrals had others than"
        " those that were raised with the same words"
    )
    [usual, *others] = max((counts.most_common(2) for counts in found.values()), key=lambda two: len(two))
    return said + (f", such as {others[0][0]} and not {usual[0]}" if others else "")


def timeless(fact: Any) -> bytes:
    """A fact's bytes without the times in it: of facts that were decided of the same, all else is the same."""
    _forget_times(fact)
    raw: bytes = fact.SerializeToString(deterministic=True)
    return raw


def _forget_times(message: Any) -> None:
    for name, repeated, is_time in _with_times(message.DESCRIPTOR):
        if repeated:
            for one in getattr(message, name):
                _forget_times(one)
        elif message.HasField(name):
            if is_time:
                message.ClearField(name)
            else:
                _forget_times(getattr(message, name))


@cache
def _with_times(kind: Descriptor) -> tuple[tuple[str, bool, bool], ...]:
    """The fields that are a time or may hold one: name, whether there are several, whether it is a time itself."""
    found = []
    for field in kind.fields:
        within = field.message_type
        if within is None:
            continue
        is_time = within.full_name == "google.protobuf.Timestamp"
        if is_time or _with_times(within):
            found.append((field.name, field.is_repeated, is_time))
    return tuple(found)
