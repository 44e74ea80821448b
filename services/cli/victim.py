"""`referrals desk victim`: a step of a victim's journey. Words about them come from a file or an answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from safeguarding.v1 import routing_pb2 as routing
from safeguarding.v1.common_pb2 import Need
from safeguarding.v1.routing_pb2_grpc import RoutingStub
from services.cli import concerns, showing
from services.cli.calling import As, Calls, Key, new_key
from services.cli.concerns import enum
from services.cli.desk import desk
from services.cli.exits import usage
from services.cli.raising import Referral
from services.cli.showing import Json

STEPS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "contact": lambda said: {"contact_named": routing.ContactNamed(contact_id=_one(said))},
    "prefers": lambda said: {
        "preference_stated": routing.PreferenceStated(
            preference=enum(routing.ContactPreference.DESCRIPTOR, _one(said), "prefers")
        )
    },
    "needs": lambda said: {
        "needs_assessed": routing.NeedsAssessed(
            enhanced="enhanced" in said,
            needs=[enum(Need.DESCRIPTOR, each, "needs") for each in said if each != "enhanced"],
        )
    },
    "rights": lambda said: {"rights_explained": routing.RightsExplained(rights=[_number(each) for each in said])},
    "add-right": lambda said: {"right_added": routing.RightAdded(**_right(said))},
    "strike-right": lambda said: {"right_struck": routing.RightStruck(**_right(said))},
    "referred": lambda said: {"referred": routing.VictimReferred()},
    "event": lambda said: {
        "event_happened": routing.EventHappened(event=enum(routing.CaseEvent.DESCRIPTOR, _one(said), "event"))
    },
    "told": lambda said: {"updated": routing.VictimUpdated()},
    "satisfaction": lambda said: {"satisfaction_asked": routing.SatisfactionAsked(score=_number(_one(said)))},
}


def register(app: typer.Typer) -> None:
    """See __main__: the command stands under `desk`."""


@desk.command()
def victim(
    referral: Referral,
    number: Annotated[int, typer.Argument(min=1, help="Which subject, counted from 1.")],
    step: Annotated[str, typer.Argument(help=f"One of {', '.join(STEPS)}.")],
    who: As,
    said: Annotated[
        list[str] | None,
        typer.Argument(
            help="contact: an id; prefers: text …; needs: enhanced, housing …; rights: 1 4 …; event: arrest …; "
            "add-right and strike-right: its number, or enhanced, and why as a code, such as 4 wants_no_service"
        ),
    ] = None,
    safe_times: Annotated[Path | None, typer.Option(help="A file with when it is safe to reach them, or -.")] = None,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Record a step of a victim's journey; `referrals journey` shows it, and what is still to do."""
    if step not in STEPS:
        raise usage(f"there is no step {step!r}", f"one of {', '.join(STEPS)}")
    request = routing.RecordVictimStepRequest(
        idempotency_key=key or new_key(),
        referral_id=referral,
        step=routing.VictimStep(subject=number, **STEPS[step](said or [])),
        safe_times=concerns.text_of(safe_times).strip() if safe_times else "",
    )
    with Calls(who) as calls:
        again = f"referrals desk victim {referral} {number} {step} … --as {who} --key {request.idempotency_key}"
        found = calls.tell(calls.stub(RoutingStub, "partner-routing").RecordVictimStep, request, again)
    if as_json:
        showing.print_json(found)
        return
    waits = f": tell them by {showing.deadline(found.update_by)}" if found.HasField("update_by") else ""
    showing.line(f"recorded{waits}")


def _right(said: list[str]) -> dict[str, Any]:
    if len(said) != 2:
        raise usage("a right and why were wanted", "its number or enhanced, and a code: 4 wants_no_service")
    right, reason = said
    return {"right": 0 if right == "enhanced" else _number(right), "reason": reason}


def _one(said: list[str]) -> str:
    if len(said) != 1:
        raise usage("one word was wanted", "the step and one word, such as event arrest")
    return said[0]


def _number(text: str) -> int:
    if not text.isdigit():
        raise usage(f"{text!r} is no number", "a number, such as 4")
    return int(text)
