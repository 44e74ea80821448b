"""`referrals desk`: what a triage desk does. Words about people come from a file or an answer, never an option."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.common_pb2 import ConcernKind, Grade, LawfulBasis, ServiceKind
from safeguarding.v1.partner_pb2 import NOT_TOLD_REASON_UNSPECIFIED, Audience, NotToldReason, ToldReply
from safeguarding.v1.routing_pb2 import RecallRequest, RecordToldRequest
from safeguarding.v1.routing_pb2_grpc import RoutingStub
from safeguarding.v1.triage_pb2_grpc import TriageStub
from services.cli import showing
from services.cli.calling import As, Calls, Key, Rpc, new_key
from services.cli.concerns import enum, fill, parsed, text_of
from services.cli.exits import usage
from services.cli.raising import Referral, Seen, Text, words
from services.cli.showing import Json

Why = Annotated[str, typer.Option("--look", help="Why you look: a code for the access record.")]

LEG_HELP = """SERVICE:PURPOSE:BASIS:NECESSITY, words and codes; and :GROUND where nobody agreed and the basis
has several grounds (`referrals desk preview` names them). May be repeated."""

desk = typer.Typer(help="The triage desk.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.add_typer(desk, name="desk")


@desk.command(name="list")
def list_(who: As, limit: Annotated[int, typer.Option(min=1, max=500)] = 50, *, as_json: Json = False) -> None:
    """What waits for the desk, the most urgent first."""
    with Calls(who) as calls:
        found = calls.ask(triage_desk(calls).ListWork, triage.ListWorkRequest(limit=limit))
    if as_json:
        showing.print_json(found)
        return
    columns = ("referral", "grade", "about", "area", "raised", "decide by", "sequence", "waits for")
    showing.table(columns, (row(item) for item in found.items), title="waiting")


@desk.command()
def show(referral: Referral, who: As, look: Why = "triage", *, as_json: Json = False) -> None:
    """One referral with the rules that fired and what was written. Leaves an access record."""
    with Calls(who) as calls:
        found = assessment(calls, referral, look)
    if as_json:
        showing.print_json(found)
        return
    item = found.item
    showing.line(f"{item.referral_id}: {showing.word(item, 'grade')}, sequence {item.sequence}")
    if item.withdrawn:
        showing.line("  the raiser took it back: decide what comes of it")
    for rule in found.fired:
        unsure = "" if rule.confirmed else f"; {showing.UNCONFIRMED}: {rule.unconfirmed_reason}"
        counted = f"; counted {rule.counted}" if rule.counted else ""
        showing.line(f"  {rule.rule_id}: {rule.words} ({rule.source}{unsure}{counted})")
    for number, narrative in enumerate(found.narratives, start=1):
        showing.line(f"  {number}. {narrative}")
    for record in found.thrive:
        showing.line(f"  THRIVE, {record.by.id}, {showing.moment(record.recorded_at)}")
        showing.tree(record.thrive, "    ")


@desk.command()
def grade(
    referral: Referral,
    grade: Annotated[str, typer.Argument(help="red, amber or green.")],
    who: As,
    file: Text = None,
    seen: Seen = 0,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Set the grade by judgement, with the reason."""
    number = enum(Grade.DESCRIPTOR, grade, "grade")
    with Calls(who) as calls:
        command = desk_command(calls, referral, seen, key)
        reason = words(file, "Why this grade? An empty line ends it.")
        request = triage.OverrideGradeRequest(command=command, grade=number, reason=reason)
        do(calls, triage_desk(calls).OverrideGrade, request, f"desk grade {referral} {grade}", who, as_json=as_json)


@desk.command()
def ask(
    referral: Referral, who: As, file: Text = None, seen: Seen = 0, key: Key = "", *, as_json: Json = False
) -> None:
    """Ask the raiser a question."""
    with Calls(who) as calls:
        command = desk_command(calls, referral, seen, key)
        question = words(file, "What do you want to know? An empty line ends it.")
        request = triage.RequestInformationRequest(command=command, question=question)
        do(calls, triage_desk(calls).RequestInformation, request, f"desk ask {referral}", who, as_json=as_json)


