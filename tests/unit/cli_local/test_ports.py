"""Ports are picked once, outside what outgoing connections use, and a taken one is named with its holder."""

import os
import socket
from pathlib import Path

import pytest

from services.cli.local import ports
from services.cli.local.errors import PortTaken
from services.cli.local.home import Home


def test_ports_are_remembered(tmp_path: Path) -> None:
    home = Home(tmp_path)

    first = ports.remembered(home, ["kafka", "mongo"])
    second = ports.remembered(home, ["kafka", "mongo", "intake"])

    assert {name: second[name] for name in first} == first
    assert len(set(second.values())) == 3


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    picked = ports.pick(["a", "b"])

    assert all(ports.LOWEST <= port < ports.HIGHEST for port in picked.values())
    assert ports.HIGHEST <= 32768


def test_the_holder_of_a_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"port {port} \(mongo\) is held by .+ \(pid {os.getpid()}\)"):
            ports.require_free({"mongo": port}, Home(tmp_path))
    ports.require_free({"mongo": port}, Home(tmp_path))
