"""`referrals audit search | who-saw | looked-at | received | anomalies`: who saw what; into a file too."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from safeguarding.v1 import audit_pb2 as audit
from safeguarding.v1.access_control_pb2 import Role
from safeguarding.v1.access_pb2 import AccessKind
from safeguarding.v1.audit_pb2_grpc import AuditStub
from safeguarding.v1.common_pb2 import FieldGroup, LawfulBasis
from services.chassis.identity import ROLES
from services.cli import showing
from services.cli.calling import As, Calls
from services.cli.concerns import enum
from services.cli.exits import usage
from services.cli.raising import Referral
from services.cli.showing import Json

Reason = Annotated[str, typer.Option(help="Why you look: a code, such as review or complaint.")]
When = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")]
Into = Annotated[
    Path | None,
    typer.Option("--csv", dir_okay=False, help="Put all of it into a file, and beside it the log's checkpoint."),
]
COLUMNS = ("when", "what", "referral", "by", "partner", "on what basis", "groups", "where")
A_PAGE = 1_000
"""The most that one call gives."""
CSV = (
    "place",
    "happened",
    "type",
    "operation",
    "referral",
    "actor",
    "partner",
    "leg",
    "look",
    "method",
    "reason",
    "basis",
    "purpose",
    "agreement",
    "without_consent",
    "unconfirmed",
    "groups",
    "event",
    "topic",
    "partition",
    "offset",
    "sha256",
)


def register(sub: typer.Typer) -> None:
    """See audit."""
    sub.command()(search)
    sub.command(name="who-saw")(who_saw)
    sub.command(name="looked-at")(looked_at)
    sub.command()(received)
    sub.command()(anomalies)


def search(
    who: As,
    reason: Reason,
    referral: Annotated[str, typer.Option(help="Which referral.")] = "",
    actor: Annotated[str, typer.Option(help="Whose acts: an id, or role/id.")] = "",
    partner: Annotated[str, typer.Option(help="Which partner.")] = "",
    type: Annotated[str, typer.Option(help="Which type, such as safeguarding.v1.Raised.")] = "",
    look: Annotated[str, typer.Option(help=f"Which looks: {', '.join(showing.words_of(AccessKind))}.")] = "",
    operation: Annotated[
        str, typer.Option(help=f"What was done: {', '.join(showing.words_of(audit.Operation))}.")
    ] = "",
    sight: Annotated[str, typer.Option(help="What tells of a look, a disclosure, or any of both.")] = "",
    topic: Annotated[str, typer.Option(help="Which topic.")] = "",
    since: When = None,
    until: When = None,
    limit: Annotated[int, typer.Option(min=1, max=A_PAGE)] = 100,
    file: Into = None,
    *,
    as_json: Json = False,
) -> None:
    """Records by what they have in common. Leaves an access record."""
    request = audit.SearchRequest(
        referral_id=referral,
        partner_id=partner,
        type=type,
        topic=topic,
        limit=limit,
        reason=reason,
    )
    if look:
        request.look = enum(AccessKind.DESCRIPTOR, look, "--look")
    if operation:
        request.operation = enum(audit.Operation.DESCRIPTOR, operation, "--operation")
    if sight:
        request.sight = enum(audit.Sight.DESCRIPTOR, sight, "--sight")
    _by(request, actor)
    _during(request, since, until)
    _answer(who, request, file, as_json=as_json)


def who_saw(referral: Referral, who: As, reason: Reason, file: Into = None, *, as_json: Json = False) -> None:
    """Who has seen a referral, and on what basis: looks, and what partners were given. Leaves an access record."""
    request = audit.SearchRequest(referral_id=referral, sight=audit.SIGHT_ANY, limit=A_PAGE, reason=reason)
    _answer(who, request, file, as_json=as_json)


def looked_at(
    actor: Annotated[str, typer.Argument(metavar="ROLE/ID", help="Who looked.")],
    who: As,
    reason: Reason,
    since: When = None,
    until: When = None,
    file: Into = None,
    *,
    as_json: Json = False,
) -> None:
    """What a person looked at. Leaves an access record."""
    request = audit.SearchRequest(sight=audit.SIGHT_LOOK, limit=A_PAGE, reason=reason)
    _by(request, actor)
    _during(request, since, until)
    _answer(who, request, file, as_json=as_json)


def received(
    partner: Annotated[str, typer.Argument(help="Which partner.")],
    who: As,
    reason: Reason,
    month: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m"], help="Which month, UTC; this one where you name none.")
    ] = None,
    file: Into = None,
    *,
    as_json: Json = False,
) -> None:
    """What a partner was given in a month, and on what basis. Leaves an access record."""
    first = (month or datetime.now(UTC)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    request = audit.SearchRequest(partner_id=partner, sight=audit.SIGHT_DISCLOSURE, limit=A_PAGE, reason=reason)
    _during(request, first, following)
    _answer(who, request, file, as_json=as_json)


def anomalies(
    who: As,
    reason: Reason,
    by: Annotated[str, typer.Option(metavar="ROLE/ID", help="Who looked.")] = "",
    since: When = None,
    until: When = None,
    file: Into = None,
    *,
    as_json: Json = False,
) -> None:
    """Looks at one's own, a colleague's or a well-known person's record by someone who had no task on it.

    Leaves an access record.
    """
    request = audit.SearchRequest(sight=audit.SIGHT_FLAGGED, limit=A_PAGE, reason=reason)
    if by:
        _by(request, by)
    _during(request, since, until)
    _answer(who, request, file, as_json=as_json)


def show(entries: Sequence[audit.TimelineEntry], *, as_json: bool, document: Any) -> None:
    """Entries as a table, or the whole answer."""
    if as_json:
        showing.print_json(document)
    else:
        showing.table(COLUMNS, map(row, entries), title="records")


def _by(request: audit.SearchRequest, actor: str) -> None:
    role, slash, name = actor.rpartition("/")
    request.actor_id = name
    if slash:
        if role not in ROLES:
            raise usage(f"{actor!r}: there is no role {role}", f"one of {', '.join(ROLES)}, then / and the id")
        request.actor_role = ROLES[role]


def _during(request: audit.SearchRequest, since: datetime | None, until: datetime | None) -> None:
    if since:
        getattr(request, "from").FromDatetime(since.replace(tzinfo=UTC))
    if until:
        request.until.FromDatetime(until.replace(tzinfo=UTC))


def _answer(who: str, request: audit.SearchRequest, file: Path | None, *, as_json: bool) -> None:
    with Calls(who) as calls:
        if file is not None:
            _export(calls, request, file, as_json=as_json)
            return
        found = next(_pages(calls, request))
    show(found.entries, as_json=as_json, document=found)
    if not as_json and found.more:
        showing.line(f"there are more than {len(found.entries)}: narrow the search, or take all by --csv")


def _export(calls: Calls, request: audit.SearchRequest, file: Path, *, as_json: bool) -> None:
    """All pages, and the last one's checkpoint: the log that it signs holds every row at its place."""
    request.export, request.limit = True, A_PAGE
    rows, checkpoint = 0, b""
    with file.open("w", newline="") as opened:
        written = csv.writer(opened)
        written.writerow(CSV)
        for page in _pages(calls, request):
            written.writerows(fields(entry) for entry in page.entries)
            rows += len(page.entries)
            checkpoint = page.checkpoint
    beside = file.with_name(f"{file.name}.checkpoint")
    beside.write_bytes(checkpoint)
    if as_json:
        showing.print_json({"rows": rows, "file": str(file), "checkpoint": str(beside)})
    else:
        showing.line(f"{rows} records in {file}; the log that holds them is signed in {beside}")


