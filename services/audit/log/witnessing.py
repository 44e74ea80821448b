"""Asks witnesses for cosignatures of a checkpoint (c2sp.org/tlog-witness): each has seen that the log only grew."""

from __future__ import annotations

import base64
import errno
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from services.audit.log import proof
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.note import COSIGNATURE_V1, NoteRefused, Signature, Verifier, open_note, signatures_in
from services.audit.log.reader import LogReader

PATH = "add-checkpoint"
ANSWER_SECONDS = 2.0
LONGEST_ANSWER = 10_000
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")


@dataclass(frozen=True, slots=True)
class Remote:
    """A witness: its verifier key, and where it takes checkpoints."""

    key: Verifier
    url: str

    def __post_init__(self) -> None:
        if self.key.kind != COSIGNATURE_V1:
            raise ValueError(f"{self.key.name}: a witness has a cosignature/v1 key, of type 4")
        if not self.url.startswith(("https://", "http://")):
            raise ValueError(f"{self.key.name}: the url must begin with https:// or http://")


class QuorumMissing(OSError):
    """Too few witnesses cosigned. Nothing is published until they do; asking again is all that can be done."""

    def __init__(self, wanted: int, refusals: Sequence[str]) -> None:
        super().__init__(errno.EAGAIN, f"fewer than {wanted} witnesses cosigned: {'; '.join(refusals)}")


class _Refused(Exception):
    """Why a witness did not cosign."""


class Witnesses:
    """Cosignatures by at least `quorum` of the witnesses, or QuorumMissing. Used by the writer's thread alone.

    A witness that is slow or away holds nothing up while the others are enough: it is asked again with the next
    checkpoint, and told from its own size on that the log only grew.
    """

    def __init__(
        self, folder: Path, remotes: Sequence[Remote], quorum: int, *, seconds: float = ANSWER_SECONDS
    ) -> None:
        """Raises ValueError for a quorum that these witnesses cannot make."""
        names = {(remote.key.name, remote.key.key_id) for remote in remotes}
        if not 1 <= quorum <= len(names) or len(names) != len(remotes):
            raise ValueError(f"the quorum must be between 1 and the number of different witnesses, {len(names)}")
        self._folder = folder
        self._remotes = remotes
        self._quorum = quorum
        self._seconds = seconds
        self._sizes: dict[bytes, int] = {}
        """The last size that each witness is known to have seen."""
        self._asked: dict[bytes, Future[Signature]] = {}
        self._pool = ThreadPoolExecutor(len(remotes), thread_name_prefix="witness")

    def __call__(self, note: bytes, before: int) -> list[Signature]:
        """See writer.Witness."""
        text = note.partition(b"\n\n")[0].decode() + "\n"
        size = Checkpoint.parse(text).tree.size
        refusals = []
        asked: dict[Future[Signature], str] = {}
        for remote in self._remotes:
            earlier = self._asked.get(remote.key.key_id)
            if earlier is not None and not earlier.done():
                refusals.append(f"{remote.key.name} still owes its last answer")
                continue
            future = self._pool.submit(self._ask, remote, note, text, size, before)
            self._asked[remote.key.key_id] = future
            asked[future] = remote.key.name
        found: list[Signature] = []
        try:
            for future in as_completed(asked, timeout=2 * self._seconds + 1):
                try:
                    found.append(future.result())
                except (_Refused, OSError) as error:
                    refusals.append(f"{asked[future]}: {error}")
                if len(found) >= self._quorum:
                    return found
        except TimeoutError:
            refusals.append("no answer in time")
        raise QuorumMissing(self._quorum, refusals)

    def _ask(self, remote: Remote, note: bytes, text: str, size: int, before: int) -> Signature:
        """Its cosignature. Where it has seen another size than we know, it says so, and is asked once more."""
        old = min(self._sizes.get(remote.key.key_id, before), size)
        status, body = self._post(remote, note, size, old)
        if status == HTTPStatus.CONFLICT and (has := _SIZE.fullmatch(body)) and int(has[1]) != old:
            old = int(has[1])
            if old > size:
                raise _Refused(f"it has seen a log of {old} entries, and this one has {size}: the log went back")
            status, body = self._post(remote, note, size, old)
        if status != HTTPStatus.OK:
            raise _Refused(f"it refused with status {status}")
        signature = _cosignature(remote, text, body)
        self._sizes[remote.key.key_id] = size
        return signature

    def _post(self, remote: Remote, note: bytes, size: int, old: int) -> tuple[int, bytes]:
        proven = proof.consistency(LogReader(self._folder, size), old) if 0 < old < size else []
        lines = [f"old {old}", *(base64.b64encode(hashed).decode("ascii") for hashed in proven), "", ""]
        url = f"{remote.url.rstrip('/')}/{PATH}"
        request = urllib.request.Request(url, "\n".join(lines).encode("ascii") + note, method="POST")  # noqa: S310 - http or https, see Remote
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:  # noqa: S310 - as above
                return answer.status, answer.read(LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(LONGEST_ANSWER)


def _cosignature(remote: Remote, text: str, body: bytes) -> Signature:
    """The witness's own line, once it verifies; it may send those of others too."""
    try:
        open_note(text.encode() + b"\n" + body, [remote.key])
        lines = signatures_in(body)
    except NoteRefused as error:
        raise _Refused(f"what it sent is no cosignature of this checkpoint: {error}") from None
    return next(line for line in lines if (line.name, line.key_id) == (remote.key.name, remote.key.key_id))
