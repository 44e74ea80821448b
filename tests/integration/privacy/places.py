"""Everywhere that something could lie: records of every topic, documents of every store, every file of the home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bson

from tests.integration.house import House

NUMBERS_ONLY = {".index", ".timeindex"}
"""Kafka's indexes: offsets and times, made 10 MB large at once."""


def records(house: House) -> Iterator[tuple[str, bytes]]:
    """Every record: key, value and headers."""
    for record in house.records():
        parts = [record.key, record.value]
        for name, value in record.headers:
            parts += [name.encode() if isinstance(name, str) else name, value]
        yield f"{record.topic}/{record.partition}/{record.offset}", b"\0".join(part or b"" for part in parts)


def documents(house: House) -> Iterator[tuple[str, bytes]]:
    """Every document of every database."""
    for database in house.store.list_database_names():
        for name in house.store[database].list_collection_names():
            for document in house.store[database][name].find():
                yield f"{database}.{name}", bson.encode(document)


def files(house: House) -> Iterator[tuple[str, bytes]]:
    """Every file of the installation (stores, logs, environment) and every trace."""
    for root in (house.stack.home.root, house.traces):
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix not in NUMBERS_ONLY:
                yield str(path.relative_to(root.parent)), _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a store compacts its files while we look
        return b""