def _pages(calls: Calls, request: audit.SearchRequest) -> Iterator[audit.SearchResponse]:
    rpc = calls.stub(AuditStub, "audit").Search
    while True:
        found: audit.SearchResponse = calls.ask(rpc, request)
        yield found
        if not found.next_page:
            return
        request.page = found.next_page


def row(entry: audit.TimelineEntry) -> tuple[str, ...]:
    """What a reader of the table is shown of an entry, in the order of COLUMNS."""
    when = showing.moment(entry.occurred_at) or showing.moment(entry.record_time)
    without = f"without consent: {entry.without_consent}" if entry.without_consent else ""
    unsure = f"{showing.UNCONFIRMED}: {' '.join(entry.unconfirmed)}" if entry.unconfirmed else ""
    basis = ", ".join(filter(None, (showing.word(entry, "basis"), entry.purpose, entry.reason, without, unsure)))
    groups = ", ".join(showing.enum_word(FieldGroup.DESCRIPTOR, group) for group in entry.groups)
    where = f"{entry.topic} {entry.partition}:{entry.offset}"
    kind = entry.type.rpartition(".")[2]
    what = f"{kind}: {showing.word(entry, 'look')}" if entry.look else kind
    if entry.anomaly:
        what = f"{showing.word(entry, 'anomaly')} by {entry.method}"
    return when, what, entry.referral_id, _actor(entry), entry.partner_id, basis, groups, where


def fields(entry: audit.TimelineEntry) -> tuple[Any, ...]:
    """All of an entry, in the order of CSV."""
    happened = entry.occurred_at if entry.HasField("occurred_at") else entry.record_time
    return (
        entry.place,
        happened.ToJsonString(),
        entry.type,
        showing.word(entry, "operation"),
        entry.referral_id,
        _actor(entry),
        entry.partner_id,
        entry.leg_id,
        showing.word(entry, "look"),
        entry.method,
        entry.reason,
        showing.enum_word(LawfulBasis.DESCRIPTOR, entry.basis),
        entry.purpose,
        entry.agreement,
        entry.without_consent,
        " ".join(entry.unconfirmed),
        " ".join(showing.enum_word(FieldGroup.DESCRIPTOR, group) for group in entry.groups),
        entry.event_id,
        entry.topic,
        entry.partition,
        entry.offset,
        entry.sha256.hex(),
    )


def _actor(entry: audit.TimelineEntry) -> str:
    """Who did it; of a flagged look, who looked."""
    who = entry.looker if entry.anomaly else entry.actor
    return f"{showing.enum_word(Role.DESCRIPTOR, who.role)}/{who.id}" if who.id else ""
