"""`referrals parked list | show | replay`: what a service could not handle, and having it handled again."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from safeguarding.v1.parked_pb2 import (
    ListParkedRequest,
    ListParkedResponse,
    ParkedItem,
    ReplayParkedRequest,
    ReplayParkedResponse,
)
from safeguarding.v1.parked_pb2_grpc import ParkedRecordsStub
from services.cli import masked, showing
from services.cli.calling import LOCAL_OPERATOR, Calls, OperatorAs
from services.cli.exits import Exit, Failed, usage
from services.cli.showing import Json
from services.cli.tail import connect, read_one


class Deciding(StrEnum):
    """The services that park and rebuild; audit decides nothing."""

    INTAKE = "intake"
    TRIAGE = "triage"
    PARTNER_ROUTING = "partner-routing"


Service = Annotated[Deciding, typer.Argument(help="The service that parked it.")]
Place = Annotated[str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Where the record lies.")]

sub = typer.Typer(help="Records that could not be handled.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.add_typer(sub, name="parked")


@sub.command(name="list")
def list_(service: Service, who: OperatorAs = LOCAL_OPERATOR, *, as_json: Json = False) -> None:
    """What is parked, oldest first, without content."""
    with Calls(who) as calls:
        found = _parked(calls, service)
    if as_json:
        showing.print_json(found)
        return
    columns = ("where", "why", "error", "referral", "parked", "bytes")
    showing.table(columns, (_row(item) for item in found.items), title=f"parked by {service}")


@sub.command()
def show(service: Service, place: Place, who: OperatorAs = LOCAL_OPERATOR, *, as_json: Json = False) -> None:
    """One parked record: why it is parked, and what can be read of it, masked."""
    topic, partition, offset = _place(place)
    with Calls(who) as calls:
        found = [
            i for i in _parked(calls, service).items if (i.topic, i.partition, i.offset) == (topic, partition, offset)
        ]
        if not found:
            raise Failed(
                Exit.REFUSED, "NOT_FOUND", f"{service} has nothing parked there", "", f"referrals parked list {service}"
            )
        consumer = connect(calls.stack, "referrals-parked")
        try:
            with showing.working("reading the record"):
                record = read_one(consumer, topic, partition, offset)
        finally:
            consumer.close(autocommit=False)
    content = masked.shown(record) if record else {}
    if as_json:
        showing.print_json({"parked": showing.document(found[0]), "record": content})
        return
    showing.tree(found[0])
    showing.line(masked.line(record) if record else "the record itself is no longer on its topic")


@sub.command()
def replay(
    service: Service,
    place: Annotated[str, typer.Argument(metavar="[TOPIC/PARTITION/OFFSET]", help="Which one; all where none.")] = "",
    who: OperatorAs = LOCAL_OPERATOR,
    *,
    as_json: Json = False,
) -> None:
    """Have parked records handled again, in order. What still cannot be handled stays parked: exit status 1."""
    request = ReplayParkedRequest()
    if place:
        request.topic, request.partition, request.offset = _place(place)
    with Calls(who) as calls:
        rpc = calls.stub(ParkedRecordsStub, service).ReplayParked
        again = f"referrals parked replay {service} {place}".strip()
        found: ReplayParkedResponse = calls.tell(rpc, request, again)
    if as_json:
        showing.print_json(found)
    else:
        showing.line(f"{found.replayed} handled, {found.parked} still parked")
    if found.parked:
        raise typer.Exit(int(Exit.FAULT))


def _parked(calls: Calls, service: str) -> ListParkedResponse:
    found: ListParkedResponse = calls.ask(calls.stub(ParkedRecordsStub, service).ListParked, ListParkedRequest())
    return found


def _place(text: str) -> tuple[str, int, int]:
    topic, _, rest = text.partition("/")
    partition, _, offset = rest.partition("/")
    if not (topic and partition.isdecimal() and offset.isdecimal()):
        raise usage(f"{text!r} is no place", "TOPIC/PARTITION/OFFSET, as `referrals parked list` shows it")
    return topic, int(partition), int(offset)


def _row(item: ParkedItem) -> tuple[Any, ...]:
    where = f"{item.topic}/{item.partition}/{item.offset}"
    why = showing.word(item, "class")
    return where, why, item.error, item.referral_id, showing.moment(item.parked_at), item.size
