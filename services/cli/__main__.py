"""The command `referrals`: its sub-commands are the modules listed here, each with `register(app)`."""

import importlib
import json
import sys
from collections.abc import Callable
from functools import cache

import typer
from rich.console import Console

from services.chassis.areafile import FileRefused
from services.cli.exits import Exit, Failed
from services.cli.local.errors import StackError

MODULES = (
    "services.cli.local.commands",
    "services.cli.local.doctor",
    "services.cli.person",
    "services.cli.watch",
    "services.cli.raising",
    "services.cli.amending",
    "services.cli.equality",
    "services.cli.desk",
    "services.cli.link",
    "services.cli.disclosure",
    "services.cli.insight",
    "services.cli.victim",
    "services.cli.conference",
    "services.cli.journey",
    "services.cli.inbox",
    "services.cli.partner",
    "services.cli.tail",
    "services.cli.parked",
    "services.cli.erasing",
    "services.cli.audit",
    "services.cli.rebuild",
    "services.cli.demo.command",
)
EXITS = "Exit status: 0 done, 1 our fault or unavailable, 2 usage, 3 the stack is not up, 4 refused."


@cache
def build() -> typer.Typer:
    """The application with every command. Made once: a second time would add to the modules' own groups again."""
    app = typer.Typer(
        name="referrals",
        help=f"Safeguarding referrals between partners.\n\n{EXITS}",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for module in MODULES:
        importlib.import_module(module).register(app)
    return app


@cache
def commands() -> Callable[[], object]:
    """What reads the command line and runs."""
    return typer.main.get_command(build())


def main() -> None:
    """Run; what the person can mend is said on standard error, as JSON where they asked for it (see exits.py)."""
    try:
        commands()()
    except Failed as failed:
        _say(failed)
        sys.exit(int(failed.status))
    except (StackError, FileRefused) as error:
        _say(Failed(Exit.FAULT, "STACK" if isinstance(error, StackError) else "FILE", str(error)))
        sys.exit(int(Exit.FAULT))


def _say(failed: Failed) -> None:
    if "--json" in sys.argv[1:]:
        sys.stderr.write(json.dumps(failed.as_dict(), ensure_ascii=False) + "\n")
        return
    text = failed.wrong if failed.code in ("STACK", "FILE") else str(failed)
    Console(stderr=True, soft_wrap=True).print(f"referrals: {text}", style="red", markup=False, highlight=False)


if __name__ == "__main__":
    main()
