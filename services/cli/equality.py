"""`referrals equality`: optional questions about whoever raised a concern, kept apart from the case."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeguarding.v1.equality_pb2 import AnswerEqualityRequest, EqualityAnswers
from safeguarding.v1.equality_pb2_grpc import EqualityStub
from services.cli import asking, concerns, showing
from services.cli.calling import As, Calls
from services.cli.raising import Referral
from services.cli.showing import Json


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(equality)


def equality(
    referral: Referral,
    who: As,
    file: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The answers as TOML or JSON, or - for standard input.")
    ] = None,
    take_back: Annotated[bool, typer.Option("--take-back", help="Take away what you answered before.")] = False,
    *,
    as_json: Json = False,
) -> None:
    """Answer what you like about yourself, and nothing that you do not. Nobody who works on the case sees it."""
    answers = EqualityAnswers()
    if file:
        concerns.fill(answers, concerns.parsed(concerns.text_of(file)), "")
    elif not take_back:
        asking.answers(answers)
    with Calls(who) as calls:
        request = AnswerEqualityRequest(referral_id=referral, answers=answers)
        found = calls.ask(calls.stub(EqualityStub, "intake").AnswerEquality, request)
    if as_json:
        showing.print_json(found)
    else:
        showing.line("kept, apart from the case" if found.kept else "nothing is kept")