@desk.command()
def route(
    referral: Referral,
    who: As,
    leg: Annotated[list[str], typer.Option(help=LEG_HELP)],
    seen: Seen = 0,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Decide who must know, by judgement."""
    legs = [_leg(text) for text in leg]
    with Calls(who) as calls:
        request = triage.RouteRequest(command=desk_command(calls, referral, seen, key), legs=legs)
        said = " ".join(f"--leg {text}" for text in leg)
        do(calls, triage_desk(calls).Route, request, f"desk route {referral} {said}", who, as_json=as_json)


@desk.command()
def thrive(
    referral: Referral, who: As, file: Text = None, seen: Seen = 0, key: Key = "", *, as_json: Json = False
) -> None:
    """Record THRIVE: what is thought of threat, harm, risk, investigation, vulnerability and engagement. Never scored.

    --file holds any of the six as TOML or JSON, such as threat = "…"; without it each is asked for.
    """
    said = triage.Thrive()
    if file:
        fill(said, parsed(text_of(file)), "")
    else:
        for field in said.DESCRIPTOR.fields:
            setattr(said, field.name, words(None, f"{field.name.capitalize()}? An empty line ends it."))
    with Calls(who) as calls:
        request = triage.RecordThriveRequest(command=desk_command(calls, referral, seen, key), thrive=said)
        do(calls, triage_desk(calls).RecordThrive, request, f"desk thrive {referral}", who, as_json=as_json)


@desk.command(name="no-action")
def no_action(
    referral: Referral,
    reason: Annotated[str, typer.Argument(help=f"One of {', '.join(showing.words_of(triage.NoFurtherActionReason))}.")],
    who: As,
    file: Text = None,
    seen: Seen = 0,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Take no further action. A RED referral needs a supervisor. --file adds a note."""
    number = enum(triage.NoFurtherActionReason.DESCRIPTOR, reason, "reason")
    with Calls(who) as calls:
        command = desk_command(calls, referral, seen, key)
        note = words(file, "") if file else ""
        request = triage.TakeNoFurtherActionRequest(command=command, reason=number, note=note)
        said = f"desk no-action {referral} {reason}"
        do(calls, triage_desk(calls).TakeNoFurtherAction, request, said, who, as_json=as_json)


@desk.command()
def reopen(
    referral: Referral, who: As, file: Text = None, seen: Seen = 0, key: Key = "", *, as_json: Json = False
) -> None:
    """Open a referral again, with a note. Only a supervisor."""
    with Calls(who) as calls:
        command = desk_command(calls, referral, seen, key)
        request = triage.ReopenRequest(command=command, note=words(file, "Why again? An empty line ends it."))
        do(calls, triage_desk(calls).Reopen, request, f"desk reopen {referral}", who, as_json=as_json)


@desk.command(name="entered-in-error")
def entered_in_error(
    referral: Referral, who: As, file: Text = None, seen: Seen = 0, key: Key = "", *, as_json: Json = False
) -> None:
    """Keep and hide a referral that should never have been; open legs are recalled. Only a supervisor."""
    with Calls(who) as calls:
        command = desk_command(calls, referral, seen, key)
        request = triage.EnterInErrorRequest(command=command, note=words(file, "What is wrong? An empty line ends it."))
        do(calls, triage_desk(calls).EnterInError, request, f"desk entered-in-error {referral}", who, as_json=as_json)


@desk.command()
def recall(
    referral: Referral,
    leg: Annotated[str, typer.Argument(help="The leg's id; see `referrals journey`.")],
    who: As,
    reason: Annotated[str, typer.Option(help="Why: a code, such as entered_in_error.")],
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Take a leg back from its partner."""
    with Calls(who) as calls:
        request = RecallRequest(idempotency_key=key or new_key(), referral_id=referral, leg_id=leg, reason=reason)
        again = f"referrals desk recall {referral} {leg} --as {who} --reason {reason} --key {request.idempotency_key}"
        found = calls.tell(calls.stub(RoutingStub, "partner-routing").Recall, request, again)
    _show_state(found, as_json=as_json)


@desk.command()
def told(
    referral: Referral,
    whom: Annotated[str, typer.Argument(help="raiser or victim.")],
    who: As,
    not_told: Annotated[str, typer.Option(help="Why not: anonymous, declined, unsafe or unreachable.")] = "",
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Record that the desk told somebody the outcome, or why not."""
    said = told_reply(whom, not_told)
    with Calls(who) as calls:
        request = RecordToldRequest(idempotency_key=key or new_key(), referral_id=referral, told=said)
        why_not = f" --not-told {not_told}" if not_told else ""
        again = f"referrals desk told {referral} {whom} --as {who}{why_not} --key {request.idempotency_key}"
        found = calls.tell(calls.stub(RoutingStub, "partner-routing").RecordTold, request, again)
    _show_state(found, as_json=as_json)


def told_reply(whom: str, not_told: str) -> ToldReply:
    """Who was told, or why not, from their words."""
    why_not = enum(NotToldReason.DESCRIPTOR, not_told, "--not-told") if not_told else NOT_TOLD_REASON_UNSPECIFIED
    return ToldReply(audience=enum(Audience.DESCRIPTOR, whom, "whom"), not_told=why_not)


def triage_desk(calls: Calls) -> TriageStub:
    """The desk's RPCs."""
    return calls.stub(TriageStub, "triage")


def assessment(calls: Calls, referral: str, reason: str) -> triage.GetAssessmentResponse:
    """One referral as the desk needs it; the look is recorded with its reason."""
    request = triage.GetAssessmentRequest(referral_id=referral, reason=reason)
    found: triage.GetAssessmentResponse = calls.ask(triage_desk(calls).GetAssessment, request)
    return found


def desk_command(calls: Calls, referral: str, seen: int, key: str) -> triage.DeskCommand:
    """Names what was seen: given, or as it is now."""
    sequence = seen or assessment(calls, referral, "triage").item.sequence
    return triage.DeskCommand(idempotency_key=key or new_key(), referral_id=referral, seen_sequence=sequence)


def do(calls: Calls, rpc: Rpc, request: Any, said: str, who: str, *, as_json: bool) -> None:
    """Give a command of the desk and show what it recorded; `said` is how the person put it."""
    repeat = f"--key {request.command.idempotency_key} --seen {request.command.seen_sequence}"
    found = calls.tell(rpc, request, f"referrals {said} --as {who} {repeat}")
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"recorded: sequence {found.sequence}")


def _leg(text: str) -> triage.DeskLeg:
    parts = text.split(":")
    if len(parts) not in (4, 5):
        right = "SERVICE:PURPOSE:BASIS:NECESSITY and perhaps :GROUND, such as housing:support:consent:no_home"
        raise usage(f"--leg has {len(parts)} parts", right)
    service, purpose, basis, necessity = parts[:4]
    return triage.DeskLeg(
        service=enum(ServiceKind.DESCRIPTOR, service, "--leg SERVICE"),
        purpose=purpose,
        basis=enum(LawfulBasis.DESCRIPTOR, basis, "--leg BASIS"),
        necessity=necessity,
        without_consent="".join(parts[4:]),
    )


def _show_state(found: Any, *, as_json: bool) -> None:
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"recorded: {showing.word(found, 'state')}")


