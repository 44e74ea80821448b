"""`referrals person add | remove | list`: who may call. Removing an entry removes the identity at once."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli import showing
from services.cli.exits import Exit, Failed, usage
from services.cli.local import authority, directory
from services.cli.local.stack import Stack
from services.cli.showing import Json

ROLES = sorted(directory.ROLES - {"partner", "service"})
Role = Annotated[str, typer.Argument(help=f"One of {', '.join(ROLES)}.")]
Id = Annotated[str, typer.Argument(help="A pseudonym, such as officer-4471; it stands in every record.")]

people = typer.Typer(help="Who may call: the directory of this home.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.add_typer(people, name="person")


@people.command()
def add(
    role: Role,
    id: Id,
    kind: Annotated[str, typer.Option(help="What they are, such as special_constable.")],
    name: Annotated[str, typer.Option(help="Their name, for the directory alone.")],
    team: Annotated[str, typer.Option(help="Their team, where they have one.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Enter somebody, or replace their entry; their certificate is issued at once."""
    _check(role, id)
    check_kind(kind)
    stack = Stack()
    fields: dict[str, directory.Value] = {"name": name, "kind": kind, **({"team": team} if team else {})}
    identity = authority.ensure(stack.home).issue(role, id)
    directory.write(stack.home, role, id, fields)
    if as_json:
        showing.print_json({"role": role, "id": id, "uri": identity.uri})
    else:
        showing.line(f"{role}/{id} may call, as {identity.uri}")


@people.command()
def remove(role: Role, id: Id, *, as_json: Json = False) -> None:
    """Take somebody out: their next call is refused, whatever certificate they hold."""
    _check(role, id)
    stack = Stack()
    if not directory.entry(stack.home, role, id).exists():
        raise Failed(Exit.REFUSED, "NOT_FOUND", f"{role}/{id} is not in the directory", "", "referrals person list")
    directory.remove(stack.home, role, id)
    if as_json:
        showing.print_json({"removed": f"{role}/{id}"})
    else:
        showing.line(f"{role}/{id} may no longer call")


@people.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """Everybody but partners and services."""
    home = Stack().home
    found = [
        {"role": role, "id": id, **directory.read(home, role, id)}
        for role in ROLES
        for id in directory.names(home, role)
    ]
    if as_json:
        showing.print_json(found)
    else:
        rows = ([entry["role"], entry["id"], entry.get("kind", ""), entry.get("team", "")] for entry in found)
        showing.table(("role", "id", "kind", "team"), rows, title="people")


def check_kind(kind: str) -> None:
    """Refuse, as a wrong command line, a kind that is too long."""
    try:
        directory.check_kind(kind)
    except ValueError as error:
        raise usage(str(error), "such as special_constable") from None


def _check(role: str, id: str) -> None:
    if role not in ROLES:
        other = {"partner": "referrals partner", "service": "referrals up"}.get(role)
        raise usage(f"role {role!r}", f"use `{other}` for it" if other else f"one of {', '.join(ROLES)}")
    try:
        directory.check(role, id)
    except ValueError as error:
        raise usage(str(error), "such as officer-4471") from None
