"""`referrals rebuild audit`: makes audit's index again from its log and the topics, while audit is held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from pymongo import MongoClient

from services.audit.broker import topics_of
from services.audit.index import Index
from services.audit.indexing import bring_up
from services.audit.log.note import Signer
from services.audit.log.reader import LogBroken
from services.audit.published import Published
from services.chassis import kafka_headers
from services.chassis.engine.away import Away
from services.chassis.kafka_settings import KafkaAccess
from services.cli import showing
from services.cli.exits import Exit, Failed
from services.cli.installed import installed, told

ANSWER_MS = 10_000
AGAIN = "referrals rebuild audit; referrals up starts audit, which goes on where this ended"


def run(*, as_json: bool) -> None:
    """Hold audit, rebuild, and start it again. What was signed last stays remembered: it is of the log, not of this."""
    stack = installed()
    settings = told(stack.home, "audit")
    with showing.working("stopping audit"):
        stack.hold("audit")
    try:
        entries = _rebuilt(settings)
    except LogBroken as error:
        raise Failed(Exit.REFUSED, "CANNOT_REBUILD", str(error), "", "referrals audit verify --log-only") from None
    except (KafkaError, Away) as error:
        wrong = f"the broker failed: {type(error).__name__}" if isinstance(error, KafkaError) else str(error)
        raise Failed(Exit.FAULT, "UNAVAILABLE", wrong, "rebuild again when it answers", AGAIN) from None
    with showing.working("starting audit"):
        stack.start(["audit"])
    if as_json:
        showing.print_json({"service": "audit", "entries": entries})
    else:
        showing.line(f"audit: {entries} entries of the log are in the index again")


def _rebuilt(settings: dict[str, str]) -> int:
    kafka_headers.tolerate()
    verifier = Signer.parse(Path(settings["LOG_KEY"]).read_text().strip()).verifier
    access = KafkaAccess(
        settings["KAFKA_SERVERS"], settings["KAFKA_USERNAME"], settings["KAFKA_PASSWORD"], settings["KAFKA_SECURITY"]
    )
    consumer = KafkaConsumer(**access.consumer("audit-rebuild"))
    try:
        admin = KafkaAdminClient(**access.admin("audit-rebuild"))
        client = MongoClient[dict[str, Any]](settings["MONGO_URL"], serverSelectionTimeoutMS=ANSWER_MS)
        try:
            index = Index(client[settings["MONGO_DATABASE"]])
            index.clear()
            index.prepare()
            with showing.progress() as tell:
                return bring_up(
                    index,
                    Published(Path(settings["LOG"]), verifier).reader(),
                    consumer,
                    topics_of(admin),
                    lambda done, of: tell("reading entries", done, of),
                )
        finally:
            client.close()
            admin.close()
    finally:
        consumer.close(autocommit=False)
