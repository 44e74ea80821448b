"""`referrals amend | consent`: what a raiser changes of their own concern, and what the person concerned agrees to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from safeguarding.v1 import intake_pb2 as intake
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from services.cli import concerns
from services.cli.calling import As, Calls, Key, new_key
from services.cli.exits import usage
from services.cli.raising import Referral, Seen, own, show_recorded
from services.cli.showing import Json


class Agrees(StrEnum):
    """What the person concerned says to their details being shared for support."""

    GIVEN = "given"
    ENDED = "ended"


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(amend)
    app.command()(consent)


def amend(
    referral: Referral,
    who: As,
    file: Annotated[
        Path,
        typer.Option(dir_okay=False, help="What changed, as TOML or JSON: kinds, signs, narrative, place; or -."),
    ],
    seen: Seen = 0,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Replace parts of your own concern; signs that are given take the place of all signs before."""
    request = intake.AmendRequest()
    changes = concerns.parsed(concerns.text_of(file))
    if foreign := sorted(set(changes) - CHANGES):
        raise usage(f"{foreign[0]} is nothing that can be amended", f"one of {', '.join(sorted(CHANGES))}")
    concerns.fill(request, changes, "")
    _send(request, referral, who, seen, key, f"amend {referral} --file {file}", as_json=as_json)


CHANGES = frozenset({"kinds", "signs", "narrative", "place", "further_subjects"})
"""What an amendment may hold, by the names of its fields."""


def consent(
    referral: Referral,
    agrees: Annotated[Agrees, typer.Argument(help="Whether the person concerned agrees to sharing for support.")],
    who: As,
    seen: Seen = 0,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Say that the person concerned agreed, or took it back: what rests on it then stops, and safeguarding goes on."""
    with Calls(who) as calls:
        found = own(calls, referral)
    request = intake.AmendRequest(signs=found.concern.signs)
    request.signs.consents_to_support = agrees is Agrees.GIVEN
    _send(request, referral, who, seen or found.sequence, key, f"consent {referral} {agrees}", as_json=as_json)


def _send(
    request: intake.AmendRequest, referral: str, who: str, seen: int, key: str, said: str, *, as_json: bool
) -> None:
    with Calls(who) as calls:
        request.idempotency_key = key or new_key()
        request.referral_id = referral
        request.seen_sequence = seen or own(calls, referral).sequence
        again = f"referrals {said} --as {who} --key {request.idempotency_key} --seen {request.seen_sequence}"
        found = calls.tell(calls.stub(IntakeStub, "intake").Amend, request, again)
    show_recorded(found, as_json=as_json)
