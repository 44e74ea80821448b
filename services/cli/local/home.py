"""Where one installation of the local stack keeps its files: all under one private folder."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Home:
    """One installation. Folders are 0700 and files 0600: they hold passwords and keys."""

    root: Path

    @property
    def ca(self) -> Path:
        """The certificate authority and its key."""
        return self.root / "ca"

    @property
    def directory(self) -> Path:
        """One file for each identity that may call; taking it away removes the identity."""
        return self.root / "directory"

    @property
    def partners(self) -> Path:
        """Each partner's own keys and Kafka login, as if they lay at the partner's."""
        return self.root / "partners"

    @property
    def identities(self) -> Path:
        """Certificates and keys of those who call."""
        return self.root / "identities"

    @property
    def audit(self) -> Path:
        """What anyone may verify: the log, and beside it `log.vkey`."""
        return self.root / "audit"

    @property
    def witnesses(self) -> Path:
        """Whose cosignatures the log's checkpoints must carry, where somebody put such a file there."""
        return self.audit / "witnesses.toml"

    @property
    def data(self) -> Path:
        """What broker and store keep, and where audit notes a second time what it signed."""
        return self.root / "data"

    @property
    def secrets(self) -> Path:
        """Passwords and keys of the stack, made once."""
        return self.root / "secrets.json"

    @property
    def ports(self) -> Path:
        """The ports that were chosen, so that each start has the same."""
        return self.root / "ports.json"

    @property
    def stack(self) -> Path:
        """Which processes run, as the supervisor last wrote."""
        return self.root / "stack.json"

    @property
    def wanted(self) -> Path:
        """Which processes are to run: what `up` and `down` ask of the supervisor."""
        return self.root / "wanted.json"

    def environment(self, name: str) -> Path:
        """The settings of a service."""
        return self.root / "env" / f"{name}.env"

    def log(self, name: str) -> Path:
        """What a process wrote."""
        return self.root / "logs" / f"{name}.log"


def find(root: Path | None = None) -> Home:
    """The home given, else REFERRALS_HOME, else `.local` in the checkout."""
    chosen = root or Path(os.environ.get("REFERRALS_HOME") or CHECKOUT / ".local")
    return Home(chosen.absolute())


def folder(path: Path) -> Path:
    """Make a folder, and those above it that are missing, for this user only."""
    if not path.is_dir():
        folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def write(path: Path, content: str | bytes) -> None:
    """Replace a file at once, so that a reader sees the old content or the new; mode 0600."""
    folder(path.parent)
    raw = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def open_private(path: Path) -> BinaryIO:
    """Open for appending, made when missing; mode 0600."""
    folder(path.parent)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def write_json(path: Path, content: Any) -> None:
    """As `write`, an object in a form that people can compare."""
    write(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The file's object, empty when there is no such file."""
    try:
        loaded = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    if not isinstance(loaded, dict):
        raise TypeError(f"{path}: must hold a JSON object")
    return loaded
