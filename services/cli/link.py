"""`referrals link list | confirm | reject`: referrals that seem to be about the same, and what the desk says of it.

A link is a suggestion until a person judges it; it merges nothing, and one that is rejected counts towards nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from safeguarding.v1 import triage_pb2 as triage
from safeguarding.v1.common_pb2 import ConcernKind
from services.cli import showing
from services.cli.calling import As, Calls, Key, Rpc
from services.cli.desk import Why, assessment, desk_command, do, triage_desk
from services.cli.raising import Referral, Seen
from services.cli.showing import Json

Other = Annotated[str, typer.Argument(metavar="OTHER", help="The other referral's id; see `referrals link list`.")]

link = typer.Typer(help="Other referrals that seem to be about the same.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.add_typer(link, name="link")


@link.command(name="list")
def list_(referral: Referral, who: As, look: Why = "links", *, as_json: Json = False) -> None:
    """The links of a referral, the likeliest first and the rejected last. Leaves an access record."""
    with Calls(who) as calls:
        found = assessment(calls, referral, look)
    if as_json:
        showing.print_json({"sequence": found.item.sequence, "links": [showing.document(each) for each in found.links]})
        return
    columns = ("referral", "the same", "by", "score", "about", "raised", "judged")
    showing.table(columns, (_row(each) for each in found.links), title="links")


@link.command()
def confirm(referral: Referral, other: Other, who: As, seen: Seen = 0, key: Key = "", *, as_json: Json = False) -> None:
    """Say that a suggested link is right."""
    with Calls(who) as calls:
        request = triage.ConfirmLinkRequest(command=desk_command(calls, referral, seen, key), other_referral_id=other)
        _judge(calls, triage_desk(calls).ConfirmLink, request, "confirm", who, as_json=as_json)


@link.command()
def reject(referral: Referral, other: Other, who: As, seen: Seen = 0, key: Key = "", *, as_json: Json = False) -> None:
    """Say that a link is wrong: from now on it counts towards nothing."""
    with Calls(who) as calls:
        request = triage.RejectLinkRequest(command=desk_command(calls, referral, seen, key), other_referral_id=other)
        _judge(calls, triage_desk(calls).RejectLink, request, "reject", who, as_json=as_json)


def _judge(calls: Calls, rpc: Rpc, request: Any, said: str, who: str, *, as_json: bool) -> None:
    again = f"link {said} {request.command.referral_id} {request.other_referral_id}"
    do(calls, rpc, request, again, who, as_json=as_json)


def _row(each: triage.AssessedLink) -> tuple[Any, ...]:
    linked = each.linked
    same = [showing.enum_word(triage.Sameness.DESCRIPTOR, number) for number in linked.same]
    kinds = [showing.enum_word(ConcernKind.DESCRIPTOR, kind) for kind in linked.other_kinds]
    judged, raised = showing.word(each, "judgement") or "not yet", showing.moment(linked.other_raised_at)
    return linked.other_referral_id, same, linked.by, linked.score, kinds, raised, judged
