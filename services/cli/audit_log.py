"""`referrals audit verify | receipt`: proves the whole log against its topics, and fetches the proof for one fact."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import grpc
import typer
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from safeguarding.v1.audit_pb2 import GetReceiptRequest
from safeguarding.v1.audit_pb2_grpc import AuditStub
from services.audit.log import positions, proof
from services.audit.log.diverged import Diverged
from services.audit.log.leaf import Place
from services.audit.log.memory import FileMemory
from services.audit.log.note import Verifier
from services.audit.log.verify import Verified, verify
from services.audit.stored import StoredTopics
from services.audit.witnesses import Policy, load
from services.chassis import kafka_headers
from services.chassis.areafile import FileRefused
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.cli import calling, showing
from services.cli.calling import As, Calls
from services.cli.exits import Exit, Failed
from services.cli.installed import installed
from services.cli.local import home as homes
from services.cli.local.home import Home
from services.cli.showing import Json

LOGGED_SECONDS = 15.0
"""How long after its record a leaf may come; 5 s is the promise."""

Event = Annotated[str, typer.Argument(help="The event's id.")]
Into = Annotated[Path | None, typer.Option("--file", dir_okay=False, help="Where to put it; else it is printed.")]


def register(sub: typer.Typer) -> None:
    """See audit."""
    sub.command(name="verify")(verify_)
    sub.command(name="receipt")(receipt)


def verify_(
    *,
    log_only: Annotated[bool, typer.Option("--log-only", help="The log alone: needs no broker.")] = False,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, exists=True, help="Another log, such as a copy: implies --log-only.")
    ] = None,
    witnesses: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, exists=True, help="The file of witnesses who must have cosigned; else the log's own."
        ),
    ] = None,
    vkey: Annotated[Path | None, typer.Option(dir_okay=False, exists=True, help="The file of its key.")] = None,
    as_json: Json = False,
) -> None:
    """Prove that the log is whole, is signed, and says exactly what the topics hold. Goes on where it was stopped."""
    home = homes.find()
    log = folder or home.audit / "log"
    key = _key(vkey or home.audit / "log.vkey")
    policy = _policy(witnesses or (home.witnesses if home.witnesses.exists() and not folder else None))
    wanted = _Wanted(home, log, key, policy)
    found = _verified(wanted) if log_only or folder else _compared(wanted)
    said = {
        "verified": True,
        "entries": found.tree.size,
        "root": found.tree.root.hex(),
        "resumed_at": found.resumed_at,
        "records": found.records,
        "expired": found.expired,
        "compared_with_topics": not (log_only or folder),
        "witnesses": policy.quorum if policy else 0,
    }
    if as_json:
        showing.print_json(said)
        return
    showing.line(f"right: {found.tree}")
    if not (log_only or folder):
        showing.line(f"{found.records} records are as they were logged, {found.expired} are no longer kept")


def receipt(event: Event, who: As, file: Into = None, *, as_json: Json = False) -> None:
    """Proof that the log holds a fact. It verifies offline, with the log's key alone."""
    with Calls(who) as calls:
        found = fetch(calls, event)
    show(found, file, event, as_json=as_json)


def fetch(calls: Calls, event_id: str) -> bytes:
    """The receipt of an event, verified; a fact that is new is waited for. Raises Failed."""
    rpc = calls.stub(AuditStub, "audit").GetReceipt
    deadline = time.monotonic() + LOGGED_SECONDS
    with showing.working("waiting until it is in the log"):
        while True:
            try:
                raw: bytes = rpc(GetReceiptRequest(event_id=event_id), timeout=calling.DEADLINE).receipt
                _check(raw, _key(calls.stack.home.audit / "log.vkey"))
                return raw
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND or time.monotonic() > deadline:
                    raise calling.failed(error, f"referrals audit receipt {event_id}") from None
            time.sleep(0.2)


