"""`referrals audit timeline | search | verify | receipt`: what audit holds about a referral, an actor or a partner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from safeguarding.v1 import audit_pb2 as audit
from safeguarding.v1.access_control_pb2 import Role
from safeguarding.v1.audit_pb2_grpc import AuditStub
from services.cli import audit_log, showing
from services.cli.calling import As, Calls
from services.cli.raising import Referral
from services.cli.showing import Json

Reason = Annotated[str, typer.Option(help="Why you look: a code, such as review or complaint.")]
When = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")]
COLUMNS = ("when", "what", "referral", "by", "partner", "reason", "where")

sub = typer.Typer(help="Every record of every topic.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    audit_log.register(sub)
    app.add_typer(sub, name="audit")


@sub.command()
def timeline(referral: Referral, who: As, reason: Reason, *, as_json: Json = False) -> None:
    """All records about a referral, oldest first. Leaves an access record."""
    with Calls(who) as calls:
        request = audit.TimelineRequest(referral_id=referral, reason=reason)
        found = calls.ask(calls.stub(AuditStub, "audit").Timeline, request)
    _show(found, as_json=as_json)


@sub.command()
def search(
    who: As,
    reason: Reason,
    actor: Annotated[str, typer.Option(help="Whose acts.")] = "",
    partner: Annotated[str, typer.Option(help="Which partner.")] = "",
    type: Annotated[str, typer.Option(help="Which type, such as safeguarding.v1.Raised.")] = "",
    topic: Annotated[str, typer.Option(help="Which topic.")] = "",
    since: When = None,
    until: When = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    *,
    as_json: Json = False,
) -> None:
    """Records by what they have in common. Leaves an access record."""
    request = audit.SearchRequest(
        actor_id=actor, partner_id=partner, type=type, topic=topic, limit=limit, reason=reason
    )
    if since:
        getattr(request, "from").FromDatetime(since.replace(tzinfo=UTC))
    if until:
        request.until.FromDatetime(until.replace(tzinfo=UTC))
    with Calls(who) as calls:
        found = calls.ask(calls.stub(AuditStub, "audit").Search, request)
    _show(found, as_json=as_json)
    if not as_json and found.more:
        showing.line(f"there are more than {limit}: narrow the search or raise --limit")


def _show(found: Any, *, as_json: bool) -> None:
    if as_json:
        showing.print_json(found)
    else:
        showing.table(COLUMNS, (_row(entry) for entry in found.entries), title="records")


def _row(entry: audit.TimelineEntry) -> tuple[str, ...]:
    by = f"{showing.enum_word(Role.DESCRIPTOR, entry.actor.role)}/{entry.actor.id}" if entry.actor.id else ""
    when = showing.moment(entry.occurred_at) or showing.moment(entry.record_time)
    where = f"{entry.topic} {entry.partition}:{entry.offset}"
    return when, entry.type.rpartition(".")[2], entry.referral_id, by, entry.partner_id, entry.reason, where
