"""A witness as c2sp.org/tlog-witness describes one: it cosigns a checkpoint that grew from the one it saw before."""

from __future__ import annotations

import base64
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.log.checkpoint import EMPTY, Tree, open_checkpoint
from services.audit.log.hashing import consistent
from services.audit.log.note import Cosigner, NoteRefused, Verifier
from services.audit.log.witnessing import Remote


class Refusal(Exception):
    """A status, and what is said with it."""

    def __init__(self, status: HTTPStatus, body: bytes = b"") -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Witness:
    """Serves on loopback while it is entered. `seen` is the tree that it cosigned last."""

    def __init__(self, name: str, log: Verifier, seconds: int = 1_795_374_854) -> None:
        self._cosigner = Cosigner(name, Ed25519PrivateKey.generate())
        self._log = log
        self._seconds = seconds
        self._lock = threading.Lock()
        self.seen: Tree = EMPTY
        self.asked = 0
        self.away = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.witness = self  # type: ignore[attr-defined]  # the handler finds it there
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def remote(self) -> Remote:
        """As a log is told of it."""
        return Remote(self._cosigner.verifier, f"http://127.0.0.1:{self._server.server_port}/here/")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add_checkpoint(self, body: bytes) -> bytes:
        """The cosignature, or Refusal as the specification numbers them."""
        with self._lock:
            self.asked += 1
            head, _, note = body.partition(b"\n\n")
            first, *lines = head.decode("ascii").split("\n")
            old = int(first.removeprefix("old "))
            try:
                checkpoint, opened = open_checkpoint(note, self._log)
            except NoteRefused:
                raise Refusal(HTTPStatus.FORBIDDEN) from None
            tree = checkpoint.tree
            if old > tree.size:
                raise Refusal(HTTPStatus.BAD_REQUEST)
            if old != self.seen.size or (old == tree.size and tree.root != self.seen.root):
                raise Refusal(HTTPStatus.CONFLICT, b"%d\n" % self.seen.size)
            proof = [base64.b64decode(line, validate=True) for line in lines]
            if 0 < old < tree.size and not consistent(old, tree.size, proof, self.seen.root, tree.root):
                raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY)
            self.seen = tree
            return self._cosigner.cosign(opened.text, self._seconds).line().encode()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """The one call that there is."""
        witness: Witness = self.server.witness  # type: ignore[attr-defined]  # see Witness
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, said = HTTPStatus.OK, b""
        try:
            if witness.away or self.path != "/here/add-checkpoint":
                raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE)
            said = witness.add_checkpoint(body)
        except Refusal as refusal:
            status, said = refusal.status, refusal.body
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing."""
