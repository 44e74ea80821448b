"""`referrals up | down | status | logs`: the local stack from the command line."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.local import plan
from services.cli.local.errors import StackError
from services.cli.local.stack import Progress, Stack

Only = Annotated[str, typer.Option(help=f"Comma-separated, of: {', '.join(plan.NAMES)}.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

errors = Console(stderr=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(logs)


def up(only: Only = "", *, as_json: Json = False) -> None:
    """Start the local stack and wait until all of it is healthy; what runs already is left as it is."""
    stack = Stack()
    with _progress() as progress:
        started = stack.start(only.split(",") if only else None, progress=progress)
    if as_json:
        print_json({"started": started, "ports": stack.access().ports})
    elif started:
        typer.echo(f"up: {', '.join(started)}")
    else:
        typer.echo("already up")


def down(*, as_json: Json = False) -> None:
    """Stop what `up` started, and nothing else. Data stays."""
    with _progress() as progress:
        progress("stopping")
        stopped = Stack().stop()
    if as_json:
        print_json({"stopped": stopped})
    else:
        typer.echo("down" if stopped else "nothing was up")


def status(*, as_json: Json = False) -> None:
    """Show every process; exit status 1 when one is not healthy, 3 when nothing is up."""
    rows = Stack().status()
    if as_json:
        print_json([asdict(row) for row in rows])
    elif not rows:
        typer.echo("nothing is up: `referrals up`")
    else:
        table = Table("process", "health", "pid", "ports", "restarts", "MB")
        for row in rows:
            ports = " ".join(f"{name}:{port}" for name, port in row.ports.items())
            health = row.trouble or "healthy"
            table.add_row(row.name, health, str(row.pid or ""), ports, str(row.restarts), str(row.memory_mb))
        Console().print(table)
    if not rows:
        raise typer.Exit(3)
    if any(row.trouble for row in rows):
        raise typer.Exit(1)


def logs(
    name: Annotated[str, typer.Argument(help="A process of the stack, or `supervisor`.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Show a process's log."""
    if name not in (*plan.NAMES, "supervisor"):
        raise StackError(f"unknown: {name}; the stack has {', '.join(plan.NAMES)} and supervisor")
    path = Stack().home.log(name)
    if not path.exists():
        raise StackError(f"{name} has written no log yet: {path}")
    sys.stdout.flush()
    os.execvp("tail", ["tail", f"--lines={lines}", *(["-F"] if follow else []), str(path)])


def print_json(content: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(content, indent=2))


@contextmanager
def _progress() -> Generator[Progress]:
    with errors.status("looking") as shown:
        yield shown.update if errors.is_terminal else lambda line: errors.print(line)
