"""`referrals demo`: the scenario on a fresh stack; the last line counts it, and the exit status judges it."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli import showing
from services.cli.exits import Exit

Keep = Annotated[bool, typer.Option("--keep", help="Leave the stack running, and its home where it is.")]
Concerns = Annotated[int, typer.Option(min=1, max=100_000, help="How many concerns are raised.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(*, keep: Keep = False, concerns: Concerns = 60, as_json: showing.Json = False) -> None:
    """Play the scenario from raised to closed on a fresh local stack, and count it; exit status 1 on any fault."""
    # The checker lies with the tests, which only a checkout has; the other commands must not need it.
    from services.cli.demo.session import hold

    if not hold(keep=keep, concerns=concerns, as_json=as_json):
        raise typer.Exit(int(Exit.FAULT))
