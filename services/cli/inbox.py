"""`referrals inbox | reply`: a partner's inbox by gRPC, for those who have no Kafka."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from safeguarding.v1 import partner_pb2 as partner
from safeguarding.v1 import routing_pb2 as routing
from safeguarding.v1.routing_pb2_grpc import PartnerInboxStub
from services.cli import concerns, showing
from services.cli.calling import Calls, Key, new_key
from services.cli.concerns import enum
from services.cli.desk import told_reply
from services.cli.exits import usage
from services.cli.raising import Referral
from services.cli.showing import Json

Partner = Annotated[str, typer.Argument(help="The partner's id.")]
Leg = Annotated[str, typer.Argument(help="The leg's id; `referrals inbox` shows it.")]


@dataclass(frozen=True)
class Said:
    """What a partner says beside the step itself."""

    reason: str = ""
    outcome: str = ""
    whom: str = ""
    not_told: str = ""
    on_hold: bool = False
    number: Sequence[int] = ()


Making = Callable[[routing.InboxCommand, Said], Any]
STEPS: dict[str, tuple[str, Making, frozenset[str]]] = {
    "received": ("Acknowledge", lambda command, said: routing.AcknowledgeRequest(command=command), frozenset()),
    "accept": ("Accept", lambda command, said: routing.AcceptRequest(command=command), frozenset()),
    "decline": (
        "Decline",
        lambda command, said: routing.DeclineRequest(
            command=command, reason=enum(partner.DeclineReason.DESCRIPTOR, said.reason, "--reason")
        ),
        frozenset({"reason"}),
    ),
    "progress": (
        "Progress",
        lambda command, said: routing.ProgressRequest(command=command, on_hold=said.on_hold),
        frozenset(),
    ),
    "outcome": (
        "Complete",
        lambda command, said: routing.CompleteRequest(
            command=command, outcome=enum(partner.Outcome.DESCRIPTOR, said.outcome, "--outcome")
        ),
        frozenset({"outcome"}),
    ),
    "failed": (
        "Fail",
        lambda command, said: routing.FailRequest(
            command=command, reason=enum(partner.FailureReason.DESCRIPTOR, said.reason, "--reason")
        ),
        frozenset({"reason"}),
    ),
    "told": (
        "Tell",
        lambda command, said: routing.TellRequest(command=command, told=told_reply(said.whom, said.not_told)),
        frozenset({"whom"}),
    ),
    "ask": ("AskRaiser", lambda command, said: routing.AskRaiserRequest(command=command), frozenset()),
    "recalled": (
        "AcknowledgeRecall",
        lambda command, said: routing.AcknowledgeRecallRequest(command=command),
        frozenset(),
    ),
    "deleted": (
        "ConfirmErasure",
        lambda command, said: routing.ConfirmErasureRequest(command=command, subjects=said.number),
        frozenset(),
    ),
}
"""Each step by its word: the RPC, how its request is made, and the options that it needs."""
FREE = {"told": "not_told", "progress": "on_hold", "deleted": "number"}
"""The option that a step may have beside those."""


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(inbox)
    app.command()(reply)


def inbox(
    partner: Partner,
    referral: Annotated[str, typer.Argument(help="With a leg: opens its copy.")] = "",
    leg: Annotated[str, typer.Argument(help="The leg whose copy is opened.")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
) -> None:
    """A partner's legs that want something of it, the most urgent first; or the copy of one, which leaves an access
    record."""
    if bool(referral) != bool(leg):
        raise usage("a referral without its leg", "both, or neither: referrals inbox PARTNER REFERRAL LEG")
    with Calls(f"partner/{partner}") as calls:
        stub = calls.stub(PartnerInboxStub, "partner-routing")
        if leg:
            request = routing.OpenCopyRequest(referral_id=referral, leg_id=leg)
            found = calls.ask(stub.OpenCopy, request).copy
        else:
            found = calls.ask(stub.List, routing.ListRequest(limit=limit))
    if as_json:
        showing.print_json(found)
    elif leg:
        showing.tree(found)
    else:
        columns = ("referral", "leg", "asked for", "stands", "answer by", "offered", "also")
        showing.table(columns, (row(item) for item in found.items), title=f"inbox of {partner}")


def reply(
    partner: Partner,
    referral: Referral,
    leg: Leg,
    step: Annotated[str, typer.Argument(help=f"One of {', '.join(STEPS)}.")],
    reason: Annotated[str, typer.Option(help="For decline and failed: why.")] = "",
    outcome: Annotated[str, typer.Option(help="For outcome: how it ended.")] = "",
    whom: Annotated[str, typer.Option(help="For told: raiser or victim.")] = "",
    not_told: Annotated[str, typer.Option(help="For told: why not.")] = "",
    note: Annotated[
        Path | None, typer.Option(help="A file with what you say beside it, or -; for ask it is the question.")
    ] = None,
    key: Key = "",
    *,
    number: Annotated[
        list[int] | None, typer.Option(min=1, max=20, help="For deleted: whose, as `referrals inbox` shows; else all.")
    ] = None,
    on_hold: Annotated[bool, typer.Option("--on-hold", help="For progress: the work rests.")] = False,
    as_json: Json = False,
) -> None:
    """Answer on a leg: the same effect as a reply on the partner's topic."""
    said = Said(reason, outcome, whom, not_told, on_hold, number or ())
    name, make = _step(step, said)
    command = routing.InboxCommand(
        idempotency_key=key or new_key(),
        referral_id=referral,
        leg_id=leg,
        note=concerns.text_of(note).strip() if note else "",
    )
    request = make(command, said)
    with Calls(f"partner/{partner}") as calls:
        rpc = getattr(calls.stub(PartnerInboxStub, "partner-routing"), name)
        again = f"referrals reply {partner} {referral} {leg} {step} … --key {command.idempotency_key}"
        found = calls.tell(rpc, request, again)
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"recorded: {showing.word(found, 'state')}")


def _step(step: str, said: Said) -> tuple[str, Making]:
    """The RPC and its request, when the options are those that the step needs and no others."""
    if step not in STEPS:
        raise usage(f"there is no step {step!r}", f"one of {', '.join(STEPS)}")
    name, make, needed = STEPS[step]
    free = {FREE[step]} if step in FREE else set()
    given = {option for option, value in vars(said).items() if value}
    if not needed <= given <= needed | free:
        options = ", ".join(f"--{option.replace('_', '-')}" for option in sorted(needed | free)) or "no further option"
        raise usage(f"{step} with other options than it takes", f"{step} takes {options}")
    return name, make


def row(item: routing.InboxItem) -> tuple[str, ...]:
    """A leg of the inbox as the table shows it; its last column is what else the partner is to do or to know."""
    times = showing.deadline(item.respond_by), showing.moment(item.offered_at)
    also = [f"delete subject {number}" for number in item.to_delete]
    if item.recall_reason:
        also.append(f"stop, and say so by {showing.deadline(item.acknowledge_by)}: {item.recall_reason}")
    also += [f"{showing.deadline(each.deadline)}{showing.far(each.percent)}" for each in item.reached]
    also += ["the raiser answered"] if item.answered else []
    also += [f"conference {each}" for each in item.conference_ids]
    stands = showing.word(item, "service"), showing.word(item, "state")
    return item.referral_id, item.leg_id, *stands, *times, "; ".join(also)