def show(raw: bytes, file: Path | None, event_id: str, *, as_json: bool) -> None:
    """Put a receipt where it was wanted."""
    if file is not None:
        file.write_bytes(raw)
    if as_json:
        showing.print_json({"event_id": event_id, "receipt": raw.decode(), "file": str(file or "")})
    elif file is None:
        typer.echo(raw.decode(), nl=False)
    else:
        showing.line(f"receipt: {file}")


def _check(raw: bytes, key: Verifier) -> None:
    try:
        proof.verify_receipt(raw, key)
    except proof.ReceiptRefused as error:
        raise Failed(Exit.FAULT, "WRONG_RECEIPT", f"audit gave what proves nothing: {error}") from None


@dataclass(frozen=True)
class _Wanted:
    """What is to be verified, and by which keys."""

    home: Home
    log: Path
    key: Verifier
    policy: Policy | None


def _verified(wanted: _Wanted, topics: StoredTopics | None = None) -> Verified:
    """Verify; what was seen last time must be its beginning. Only a run that was stopped leaves its state."""
    home, policy = wanted.home, wanted.policy
    ours = wanted.log == home.audit / "log"
    memory = FileMemory(home.audit / "verified") if ours else None
    seen = memory.recall() if memory else None
    state = home.audit / ("verify.compared" if topics else "verify.log-only") if ours else None
    try:
        with showing.progress() as tell:
            found = verify(
                wanted.log,
                wanted.key,
                topics=topics,
                seen=[seen] if seen else (),
                witnesses=[remote.key for remote in policy.remotes] if policy else (),
                quorum=policy.quorum if policy else 0,
                progress=lambda done, of: tell("verifying entries", done, of),
                state=state,
            )
    except Diverged as error:
        _forget(state)
        raise Failed(Exit.REFUSED, "DIVERGED", str(error), "the log and the topics as they were written") from None
    _forget(state)
    if memory:
        memory.remember(found.tree)
    return found


def _compared(wanted: _Wanted) -> Verified:
    stack = installed()
    kafka_headers.tolerate()
    login = stack.kafka_login()
    servers, user, password = login["bootstrap_servers"], login["sasl_plain_username"], login["sasl_plain_password"]
    access = KafkaAccess(servers, user, password, SASL_PLAINTEXT)
    try:
        with _clients(access) as (consumer, admin):
            topics = StoredTopics(consumer, admin)
            _wait_until_logged(wanted.log, {place: bounds.end for place, bounds in topics.bounds().items()})
            return _verified(wanted, topics)
    except KafkaError as error:
        wrong = f"the broker failed: {type(error).__name__}"
        raise Failed(Exit.FAULT, "UNAVAILABLE", wrong, "", "referrals status; referrals audit verify") from None


@contextmanager
def _clients(access: KafkaAccess) -> Iterator[tuple[KafkaConsumer, KafkaAdminClient]]:
    consumer = KafkaConsumer(**access.consumer("referrals-verify"))
    try:
        admin = KafkaAdminClient(**access.admin("referrals-verify"))
        try:
            yield consumer, admin
        finally:
            admin.close()
    finally:
        consumer.close(autocommit=False)


def _wait_until_logged(folder: Path, ends: Mapping[Place, int]) -> None:
    """Give audit the time that it may take; what is then not logged is found by the verification itself."""
    deadline = time.monotonic() + LOGGED_SECONDS
    while time.monotonic() < deadline:
        try:
            states = positions.parse((folder / positions.FILE).read_bytes())
        except FileNotFoundError:
            states = []
        if states and all(states[0].next.get(place, 0) >= end for place, end in ends.items()):
            return
        time.sleep(0.1)


def _policy(path: Path | None) -> Policy | None:
    try:
        return load(path) if path else None
    except FileRefused as error:
        raise Failed(Exit.REFUSED, "WRONG_FILE", error.wrong, error.right, str(error.file)) from None


def _key(path: Path) -> Verifier:
    try:
        return Verifier.parse(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise Failed(
            Exit.REFUSED, "NO_KEY", f"{path} holds no verifier key: {error}", "name another by --vkey"
        ) from None


def _forget(state: Path | None) -> None:
    if state is not None:
        state.unlink(missing_ok=True)
