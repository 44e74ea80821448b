"""`referrals doctor`: what this machine lacks for the local stack, each with the command that mends it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.cli.local import home as files
from services.cli.local import jars, plan, ports
from services.cli.local.errors import StackError
from services.cli.local.stack import Stack

OLDEST_PYTHON = (3, 11)
OLDEST_JDK = 17
FREE_GB = 2


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `mend` is the command or deed that mends it, empty when all is well."""

    what: str
    found: str
    mend: str = ""


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(doctor)


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Name what is missing here and what mends it; exit status 1 when something is."""
    findings = examine()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'missing' if finding.mend else 'ok':8}{finding.what}: {finding.found}")
            if finding.mend:
                typer.echo(f"        mend it: {finding.mend}")
    if any(finding.mend for finding in findings):
        raise typer.Exit(1)


def examine() -> list[Finding]:
    """Look at everything that the local stack needs."""
    return [check() for check in CHECKS]


def python() -> Finding:
    """The interpreter that runs this."""
    found = ".".join(map(str, sys.version_info[:3]))
    mend = "" if sys.version_info >= OLDEST_PYTHON else "uv python install 3.11, then uv sync"
    return Finding("Python 3.11+", found, mend)


def system() -> Finding:
    """Linux, whose /proc tells one process from a later one of the same id."""
    linux = Path("/proc/self/stat").exists()
    mend = "" if linux else "run it on Linux (or in WSL 2): the supervisor tells processes apart by /proc"
    return Finding("Linux", sys.platform, mend)


def jdk() -> Finding:
    """The compiler and runtime of broker and store."""
    what, mend = f"JDK {OLDEST_JDK}+", "apt-get install openjdk-17-jdk-headless (or set PATH to a newer JDK)"
    version = _say(["javac", "-version"])
    match = re.search(r"javac (\d+)", version)
    if match is None:
        return Finding(what, "no javac on PATH", mend)
    return Finding(what, match[0], "" if int(match[1]) >= OLDEST_JDK else mend)


def maven() -> Finding:
    """What fetches the jars."""
    version = _say(["mvn", "-v"])
    match = re.search(r"Apache Maven \S+", version)
    return Finding("Maven", match[0], "") if match else Finding("Maven", "no mvn on PATH", "apt-get install maven")


def disk() -> Finding:
    """Room where the home is, or will be."""
    root = files.find().root
    existing = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(existing).free // 2**30
    mend = "" if free >= FREE_GB else f"free {FREE_GB} GB on the disk of {existing}, or set REFERRALS_HOME elsewhere"
    return Finding(f"{FREE_GB} GB of disk", f"{free} GB free", mend)


def jar_files() -> Finding:
    """The jars as they are to be for these sources; `up` fetches what is missing."""
    missing = [name for name in jars.NAMES if not jars.present(name)]
    found = f"not yet fetched: {', '.join(missing)}" if missing else "fetched"
    return Finding("jars of broker and store", found, "referrals up --only kafka,mongo" if missing else "")


def port_numbers() -> Finding:
    """That nobody else has taken a port of ours since."""
    stack = Stack()
    known = files.read_json(stack.home.ports)
    up = {port for row in stack.status() for port in row.ports}
    try:
        ports.require_free({name: port for name, port in known.items() if name not in up}, stack.home)
    except StackError as error:
        return Finding("ports", "taken", str(error))
    return Finding("ports", "free or ours")


def services() -> Finding:
    """That each service of the plan can be started."""
    missing = [entry.name for entry in plan.PLAN if not plan.is_installed(entry)]
    mend = "git checkout -- services" if missing else ""
    return Finding("services", f"missing: {', '.join(missing)}" if missing else "all there", mend)


CHECKS: tuple[Callable[[], Finding], ...] = (
    system,
    python,
    jdk,
    maven,
    disk,
    jar_files,
    port_numbers,
    services,
)


def _say(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
