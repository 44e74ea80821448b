"""Calls to the services as one identity of the local stack, and what a failed call means to the person who made it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Annotated, Any, TypeVar

import grpc
import typer
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from services.chassis.grpc_client import TlsFiles, channel
from services.cli import showing
from services.cli.exits import Exit, Failed, usage
from services.cli.installed import installed
from services.cli.local import authority, directory
from services.cli.local.stack import Stack

As = Annotated[str, typer.Option("--as", envvar="REFERRALS_AS", metavar="ROLE/ID", help="Who calls.")]
OperatorAs = Annotated[str, typer.Option("--as", metavar="ROLE/ID", help="Who calls.")]
Key = Annotated[str, typer.Option("--key", help="Repeats an earlier command by its key.")]

LOCAL_OPERATOR = "operator/local"
"""Entered at its first use: whoever holds this home holds its certificate authority anyway."""
DEADLINE = 10.0
REPEATS = 5
LONGEST_PAUSE = 5.0

A = TypeVar("A")
Rpc = Callable[..., Any]

UNKNOWN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
"""What was asked may or may not have happened."""
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT: "correct what is named, and run it again",
    grpc.StatusCode.NOT_FOUND: "look at what there is for you: referrals mine, desk list or inbox",
    grpc.StatusCode.ABORTED: "look at the referral again, then run it again without --seen",
    grpc.StatusCode.ALREADY_EXISTS: "leave --key out for a new command, or repeat the first one unchanged",
    grpc.StatusCode.FAILED_PRECONDITION: "choose a move that is legal now",
    grpc.StatusCode.PERMISSION_DENIED: "name an identity that may, by --as role/id",
    grpc.StatusCode.UNAUTHENTICATED: "name an identity of this home, by --as role/id",
}


class Calls(AbstractContextManager["Calls"]):
    """The services of a local stack, as one identity sees them.

    Raises Failed where the stack is not up, the identity is malformed, or the directory does not know it.
    """

    def __init__(self, who: str, stack: Stack | None = None) -> None:
        self.stack = stack or installed()
        self.role, self.id = _role_and_id(who)
        self._tls = _identity(self.stack, self.role, self.id)
        self._open = ExitStack()

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def stub(self, kind: Callable[[grpc.Channel], A], service: str) -> A:
        """One RPC service; `service` is the process that answers, such as partner-routing."""
        return kind(self._open.enter_context(channel(self.stack.address(service), self._tls)))

    def ask(self, rpc: Rpc, request: Any, *, what: str = "asking") -> Any:
        """A query's answer. Raises Failed."""
        with showing.working(what):
            try:
                return rpc(request, timeout=DEADLINE)
            except grpc.RpcError as error:
                raise failed(error, "run it again") from None

    def tell(self, rpc: Rpc, request: Any, again: str, *, times: int = REPEATS) -> Any:
        """A command's answer. While the outcome is unknown the same request is repeated, `times` in all.

        `again` is what the person types to repeat it with the same key later.
        """
        with showing.working("waiting until it is recorded"):
            for turn in range(1, times + 1):
                try:
                    return rpc(request, timeout=DEADLINE)
                except grpc.RpcError as error:
                    if error.code() not in UNKNOWN or turn == times:
                        raise failed(error, again) from None
                    showing.notes.print(f"unknown; repeating with the same key ({turn} of {times - 1})", style="yellow")
                    time.sleep(min(LONGEST_PAUSE, _retry_after(error) * turn))
        raise AssertionError("unreachable: the last turn returns or raises")


def new_key() -> str:
    """An idempotency key that nobody has used."""
    return f"cli-{uuid.uuid4()}"


def failed(error: Any, again: str) -> Failed:
    """What a failed call means. `again` is how to repeat it, where that is what helps."""
    code: grpc.StatusCode = error.code()
    status = rpc_status.from_call(error)
    info = _detail(status, details.ErrorInfo)
    said = dict(info.metadata) if info else {}
    if code in UNKNOWN:
        away = said.get("wrong") or "no answer in time"
        wrong = f"unknown whether it happened: {away}"
        return Failed(Exit.FAULT, code.name, wrong, "repeat with the same key", f"{again}; referrals status")
    if code in REFUSALS:
        bad = _detail(status, details.BadRequest)
        moves = _detail(status, details.PreconditionFailure)
        return Failed(
            Exit.REFUSED,
            code.name,
            said.get("wrong") or error.details() or "refused",
            said.get("right", ""),
            REFUSALS[code],
            tuple((found.field, found.description) for found in bad.field_violations) if bad else (),
            tuple(found.subject for found in moves.violations) if moves else (),
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Failed(Exit.FAULT, code.name, said.get("wrong") or "too busy", "wait a little", again)
    where = f"find error {said['errorId']} by: referrals logs SERVICE" if "errorId" in said else "referrals status"
    return Failed(
        Exit.FAULT, code.name, "our fault" if "errorId" in said else error.details() or "our fault", "", where
    )


def _retry_after(error: Any) -> float:
    found = _detail(rpc_status.from_call(error), details.RetryInfo)
    return found.retry_delay.ToNanoseconds() / 1e9 if found else 1.0


def _detail(status: Status | None, kind: Any) -> Any:
    for packed in status.details if status else ():
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    return None


def _role_and_id(who: str) -> tuple[str, str]:
    role, _, name = who.partition("/")
    try:
        directory.check(role, name)
    except ValueError as error:
        raise usage(f"--as {who!r}: {error}", "role/id, such as officer/officer-4471") from None
    return role, name


def _identity(stack: Stack, role: str, name: str) -> TlsFiles:
    """The certificate of somebody who is in the directory."""
    if not directory.entry(stack.home, role, name).exists():
        if f"{role}/{name}" != LOCAL_OPERATOR:
            add = (
                "referrals partner add"
                if role == "partner"
                else f"referrals person add {role} {name} --kind … --name …"
            )
            raise Failed(
                Exit.REFUSED, "PERMISSION_DENIED", f"{role}/{name} is not in the directory", "enter them first", add
            )
        directory.write(stack.home, role, name, {"name": "Whoever runs this home", "kind": "operator"})
    found = authority.ensure(stack.home).issue(role, name)
    return TlsFiles(found.certificate, found.key, found.authority)