_LOOK_AGAIN = {
    triage.LOOK_AGAIN_REASON_GRAVER: "it is graver than when it was decided",
    triage.LOOK_AGAIN_REASON_TOLD_MORE: "the raiser told more",
    triage.LOOK_AGAIN_REASON_WITHDRAWN: "the raiser took it back",
    triage.LOOK_AGAIN_REASON_CLOCK: "a clock came far",
}


def row(item: triage.WorkItem) -> tuple[Any, ...]:
    """A referral of the worklist as the table shows it: what it is, until when it is decided, and for whom it waits."""
    kinds = [showing.enum_word(ConcernKind.DESCRIPTOR, kind) for kind in item.kinds]
    waits = "the raiser's answer" if item.awaiting_information else "the desk"
    if item.look_again:
        waits = f"the desk, to look again: {_LOOK_AGAIN.get(item.look_again, showing.word(item, 'look_again'))}"
        waits += f" ({showing.deadline(item.clock.deadline)}, {item.clock.percent}%)" if item.HasField("clock") else ""
    if item.came_back:
        back = [f"{showing.word(leg, 'service')} ({showing.word(leg, 'reason')})" for leg in item.came_back]
        waits = f"the desk: {', '.join(back)} came back"
    waits += "; the raiser took it back" if item.withdrawn and not item.look_again else ""
    times = showing.moment(item.raised_at), showing.deadline(item.decide_by) + showing.far(item.reached)
    unsure = f" ({showing.UNCONFIRMED}: {', '.join(item.unconfirmed_rules)})" if item.unconfirmed_rules else ""
    grade = showing.word(item, "grade") + unsure
    return item.referral_id, grade, kinds, item.area, *times, item.sequence, waits
