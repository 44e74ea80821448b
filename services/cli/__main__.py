"""The command `referrals`: its sub-commands are the modules listed here, each with `register(app)`."""

import importlib
import sys

import typer
from rich.console import Console

from services.cli.local.errors import StackError

MODULES = ("services.cli.local.commands", "services.cli.local.doctor")


def build() -> typer.Typer:
    """The application with every command."""
    app = typer.Typer(
        name="referrals",
        help="Safeguarding referrals between partners.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for module in MODULES:
        importlib.import_module(module).register(app)
    return app


def main() -> None:
    """Run; an error that the person can mend is one line on standard error and exit status 1."""
    try:
        build()()
    except StackError as error:
        Console(stderr=True, soft_wrap=True).print(f"referrals: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
