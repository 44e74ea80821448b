"""`referrals desk preview | shield`: what a partner would be told, and what it is never told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from safeguarding.v1.common_pb2 import LawfulBasis, Shield, ShieldedPart
from safeguarding.v1.routing_pb2 import PreviewDisclosureRequest, ShieldRequest
from safeguarding.v1.routing_pb2_grpc import RoutingStub
from services.cli import showing
from services.cli.calling import As, Calls, Key, new_key
from services.cli.concerns import enum
from services.cli.desk import desk
from services.cli.raising import Referral
from services.cli.showing import Json


def register(app: typer.Typer) -> None:
    """See __main__: the commands stand under `desk`."""


@desk.command()
def preview(
    referral: Referral,
    partner: Annotated[str, typer.Argument(help="The partner's id.")],
    purpose: Annotated[str, typer.Argument(help="A purpose of its agreement, such as child_protection.")],
    basis: Annotated[str, typer.Argument(help="The lawful basis, such as safeguarding.")],
    who: As,
    *,
    as_json: Json = False,
) -> None:
    """What a partner would be told, and why not the rest, without telling it. Leaves an access record."""
    request = PreviewDisclosureRequest(
        referral_id=referral, partner_id=partner, purpose=purpose, basis=enum(LawfulBasis.DESCRIPTOR, basis, "basis")
    )
    with Calls(who) as calls:
        found = calls.ask(calls.stub(RoutingStub, "partner-routing").PreviewDisclosure, request)
    if as_json:
        showing.print_json(found)
        return
    asked = f"would not be asked: {found.not_asked}" if found.not_asked else "may be asked"
    showing.line(f"{partner} {asked}; agreement {found.agreement} ({found.source})")
    for ground in found.without_consent:
        showing.line(f"without consent, because of {showing.standing(ground)}: {ground.words} ({ground.source})")
    columns = ("group", "subject", "would get it", "there is some", "rule", "in words")
    showing.table(columns, (_previewed(group) for group in found.groups), title="what it would be told")


@desk.command()
def shield(
    referral: Referral,
    part: Annotated[str, typer.Argument(help="address, raiser or person.")],
    reason: Annotated[str, typer.Argument(help="Why, a code such as staff_known_to_family.")],
    who: As,
    partner: Annotated[str, typer.Option(help="From which partner; from every one where it is left out.")] = "",
    number: Annotated[int, typer.Option(help="Which subject, counted from 1; every one where it is left out.")] = 0,
    key: Key = "",
    *,
    account_read: Annotated[
        bool, typer.Option("--account-read", help="The account was read and does not give it away.")
    ] = False,
    lift: Annotated[bool, typer.Option("--lift", help="Take the shield away.")] = False,
    as_json: Json = False,
) -> None:
    """Hide an address, the raiser or a person from a party, whatever its agreement says."""
    request = ShieldRequest(
        idempotency_key=key or new_key(),
        referral_id=referral,
        shield=Shield(
            part=enum(ShieldedPart.DESCRIPTOR, part, "part"),
            subject=number,
            partner_id=partner,
            account_is_free_of_it=account_read,
        ),
        reason=reason,
        lift=lift,
    )
    with Calls(who) as calls:
        again = f"referrals desk shield {referral} {part} {reason} … --as {who} --key {request.idempotency_key}"
        found = calls.tell(calls.stub(RoutingStub, "partner-routing").Shield, request, again)
    if as_json:
        showing.print_json(found)
        return
    showing.line("recorded")
    for leg in found.leg_ids_that_have_it:
        showing.line(f"  leg {leg} was given it before: speak to that partner")


def _previewed(group: Any) -> tuple[str, ...]:
    subject = str(group.subject) if group.subject else ""
    given, present = "yes" if group.given else "no", "yes" if group.present else "no"
    return showing.word(group, "group"), subject, given, present, group.rule, group.words
