"""`referrals raise | mine | outcome | supply | withdraw`: what whoever raises a concern does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeguarding.v1 import intake_pb2 as intake
from safeguarding.v1.common_pb2 import ConcernKind
from safeguarding.v1.concern_pb2 import Concern, Narrative
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from safeguarding.v1.routing_pb2 import ReadOutcomeRequest
from safeguarding.v1.routing_pb2_grpc import RoutingStub
from services.chassis.areas import load_areas
from services.cli import asking, audit_log, concerns, showing
from services.cli.calling import As, Calls, Key, new_key
from services.cli.concerns import enum
from services.cli.local import environments
from services.cli.showing import Json

Referral = Annotated[str, typer.Argument(help="The referral's id.")]
Text = Annotated[
    Path | None, typer.Option("--file", dir_okay=False, help="A file with the words, or - for standard input.")
]
Recorded = intake.SupplyInformationResponse | intake.WithdrawResponse | intake.AmendResponse
Seen = Annotated[int, typer.Option(help="The last sequence that you saw; as it is now, where you name none.")]


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command(name="raise")(raise_)
    app.command()(mine)
    app.command()(outcome)
    app.command()(supply)
    app.command()(withdraw)


def raise_(
    who: As,
    file: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The concern as TOML or JSON, or - for standard input.")
    ] = None,
    key: Key = "",
    receipt: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Put the proof that the log holds it into this file.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Raise a concern: asked one question at a time, or from a file. Personal words never stand in an option."""
    with Calls(who) as calls:
        concern = concerns.read(file) if file else _asked(calls)
        chosen = key or new_key()
        request = intake.RaiseConcernRequest(idempotency_key=chosen, concern=concern)
        again = f"referrals raise --as {who} --key {chosen}" + (f" --file {file}" if file else "")
        raised: intake.RaiseConcernResponse = calls.tell(calls.stub(IntakeStub, "intake").RaiseConcern, request, again)
        if receipt:
            receipt.write_bytes(audit_log.fetch(calls, raised.event_id))
    if as_json:
        showing.print_json({**showing.document(raised), "idempotency_key": chosen})
        return
    showing.line(f"raised {raised.reference}, recorded {showing.moment(raised.recorded_at)}")
    showing.line(f"  referral {raised.referral_id}")
    showing.line(f"  event    {raised.event_id}")
    if receipt:
        showing.line(f"  receipt  {receipt}")
    showing.line(f"  next:    referrals outcome {raised.referral_id} --as {who}")
    if who.partition("/")[0] in ("public", "volunteer"):
        showing.line(f"  and, if you like, about yourself: referrals equality {raised.referral_id} --as {who}")


def mine(referral: Referral, who: As, *, as_json: Json = False) -> None:
    """Your own concern as it stands, and triage's question where it has one."""
    with Calls(who) as calls:
        found = own(calls, referral)
    if as_json:
        showing.print_json(found)
        return
    showing.line(f"{found.reference}: {showing.word(found, 'state')}, raised {showing.moment(found.raised_at)}")
    concern = found.concern
    kinds = [showing.enum_word(ConcernKind.DESCRIPTOR, kind) for kind in concern.kinds]
    showing.line(f"  about    {', '.join(kinds)} in {concern.area}, {len(concern.subjects)} people")
    showing.line(f"  you said {concern.narrative.text}")
    if found.question:
        showing.line(f"  triage asks, until {showing.moment(found.answer_by.at)}: {found.question}")
        showing.line(f"  next:    referrals supply {referral} --as {who}")


def outcome(referral: Referral, who: As, *, as_json: Json = False) -> None:
    """What came of your own concern. Reading it is being told."""
    with Calls(who) as calls:
        rpc = calls.stub(RoutingStub, "partner-routing").ReadOutcome
        found = calls.ask(rpc, ReadOutcomeRequest(referral_id=referral))
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"{showing.word(found, 'state')}: {found.words if found.outcome_known else 'no outcome yet'}")


def supply(
    referral: Referral,
    who: As,
    file: Text = None,
    sign: Annotated[
        list[str] | None,
        typer.Option(help="What is known now, such as immediate_danger or dash_score=16. May be repeated."),
    ] = None,
    seen: Seen = 0,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Answer triage's question, or add something on your own account; new harm is graded anew."""
    signs = concerns.signs_of(sign or ())
    with Calls(who) as calls:
        request = intake.SupplyInformationRequest(
            idempotency_key=key or new_key(),
            referral_id=referral,
            seen_sequence=seen or own(calls, referral).sequence,
            information=Narrative(text=words(file, "What do you want to add? An empty line ends it.")),
            signs=signs,
        )
        again = _again("supply", request, who) + "".join(f" --sign {each}" for each in sign or ())
        found = calls.tell(calls.stub(IntakeStub, "intake").SupplyInformation, request, again)
    show_recorded(found, as_json=as_json)


def withdraw(
    referral: Referral,
    who: As,
    reason: Annotated[str, typer.Option(help="mistake, raised_twice or resolved.")],
    seen: Seen = 0,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Withdraw your own concern. It informs triage, who decides what partners still do."""
    number = enum(intake.WithdrawalReason.DESCRIPTOR, reason, "--reason")
    with Calls(who) as calls:
        request = intake.WithdrawRequest(
            idempotency_key=key or new_key(),
            referral_id=referral,
            seen_sequence=seen or own(calls, referral).sequence,
            reason=number,
        )
        again = f"{_again('withdraw', request, who)} --reason {reason}"
        found = calls.tell(calls.stub(IntakeStub, "intake").Withdraw, request, again)
    show_recorded(found, as_json=as_json)


def words(file: Path | None, question: str) -> str:
    """What somebody wrote in a file or on standard input, else what they answer."""
    return concerns.text_of(file).strip() if file else asking.words(question)


def _asked(calls: Calls) -> Concern:
    concern = asking.concern(load_areas(environments.AREAS / calls.stack.area))
    if not typer.confirm("Send it?", default=True, err=True):
        raise typer.Exit(0)
    return concern


def own(calls: Calls, referral: str) -> intake.GetReferralResponse:
    """One's own concern as it stands."""
    rpc = calls.stub(IntakeStub, "intake").GetReferral
    found: intake.GetReferralResponse = calls.ask(rpc, intake.GetReferralRequest(referral_id=referral))
    return found


def _again(command: str, request: intake.SupplyInformationRequest | intake.WithdrawRequest, who: str) -> str:
    """The same command with its key and what it saw, so that its body is the same."""
    repeat = f"--key {request.idempotency_key} --seen {request.seen_sequence}"
    return f"referrals {command} {request.referral_id} --as {who} {repeat}"


def show_recorded(found: Recorded, *, as_json: bool) -> None:
    """That it was recorded, and as which fact."""
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"recorded: event {found.event_id}, sequence {found.sequence}")
