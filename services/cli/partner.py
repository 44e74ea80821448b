"""`referrals partner add | remove | list`: topics, Kafka user, permissions, keys and directory entry of partners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from safeguarding.v1.common_pb2 import ServiceKind
from safeguarding.v1.routing_pb2 import ReleasePartnerRequest, ReleasePartnerResponse
from safeguarding.v1.routing_pb2_grpc import RoutingStub
from services.chassis.areas import PlannedPartner, load_areas
from services.chassis.language import SERVICES
from services.cli import showing
from services.cli.calling import LOCAL_OPERATOR, Calls, OperatorAs
from services.cli.concerns import enum
from services.cli.exits import Exit, Failed, usage
from services.cli.installed import installed
from services.cli.local import directory, environments, partners
from services.cli.local.partners import Partner
from services.cli.local.stack import Stack
from services.cli.person import check_kind
from services.cli.showing import Json

Id = Annotated[str, typer.Argument(help="The partner's id.")]

sub = typer.Typer(help="Partners of this home.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.add_typer(sub, name="partner")


@sub.command()
def add(  # each option is one thing that is agreed about a partner
    id: Annotated[str, typer.Argument(help="The partner's id; none with --planned or --all-planned.")] = "",
    name: Annotated[str, typer.Option(help="Its name.")] = "",
    kind: Annotated[str, typer.Option(help="What it is, such as housing_association.")] = "",
    serves: Annotated[list[str] | None, typer.Option(help="A service that it gives; may be repeated.")] = None,
    area: Annotated[list[str] | None, typer.Option(help="An area that it serves; may be repeated.")] = None,
    planned: Annotated[list[str] | None, typer.Option(help="A partner of the area's partners.toml.")] = None,
    *,
    all_planned: Annotated[bool, typer.Option("--all-planned", help="Every partner of the area's file.")] = False,
    kafka: Annotated[bool, typer.Option(help="Reads its own topic; else it uses the inbox.")] = True,
    lead: Annotated[bool, typer.Option("--lead", help="Is told of what others let expire.")] = False,
    as_json: Json = False,
) -> None:
    """Make everything that a partner needs. Adding twice changes nothing."""
    stack = installed()
    if planned or all_planned:
        if id:
            raise usage("an id beside --planned", "one or the other")
        wanted = _planned(stack, planned, everyone=all_planned)
    elif id and name and serves and area:
        check_kind(kind)
        known = [SERVICES.word(enum(ServiceKind.DESCRIPTOR, word, "--serves")) for word in serves]
        wanted = [Partner(id, name, tuple(known), tuple(area), kind or "partner", kafka, lead)]
    else:
        raise usage("not all is said", "ID --name … --serves … --area …, or --planned ID, or --all-planned")
    with showing.working(f"adding {len(wanted)} partners"):
        try:
            partners.add(stack, wanted)
        except ValueError as error:
            raise Failed(Exit.REFUSED, "INVALID", str(error), "another id", "referrals partner list") from None
    if as_json:
        showing.print_json({"added": [partner.id for partner in wanted]})
        return
    for partner in wanted:
        keys = stack.home.partners / partner.id
        showing.line(f"{partner.id}: keys and {'Kafka login' if partner.kafka else 'certificate'} in {keys}")


@sub.command()
def remove(id: Id, who: OperatorAs = LOCAL_OPERATOR, *, as_json: Json = False) -> None:
    """Expire and reroute a partner's open legs, then refuse it: directory, permissions, Kafka user. Topics stay."""
    with Calls(who) as calls:
        if not directory.entry(calls.stack.home, "partner", id).exists():
            raise Failed(Exit.REFUSED, "NOT_FOUND", f"there is no partner {id}", "", "referrals partner list")
        rpc = calls.stub(RoutingStub, "partner-routing").ReleasePartner
        # Releasing twice finds nothing left to release, so it needs no key.
        released: ReleasePartnerResponse = calls.tell(
            rpc, ReleasePartnerRequest(partner_id=id), f"referrals partner remove {id}"
        )
        with showing.working(f"removing {id}"):
            partners.remove(calls.stack, id)
    if as_json:
        showing.print_json({"removed": id, "legs": released.legs})
    else:
        showing.line(f"{id} is removed; {released.legs} open legs went to others. Open connections end within 30 s.")


@sub.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """Every partner of the directory."""
    found = partners.known(Stack().home)
    if as_json:
        showing.print_json(found)
        return
    columns = ("partner", "name", "serves", "areas", "reads", "lead")
    rows = (
        (p["id"], p["name"], p["serves"], p["areas"], "Kafka" if p["kafka"] else "inbox", "lead" if p["lead"] else "")
        for p in found
    )
    showing.table(columns, rows, title="partners")


def _planned(stack: Stack, ids: Sequence[str] | None, *, everyone: bool) -> list[Partner]:
    known = {partner.id: partner for partner in load_areas(environments.AREAS / stack.area).partners}
    unknown = sorted(set(ids or ()) - set(known))
    if unknown:
        raise Failed(
            Exit.REFUSED,
            "NOT_FOUND",
            f"{stack.area} plans no partner {', '.join(unknown)}",
            f"one of {', '.join(known)}",
        )
    return [_partner(known[id]) for id in (known if everyone else ids or ())]


def _partner(planned: PlannedPartner) -> Partner:
    serves = tuple(SERVICES.word(number) for number in planned.serves)
    return Partner(
        planned.id,
        planned.name,
        serves,
        tuple(planned.areas),
        planned.kind,
        planned.kafka,
        planned.lead,
        planned.council,
    )
