"""`referrals audit …`: what audit holds about a referral, an actor or a partner, and the proofs of it."""

from __future__ import annotations

import typer

from safeguarding.v1 import audit_pb2 as audit
from safeguarding.v1.audit_pb2_grpc import AuditStub
from services.cli import audit_log, audit_search
from services.cli.audit_search import Reason
from services.cli.calling import As, Calls
from services.cli.raising import Referral
from services.cli.showing import Json

sub = typer.Typer(help="Every record of every topic.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    audit_search.register(sub)
    audit_log.register(sub)
    app.add_typer(sub, name="audit")


@sub.command()
def timeline(referral: Referral, who: As, reason: Reason, *, as_json: Json = False) -> None:
    """All records about a referral, oldest first. Leaves an access record."""
    with Calls(who) as calls:
        request = audit.TimelineRequest(referral_id=referral, reason=reason)
        found = calls.ask(calls.stub(AuditStub, "audit").Timeline, request)
    audit_search.show(list(found.entries), as_json=as_json, document=found)
