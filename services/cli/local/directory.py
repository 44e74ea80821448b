"""The directory: who there is, one TOML file each. Deleting a file removes that identity at once."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.chassis.directory import LONGEST_KIND
from services.cli.local import home as files
from services.cli.local.home import Home

ROLES = frozenset(
    {
        "officer",
        "volunteer",
        "public",
        "triage",
        "supervisor",
        "protection",
        "partner",
        "auditor",
        "operator",
        "system",
        "service",
    }
)
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")

Value = str | bool | Sequence[str]


def check(role: str, name: str) -> None:
    """Raise ValueError unless both can stand in a URI and a file name."""
    if role not in ROLES:
        raise ValueError(f"role {role!r}: must be one of {', '.join(sorted(ROLES))}")
    if not NAME.fullmatch(name):
        raise ValueError(f"id {name!r}: must be lower-case letters, digits, dots, hyphens and underscores, up to 100")


def check_kind(kind: str) -> None:
    """Raise ValueError for a kind that no fact could carry: services would refuse the entry."""
    if len(kind) > LONGEST_KIND:
        raise ValueError(f"a kind of {len(kind)} characters: must be at most {LONGEST_KIND}")


def write(home: Home, role: str, name: str, fields: Mapping[str, Value]) -> Path:
    """Write or replace the entry; `name` and `kind` are required fields."""
    missing = {"name", "kind"} - set(fields)
    if missing:
        raise ValueError(f"directory entry {role}/{name}: {', '.join(sorted(missing))} missing")
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in fields.items())
    tomllib.loads(text)
    path = entry(home, role, name)
    files.write(path, text)
    return path


def read(home: Home, role: str, name: str) -> dict[str, object]:
    """The entry's fields. Raises FileNotFoundError when there is none."""
    return tomllib.loads(entry(home, role, name).read_text())


def remove(home: Home, role: str, name: str) -> None:
    """Remove the identity; one that is not there is no error."""
    entry(home, role, name).unlink(missing_ok=True)


def names(home: Home, role: str) -> list[str]:
    """Every id that has the role."""
    return sorted(path.stem for path in (home.directory / role).glob("*.toml"))


def entry(home: Home, role: str, name: str) -> Path:
    """The file of an identity, whether it is there or not. Raises ValueError for a name that cannot be one."""
    check(role, name)
    return home.directory / role / f"{name}.toml"


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"[{', '.join(_toml(item) for item in value)}]"
