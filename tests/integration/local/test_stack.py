"""The stack starts, survives kill -9 without losing what it acknowledged, and stops only what it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer
from pymongo import MongoClient

from services.cli.local import processes
from services.cli.local.errors import PortTaken, StackError
from services.cli.local.stack import Stack

pytestmark = pytest.mark.integration

NAMES = ["kafka", "mongo"]


@pytest.fixture
def store(stack: Stack) -> Iterator[MongoClient[dict[str, int]]]:
    with MongoClient[dict[str, int]](stack.mongo_url) as client:
        yield client


def test_starting_again_leaves_what_runs_as_it_is(stack: Stack) -> None:
    before = [stack.process(name) for name in NAMES]

    started = stack.start(NAMES)

    assert started == []
    assert [stack.process(name) for name in NAMES] == before
    assert all(process and process.alive for process in before)


def test_every_file_of_a_home_is_its_owners_alone(stack: Stack) -> None:
    paths = [stack.home.root, *stack.home.root.rglob("*")]

    assert [path for path in paths if path.stat().st_mode & 0o077] == []


def test_an_acknowledged_write_survives_kill_9_of_the_store(stack: Stack, store: MongoClient[dict[str, int]]) -> None:
    store.tests.kept.insert_many([{"_id": number} for number in range(100)])
    store.tests.kept.update_one({"_id": 7}, {"$set": {"changed": 1}})

    stack.kill("mongo")
    stack.wait_ready(["mongo"])

    assert store.tests.kept.count_documents({}) == 100
    assert store.tests.kept.find_one({"_id": 7}) == {"_id": 7, "changed": 1}


def test_a_producer_goes_on_after_kill_9_of_the_broker(stack: Stack) -> None:
    producer = KafkaProducer(
        **stack.kafka_login("intake"), acks="all", enable_idempotence=True, reconnect_backoff_max_ms=1000
    )
    try:
        first = producer.send("referrals.intake.v1", b"one", key=b"a").get(10)
        stack.kill("kafka")
        second = producer.send("referrals.intake.v1", b"two", key=b"a").get(60)
    finally:
        producer.close(timeout=5)

    assert (second.partition, second.offset) == (first.partition, first.offset + 1)
    assert {row.name: row.restarts for row in stack.status()}["kafka"] >= 1


def test_what_is_held_stays_down_until_it_is_started(stack: Stack) -> None:
    stack.hold("mongo")
    assert stack.process("mongo") is None
    with pytest.raises(StackError, match="mongo does not run"):
        stack.kill("mongo")

    assert stack.start(["mongo"]) == ["mongo"]
    assert [(row.name, row.trouble) for row in stack.status()] == [("kafka", ""), ("mongo", "")]


def test_a_second_supervisor_ends_at_once(stack: Stack) -> None:
    command = [sys.executable, "-m", "services.cli.local.supervisor", str(stack.home.root)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 0
    assert "another supervisor runs" in done.stderr
    assert stack.supervisor() is not None


def test_down_stops_what_a_killed_supervisor_left_and_spares_a_reused_pid(stack: Stack) -> None:
    supervisor = stack.supervisor()
    left = [stack.process(name) for name in NAMES]
    assert supervisor is not None
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        os.kill(supervisor.pid, signal.SIGKILL)
        processes.wait_for_end([supervisor], 5)
        same_pid_other_start = processes.Running(bystander.pid, "0:0")
        processes.end([same_pid_other_start], 1)

        stack.stop()

        assert [process for process in left if process and process.alive] == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert stack.start(NAMES) == NAMES


def test_a_taken_port_is_named_with_its_holder(stack: Stack) -> None:
    stack.hold("mongo")
    port = stack.access().ports["mongo"]
    listen = f"import socket, time; s = socket.create_server(('127.0.0.1', {port}))"
    program = f"{listen}; print(flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(PortTaken, match=rf"port {port} \(mongo\) is held by python.* \(pid {other.pid}\)"):
            stack.start(["mongo"])
    finally:
        other.kill()
        other.communicate()
    assert stack.start(["mongo"]) == ["mongo"]


def test_data_survives_down_and_up_quickly(stack: Stack, store: MongoClient[dict[str, int]]) -> None:
    store.tests.again.insert_one({"_id": 1})

    assert stack.stop() is True
    assert stack.stop() is False
    assert stack.status() == []
    began = time.monotonic()
    stack.start(NAMES)

    assert time.monotonic() - began < 30
    assert store.tests.again.count_documents({}) == 1
