"""`referrals erasure | erase | hold`: what a data-protection officer reviews, asks for and decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from safeguarding.v1 import intake_pb2 as intake
from safeguarding.v1.common_pb2 import FieldGroup
from safeguarding.v1.concern_pb2 import Narrative
from safeguarding.v1.intake_pb2_grpc import ProtectionStub
from services.cli import concerns, showing
from services.cli.calling import As, Calls, Key, new_key
from services.cli.concerns import enum
from services.cli.exits import usage
from services.cli.raising import Referral
from services.cli.showing import Json

Code = Annotated[str, typer.Option(help="Why: a code, such as article_17.")]


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(erasure)
    app.command()(erase)
    app.command()(hold)


def erasure(referral: Referral, who: As, *, as_json: Json = False) -> None:
    """What an erasure would be about, and the request that waits for a second person. Leaves an access record."""
    with Calls(who) as calls:
        found = _review(calls, referral)
    if as_json:
        showing.print_json(found)
    else:
        showing.tree(found)


def erase(
    referral: Referral,
    subject: Annotated[int, typer.Argument(min=1, max=20, help="The subject's number; `referrals erasure` shows it.")],
    who: As,
    reason: Code = "",
    redacted: Annotated[
        Path | None, typer.Option(dir_okay=False, help="What is left of the narrative: a file, or - ; else nothing.")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="What else tells nothing of them: place, vehicle.")] = None,
    key: Key = "",
    *,
    agree: Annotated[bool, typer.Option("--agree", help="As the second person: destroy the keys, for ever.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no to what waits, with --reason.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a subject. The first person asks with --reason; nothing is destroyed until a second one says --agree."""
    if agree and (refuse or reason or redacted or keep):
        raise usage("--agree with further options", "--agree alone, or --refuse --reason CODE, or --reason CODE to ask")
    with Calls(who) as calls:
        stub = calls.stub(ProtectionStub, "intake")
        chosen = key or new_key()
        again = f"referrals erase {referral} {subject} --as {who} --key {chosen} …"
        if agree or refuse:
            waits = _review(calls, referral)
            if waits.requested.subject != subject:
                raise usage("no request to erase this subject waits", f"look: referrals erasure {referral} --as {who}")
            request: Any = intake.DecideErasureRequest(
                idempotency_key=chosen,
                referral_id=referral,
                request_event_id=waits.request_event_id,
                agreed=agree,
                reason=reason,
            )
            found = calls.tell(stub.DecideErasure, request, again)
        else:
            request = intake.RequestErasureRequest(
                idempotency_key=chosen, referral_id=referral, subject=subject, ground=reason
            )
            if redacted:
                request.redacted.CopyFrom(Narrative(text=concerns.text_of(redacted).strip()))
            request.keep.extend(enum(FieldGroup.DESCRIPTOR, word, "--keep") for word in keep or ())
            found = calls.tell(stub.RequestErasure, request, again)
    if as_json:
        showing.print_json(found)
        return
    showing.line(f"recorded: event {found.event_id}, sequence {found.sequence}")
    if agree:
        showing.line("the keys are destroyed; partners who held something are told, and confirm on their legs")
    elif not refuse:
        showing.line(
            f"  next:    another person of role protection: referrals erase {referral} {subject} --agree --as …"
        )


def hold(
    referral: Referral,
    who: As,
    reason: Code,
    key: Key = "",
    *,
    lift: Annotated[bool, typer.Option("--lift", help="The hold is over.")] = False,
    as_json: Json = False,
) -> None:
    """Forbid every erasure of a referral, such as while a court may ask for it."""
    with Calls(who) as calls:
        chosen = key or new_key()
        request = intake.SetHoldRequest(idempotency_key=chosen, referral_id=referral, held=not lift, reason=reason)
        again = f"referrals hold {referral} --as {who} --reason {reason} --key {chosen}" + (" --lift" if lift else "")
        found = calls.tell(calls.stub(ProtectionStub, "intake").SetHold, request, again)
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"recorded: event {found.event_id}, sequence {found.sequence}")


def _review(calls: Calls, referral: str) -> intake.ReviewErasureResponse:
    rpc = calls.stub(ProtectionStub, "intake").ReviewErasure
    found: intake.ReviewErasureResponse = calls.ask(rpc, intake.ReviewErasureRequest(referral_id=referral))
    return found
