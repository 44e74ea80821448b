"""A partner with Kafka: its own consumer under its own login reads, opens, keeps each copy once and answers."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from kafka import KafkaConsumer, KafkaProducer

from safeguarding.v1.concern_pb2 import Narrative
from safeguarding.v1.partner_pb2 import Copy, PartnerRecord, Reply
from services.chassis.sealing import CannotOpen, copy_info, open_with, reply_info, seal_to
from services.cli.demo.play import Play
from services.cli.demo.story import note_of, replies
from services.cli.local import partners
from services.cli.local.home import Home
from tests.e2e.checker import CopyRead, Unreadable

POLL_MS, POLL_SOON_MS = 500, 50
"""How long a look waits for records; soon where a copy waits for its story. What arrives ends the wait."""
ANSWERED_WITHIN = 30.0
CLIENT = {"reconnect_backoff_max_ms": 1_000, "allow_auto_create_topics": False}


class KafkaPartner:
    """One partner on a thread of its own, from `start` until `finish` has read its topic to the end."""

    def __init__(self, home: Home, partner_id: str, play: Play) -> None:
        settings: dict[str, Any] = json.loads(partners.login_file(home, partner_id).read_text())
        self.id = partner_id
        self._settings = settings
        self._private_key = _key(partners.private_key_file(home, partner_id))
        self._routing_key = bytes.fromhex(settings["routing_public_key"])
        self._play = play
        self._kept: dict[str, Copy] = {}
        self._waiting: list[Copy] = []
        self._producer: Any = None
        self._finishing = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"partner-{partner_id}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def finish(self) -> None:
        """Let it read to the end of its topic, then stop; raises what went wrong on its thread."""
        self._finishing.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            consumer = KafkaConsumer(
                self._settings["topic"],
                **self._settings["login"],
                **CLIENT,
                client_id=f"demo-{self.id}",
                group_id=f"{self._settings['group_prefix']}demo",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
            try:
                self._read(consumer)
            finally:
                consumer.close(autocommit=False)
                if self._producer is not None:
                    self._producer.close()
        except BaseException as error:  # noqa: BLE001 - raised by finish: a thread has nobody to raise to
            self._failure = error

    def _read(self, consumer: Any) -> None:
        while not (self._finishing.is_set() and _at_end(consumer)):
            fetched = consumer.poll(timeout_ms=POLL_SOON_MS if self._waiting else POLL_MS)
            for record in (record for records in fetched.values() for record in records):
                self._take(record)
            sent = [future for copy in self._take_waiting() for future in self._answer(copy)]
            for future in sent:
                future.get(timeout=ANSWERED_WITHIN)
            if fetched:
                consumer.commit()

    def _take(self, record: Any) -> None:
        """Open the record and keep it, once by its event id; every time it comes is noted."""
        try:
            sealed = PartnerRecord.FromString(record.value)
            info = copy_info(self.id, sealed.leg_id, sealed.event_id)
            copy = Copy.FromString(open_with(self._private_key, info, sealed.sealed_copy))
        except (DecodeError, CannotOpen):
            where = f"{record.topic}-{record.partition} at {record.offset}"
            self._play.unreadable(Unreadable(self.id, where))
            return
        self._play.read(CopyRead(self.id, record.value, copy))
        if copy.event_id not in self._kept:
            self._kept[copy.event_id] = copy
            self._waiting.append(copy)

    def _take_waiting(self) -> list[Copy]:
        """The copies to answer now: a partner may be quicker than intake's OK to the raiser, which names the story."""
        ready = [copy for copy in self._waiting if self._play.course(copy.referral_id)]
        self._waiting = [copy for copy in self._waiting if copy not in ready]
        return ready

    def _answer(self, copy: Copy) -> list[Any]:
        course = self._play.course(copy.referral_id)
        partner = course.stated.partners.get(self.id) if course else None
        if course is None or partner is None:
            return []  # nobody demanded it: the checker says so
        sent = [self._send(reply, note_of(reply, partner)) for reply in replies(copy, course.stated, partner)]
        if sent:
            # The last answer is acknowledged after those before it: they share a partition.
            sent[-1].add_callback(lambda _: self._play.answered(copy.referral_id, self.id))
        return sent

    def _send(self, reply: Reply, note: str) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(
                **self._settings["login"],
                **CLIENT,
                client_id=f"demo-{self.id}",
                acks="all",
                enable_idempotence=True,
            )
        if note:
            info = reply_info(self.id, reply.leg_id, reply.reply_id)
            reply.sealed_note = seal_to(self._routing_key, info, Narrative(text=note).SerializeToString())
        return self._producer.send(
            self._settings["replies_topic"], key=reply.referral_id.encode(), value=reply.SerializeToString()
        )


def _at_end(consumer: Any) -> bool:
    partitions = list(consumer.assignment())
    ends = consumer.end_offsets(partitions)
    return bool(partitions) and all(consumer.position(partition) >= ends[partition] for partition in partitions)


def _key(path: Path) -> bytes:
    return bytes.fromhex(path.read_text().strip())
