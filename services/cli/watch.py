"""`referrals watch staff | well-known`: keys by which looks at somebody's own record are flagged; no name is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeguarding.v1.concern_pb2 import Subject
from services.chassis.staff import PERSON_KEYS, STAFF_ROLES
from services.cli import concerns, showing
from services.cli.exits import Exit, Failed, invalid, usage
from services.cli.installed import told
from services.cli.local import directory
from services.cli.local.stack import Stack
from services.cli.showing import Json
from services.intake.watched import Watch

watch = typer.Typer(
    help="Whose records nobody is to read without a task. Their names are hashed under intake's key and not kept.",
    no_args_is_help=True,
)
Person = Annotated[
    Path,
    typer.Option(
        "--file",
        dir_okay=False,
        help="Who it is, as TOML or JSON: [identity] and [identifiers] of concern.proto; or -.",
    ),
]


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.add_typer(watch, name="watch")


@watch.command()
def staff(
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(STAFF_ROLES)}.")],
    id: Annotated[str, typer.Argument(help="Their pseudonym, as `referrals person list` has it.")],
    file: Person,
    *,
    as_json: Json = False,
) -> None:
    """Enter a member of staff's keys in the directory; it counts within seconds."""
    if role not in STAFF_ROLES:
        raise usage(f"role {role!r}", f"one of {', '.join(STAFF_ROLES)}")
    stack = Stack()
    keys = _keys(stack, file)
    try:
        entry = directory.read(stack.home, role, id)
    except (FileNotFoundError, ValueError):
        wrong = f"{role}/{id} is not in the directory"
        raise Failed(Exit.REFUSED, "NOT_FOUND", wrong, "", "referrals person add") from None
    directory.write(stack.home, role, id, {**entry, PERSON_KEYS: keys})  # type: ignore[dict-item]  # as it was read
    if as_json:
        showing.print_json({"watched": f"{role}/{id}", "keys": len(keys)})
    else:
        showing.line(f"{role}/{id}: looks at their record without a task are flagged, by {len(keys)} keys")


@watch.command(name="well-known")
def well_known(
    file: Person,
    source: Annotated[str, typer.Option(help="Which list names them.")],
    *,
    as_json: Json = False,
) -> None:
    """Print what an area's well_known.toml states of a person."""
    keys = _keys(Stack(), file)
    if as_json:
        showing.print_json({"keys": keys, "source": source})
    else:
        stated = ", ".join(f'"{key}"' for key in keys)
        typer.echo(f"[[person]]\nkeys = [{stated}]\nsource = {_quoted(source)}")


def _keys(stack: Stack, file: Path) -> list[str]:
    linking_key = told(stack.home, "intake").get("LINKING_KEY")
    if not linking_key:
        wrong = "intake's linking key is not in this home"
        raise Failed(Exit.NOT_UP, "NOT_UP", wrong, "", "run this where intake's settings are: referrals up")
    person = Subject()
    concerns.fill(person, concerns.parsed(concerns.text_of(file)), "")
    keys = Watch(bytes.fromhex(linking_key), dict, frozenset).keys_of(person)
    if not keys:
        raise invalid("nothing that tells one person from another", "both names and date of birth, or a valid number")
    return keys


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
