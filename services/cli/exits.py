"""How the command ends: what each exit status means, and the one exception that carries a reason to the person.

| status | means                                                                                         |
|--------|-----------------------------------------------------------------------------------------------|
| 0      | done                                                                                          |
| 1      | our fault, or unavailable: nothing is known to have happened; the same command may be repeated |
| 2      | usage: the command line is wrong                                                              |
| 3      | the local stack is not up                                                                     |
| 4      | refused: what was asked is invalid, unknown, stale, not allowed or not legal now; nothing changed |
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit statuses; the table above."""

    OK = 0
    FAULT = 1
    USAGE = 2
    NOT_UP = 3
    REFUSED = 4


@dataclass(eq=False)
class Failed(Exception):
    """Why a command ended without doing what was asked. Nothing personal stands in it."""

    status: Exit
    code: str
    """Such as NOT_FOUND; for programs."""
    wrong: str
    right: str = ""
    next: str = ""
    """What to type or do now."""
    fields: tuple[tuple[str, str], ...] = ()
    """Each wrong field with what would be right."""
    legal: tuple[str, ...] = ()
    """The moves that are legal now."""

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """For a person, most important first."""
        found = [f"{self.code}: {self.wrong}"]
        found += [f"  {name or 'request'}: {right}" for name, right in self.fields]
        if self.right and not self.fields:
            found.append(f"  right: {self.right}")
        if self.legal:
            found.append(f"  legal now: {', '.join(self.legal)}")
        if self.next:
            found.append(f"  next: {self.next}")
        return found

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        found = {**asdict(self), "status": int(self.status)}
        found["fields"] = [{"field": name, "right": right} for name, right in self.fields]
        return found


def usage(wrong: str, right: str) -> Failed:
    """The command line is wrong."""
    return Failed(Exit.USAGE, "USAGE", wrong, right)


def invalid(wrong: str, right: str, field: str = "") -> Failed:
    """What was given cannot be sent at all."""
    return Failed(Exit.REFUSED, "INVALID", wrong, right, fields=((field, right),) if field else ())


def not_up() -> Failed:
    """Nothing answers because nothing was started."""
    return Failed(Exit.NOT_UP, "NOT_UP", "the local stack is not up", "start it first", "referrals up")
