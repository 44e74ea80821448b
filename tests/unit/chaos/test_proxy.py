"""Links pass everything on, and what is done to one of them is what its users meet."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import LATE_SECONDS, Proxies


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that says again what it is told."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=_echoing, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def _echoing(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(4_096):
                connection.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    found = Proxies()
    yield found
    found.close()


@pytest.fixture
def caller(proxies: Proxies, echo: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxies.add("link", echo)), timeout=60) as connection:
        yield connection


def said(connection: socket.socket, words: bytes) -> bytes:
    connection.sendall(words)
    return connection.recv(4_096)


def test_a_link_passes_on_what_it_is_given(caller: socket.socket) -> None:
    assert said(caller, b"hello") == b"hello"


def test_nothing_passes_a_link_that_is_cut_until_it_is_healed(proxies: Proxies, caller: socket.socket) -> None:
    assert said(caller, b"before") == b"before"
    proxies.cut("link")
    caller.settimeout(0.3)
    with pytest.raises(TimeoutError):
        said(caller, b"held back")

    proxies.heal("link")

    caller.settimeout(60)
    assert caller.recv(4_096) == b"held back"


def test_a_reset_ends_every_connection_and_new_ones_are_taken(
    proxies: Proxies, caller: socket.socket, echo: int
) -> None:
    assert said(caller, b"before") == b"before"

    proxies.reset("link")

    with pytest.raises(ConnectionResetError):
        caller.recv(1)
    with socket.create_connection(("127.0.0.1", proxies.links["link"].port), timeout=60) as again:
        assert said(again, b"again") == b"again"


def test_a_delayed_link_answers_late(proxies: Proxies, caller: socket.socket) -> None:
    proxies.delay("link")
    began = time.monotonic()

    assert said(caller, b"late") == b"late"

    assert time.monotonic() - began >= 2 * LATE_SECONDS


def test_a_port_behind_which_nobody_listens_is_refused(proxies: Proxies) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    link = proxies.add("to nobody", nobody)
    with (
        pytest.raises(ConnectionResetError),  # it may come before the connection is told to be there
        socket.create_connection(("127.0.0.1", link), timeout=60) as connection,
    ):
        connection.recv(1)
