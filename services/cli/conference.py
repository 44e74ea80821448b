"""`referrals stage` and `referrals conference call | held | done | show`: procedures of several partners.

What was said at a conference comes from a file or an answer, never an option; all else are ids, codes and times.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1 import procedure_pb2 as procedure
from safeguarding.v1.procedure_pb2_grpc import ProceduresStub
from services.cli import showing
from services.cli.calling import As, Calls, Key, new_key
from services.cli.concerns import enum
from services.cli.exits import usage
from services.cli.raising import Referral, Text, words
from services.cli.showing import Json

FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"]
Stage = Annotated[str, typer.Argument(help=f"One of {', '.join(showing.words_of(procedure.Stage))}.")]
ConferenceId = Annotated[str, typer.Argument(metavar="CONFERENCE", help="Its id; see `referrals conference show`.")]
When = Annotated[datetime | None, typer.Option("--when", formats=FORMATS, help="When it was; now, if you name none.")]
Next = Annotated[
    str, typer.Option("--leg", help="The leg whose partner sees to what must follow; the desk, if you name none.")
]

_OWNED = re.compile(r"(?P<until>.+):(?P<leg>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")

conference = typer.Typer(help="Case conferences of a referral.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(stage)
    app.add_typer(conference, name="conference")


def stage(
    referral: Referral,
    stage: Stage,
    who: As,
    leg: Next = "",
    when: When = None,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Record that a stage of a procedure was reached; the clocks for what must follow begin."""
    request = procedure.RecordStageRequest(
        idempotency_key=key or new_key(),
        referral_id=referral,
        stage=enum(procedure.Stage.DESCRIPTOR, stage, "stage"),
        leg_id=leg,
        happened_at=_moment(when) if when else None,
    )
    with Calls(who) as calls:
        again = f"referrals stage {referral} {stage} --as {who} --key {request.idempotency_key}{_options(leg, when)}"
        found = calls.tell(_procedures(calls).RecordStage, request, again)
    _show_started(found, as_json=as_json)


@conference.command()
def call(
    referral: Referral,
    kind: Stage,
    who: As,
    at: Annotated[datetime, typer.Option("--at", formats=FORMATS, help="When it is to be.")],
    about: Annotated[list[str], typer.Option(help="A point of the agenda: a code, such as safety_plan; repeat it.")],
    leg: Annotated[list[str] | None, typer.Option(help="Whom to invite, by leg; all, if you name none.")] = None,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Call a case conference; partners whose leg is open are invited."""
    request = procedure.CallConferenceRequest(
        idempotency_key=key or new_key(),
        referral_id=referral,
        stage=enum(procedure.Stage.DESCRIPTOR, kind, "kind"),
        at=_moment(at),
        leg_ids=leg or [],
        agenda=[procedure.AgendaItem(topic=each) for each in about],
    )
    with Calls(who) as calls:
        again = f"referrals conference call {referral} {kind} … --as {who} --key {request.idempotency_key}"
        found = calls.tell(_procedures(calls).CallConference, request, again)
    if as_json:
        showing.print_json(found)
        return
    showing.line(f"called: conference {found.conference_id}")
    for each in found.leg_ids:
        showing.line(f"  invited: leg {each}")


@conference.command()
def held(
    referral: Referral,
    conference_id: ConferenceId,
    who: As,
    decision: Annotated[list[str] | None, typer.Option(help="ACTION:BY or ACTION:BY:LEG; repeat it.")] = None,
    came: Annotated[list[str] | None, typer.Option(help="A leg whose partner came; repeat it.")] = None,
    file: Text = None,
    leg: Next = "",
    when: When = None,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Record what a conference decided, and the minutes; each invited partner gets what its agreement allows."""
    request = procedure.RecordConferenceRequest(
        idempotency_key=key or new_key(),
        referral_id=referral,
        conference_id=conference_id,
        held_at=_moment(when) if when else None,
        attended_leg_ids=came or [],
        decisions=[_decision(text) for text in decision or []],
        minutes=words(file, "What was said? An empty line ends it."),
        leg_id=leg,
    )
    with Calls(who) as calls:
        again = f"referrals conference held {referral} {conference_id} … --as {who} --key {request.idempotency_key}"
        found = calls.tell(_procedures(calls).RecordConference, request, again)
    _show_started(found, as_json=as_json)


@conference.command()
def done(
    referral: Referral,
    conference_id: ConferenceId,
    number: Annotated[int, typer.Argument(min=1, max=50, help="Which decision.")],
    who: As,
    key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Say that something a conference decided was done."""
    request = procedure.CompleteDecisionRequest(
        idempotency_key=key or new_key(), referral_id=referral, conference_id=conference_id, number=number
    )
    with Calls(who) as calls:
        again = f"referrals conference done {referral} {conference_id} {number} --as {who}"
        found = calls.tell(_procedures(calls).CompleteDecision, request, f"{again} --key {request.idempotency_key}")
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"recorded: done {showing.moment(found.done_at)}")


@conference.command()
def show(referral: Referral, who: As, *, as_json: Json = False) -> None:
    """The conferences with what was decided and said; a partner sees its own part. Leaves an access record."""
    with Calls(who) as calls:
        found = calls.ask(_procedures(calls).ReadConferences, procedure.ReadConferencesRequest(referral_id=referral))
    if as_json:
        showing.print_json(found)
        return
    if not found.conferences:
        showing.line("conferences: nothing")
    for each in found.conferences:
        stands = f"held {showing.moment(each.held_at)}" if each.HasField("held_at") else "not held yet"
        showing.line(f"{each.conference_id}: {showing.word(each, 'stage')}, {showing.moment(each.at)}, {stands}")
        showing.line(f"  about    {', '.join(item.topic for item in each.agenda)}")
        for decision in each.decisions:
            showing.line(f"  {decision.number}. {_as_line(decision)}")
        if each.minutes:
            showing.line(f"  minutes  {each.minutes}")


def _as_line(decision: procedure.DecisionAsItStands) -> str:
    whose = "yours" if decision.yours else f"leg {decision.owner_leg_id}" if decision.owner_leg_id else ""
    stands = "done" if decision.done else f"by {showing.moment(decision.by)}"
    return ", ".join(filter(None, (decision.action, whose, stands)))


def _procedures(calls: Calls) -> ProceduresStub:
    return calls.stub(ProceduresStub, "partner-routing")


def _decision(text: str) -> procedure.ConferenceDecision:
    """An action, until when, and the leg that does it: times hold colons, codes do not."""
    action, _, rest = text.partition(":")
    found = _OWNED.fullmatch(rest)
    until, owner = (found["until"], found["leg"]) if found else (rest, "")
    for form in FORMATS:
        try:
            by = datetime.strptime(until, form)  # noqa: DTZ007 - of the person's own clock, where it names no zone
        except ValueError:
            continue
        return procedure.ConferenceDecision(action=action, owner_leg_id=owner, by=_moment(by))
    raise usage(f"--decision {text!r} has no time", "ACTION:BY or ACTION:BY:LEG, such as visit_weekly:2026-12-01T12:00")


def _moment(at: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(at.astimezone())
    return found


def _options(leg: str, when: datetime | None) -> str:
    return (f" --leg {leg}" if leg else "") + (f" --when {when:%Y-%m-%dT%H:%M:%S}" if when else "")


def _show_started(found: Any, *, as_json: bool) -> None:
    if as_json:
        showing.print_json(found)
        return
    showing.line("recorded")
    for each in found.started:
        showing.line(f"  then: {showing.deadline(each)}")
