"""A partner's subscriber: `python subscriber.py <folder>` reads, opens, keeps each copy once, and says that it has it.

<folder> holds `kafka.json` and `private_key` (docs/partners.md); copies are kept in <folder>/copies, one file each.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from kafka import KafkaConsumer, KafkaProducer

from safeguarding.v1.partner_pb2 import Copy, PartnerRecord, ReceivedReply, Reply

folder = Path(sys.argv[1])
partner, settings = folder.name, json.loads((folder / "kafka.json").read_text())
login = {**settings["login"], "reconnect_backoff_max_ms": 1_000}
key = X25519PrivateKey.from_private_bytes(bytes.fromhex((folder / "private_key").read_text()))
hpke = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
copies = folder / "copies"
copies.mkdir(mode=0o700, exist_ok=True)
reading = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "allow_auto_create_topics": False}
reading |= {"consumer_timeout_ms": 600_000, "session_timeout_ms": 10_000}  # who was ended reads on in 10 s
reading |= {"max_poll_interval_ms": 60_000}  # and a group whose broker was away waits no longer for who is gone
group = settings["group_prefix"] + "subscriber"
producer = KafkaProducer(acks="all", enable_idempotence=True, **login)


def records() -> Iterator[Any]:
    """Every record, for ever. After ten quiet minutes a new consumer reads on, in case the old one lost its broker."""
    while True:
        with closing(KafkaConsumer(settings["topic"], group_id=group, **reading, **login)) as consumer:
            for record in consumer:
                yield record
                consumer.commit()  # last: whatever failed before is read again


for record in records():
    sealed = PartnerRecord.FromString(record.value)
    info = f"referrals/copy/v1|{partner}|{sealed.leg_id}|{sealed.event_id}".encode()
    copy = Copy.FromString(hpke.decrypt(sealed.sealed_copy, key, info=info))
    (copies / copy.event_id).write_bytes(copy.SerializeToString())  # by event id: a repeat is kept once
    if copy.HasField("offer"):
        reply = Reply(reply_id=f"{copy.leg_id}:received", referral_id=copy.referral_id, leg_id=copy.leg_id)
        reply.received.CopyFrom(ReceivedReply())  # by leg and step: a repeated answer is taken once
        producer.send(settings["replies_topic"], reply.SerializeToString(), key=record.key).get(timeout=30)
