"""A consuming process for tests to kill: writes down the place of each record whose effect it has had.

Run as `python -m tests.integration.kafka_in.reader <options as JSON>`. What it wrote survives kill -9, since
each chunk is one write to a file opened for appending.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from services.chassis.kafka_in import Chunk, Held
from services.chassis.kafka_in.consumer import KafkaIn
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess


def main() -> None:
    options = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.WARNING)
    done = os.open(options["done"], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    fails_on = options.get("fails_on", "").encode()

    def effect(chunk: Chunk) -> Held:
        time.sleep(options.get("seconds_a_chunk", 0.0))
        if fails_on and any(record.value == fails_on for record in chunk.records):
            raise RuntimeError("this chunk cannot be mended")
        lines = "".join(f"{record.partition} {record.offset}\n" for record in chunk.records)
        os.write(done, lines.encode())
        return ()

    access = KafkaAccess(options["servers"], options["username"], os.environ["KAFKA_PASSWORD"], SASL_PLAINTEXT)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with ThreadPoolExecutor(1) as engine:
        reader = KafkaIn(
            access,
            [options["topic"]],
            options["group"],
            lambda chunk: engine.submit(effect, chunk),
            max_records=options.get("max_records", 2_000),
        )
        reader.start()
        stopped.wait()
        if not reader.stop():
            sys.exit("what was in flight was not finished and committed")


if __name__ == "__main__":
    main()
