"""`referrals insight`: figures over the facts; small numbers stay masked."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from safeguarding.v1.equality_pb2 import EqualityQuestion, GetEqualityFigureRequest
from safeguarding.v1.equality_pb2_grpc import EqualityStub
from safeguarding.v1.insight_pb2 import Figure, GetFigureRequest, GetOwnServiceRequest
from safeguarding.v1.insight_pb2_grpc import InsightStub
from services.cli import showing
from services.cli.calling import As, Calls
from services.cli.concerns import enum
from services.cli.showing import Json

Quarter = Annotated[str, typer.Argument(help="A calendar quarter, such as 2026-Q4.")]

sub = typer.Typer(help="Figures over the facts.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.add_typer(sub, name="insight")


@sub.command()
def figure(
    figure: Annotated[
        str,
        typer.Argument(help=", ".join(showing.words_of(Figure))),
    ],
    quarter: Quarter,
    who: As,
    *,
    as_json: Json = False,
) -> None:
    """One figure of a quarter. A count from one to four, or one that gives such a count away, is shown as *."""
    request = GetFigureRequest(figure=enum(Figure.DESCRIPTOR, figure, "figure"), quarter=quarter)
    with Calls(who) as calls:
        found = calls.ask(calls.stub(InsightStub, "partner-routing").GetFigure, request)
    _show(found, f"{figure}, {quarter}", as_json=as_json)


@sub.command()
def equality(
    question: Annotated[str, typer.Argument(help=", ".join(showing.words_of(EqualityQuestion)))],
    quarter: Quarter,
    who: As,
    *,
    as_json: Json = False,
) -> None:
    """How whoever raised concerns answered one equality question in a quarter, masked as figures are."""
    number = enum(EqualityQuestion.DESCRIPTOR, question, "question")
    with Calls(who) as calls:
        rpc = calls.stub(EqualityStub, "intake").GetEqualityFigure
        found = calls.ask(rpc, GetEqualityFigureRequest(question=number, quarter=quarter))
    _show(found.figure, f"{question}, {quarter}", as_json=as_json)


@sub.command()
def own(
    partner: Annotated[str, typer.Argument(help="The partner's id.")], quarter: Quarter, *, as_json: Json = False
) -> None:
    """A partner's own service levels of a quarter."""
    with Calls(f"partner/{partner}") as calls:
        request = GetOwnServiceRequest(quarter=quarter)
        found = calls.ask(calls.stub(InsightStub, "partner-routing").GetOwnService, request)
    if as_json:
        showing.print_json(found)
        return
    showing.tree(found)


def _show(found: Any, title: str, *, as_json: bool) -> None:
    if as_json:
        showing.print_json(found)
        return
    rows = [(row.name, *map(_cell, row.cells), _cell(row.total), _seconds(row)) for row in found.rows]
    rows.append(("all", *map(_cell, found.column_totals), _cell(found.total), ""))
    showing.table(("", *found.columns, "all", "median seconds"), rows, title=title)


def _cell(cell: Any) -> str:
    return "*" if cell.masked else str(cell.count)


def _seconds(row: Any) -> str:
    return str(row.median_seconds) if row.HasField("median_seconds") else ""
