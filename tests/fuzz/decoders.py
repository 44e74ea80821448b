"""Every decoder with bytes that it must take or refuse, and never break on: what each may raise is named beside it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from safeguarding.v1 import access_pb2, concern_pb2, parked_pb2, partner_pb2
from services import topics
from services.audit.entries import entry_of, entry_of_leaf, leaf_of
from services.audit.log import leaf as leaves
from services.audit.log import positions, tiles
from services.audit.log.checkpoint import open_checkpoint
from services.audit.log.note import NoteRefused, Verifier, open_note
from services.audit.log.proof import ReceiptRefused, receipt, verify_receipt
from services.audit.log.reader import LogReader
from services.chassis import kafka_headers, records, tracing
from services.chassis.areafile import FileRefused
from services.chassis.areas import load_areas
from services.chassis.clocks import load_clocks
from services.chassis.directory import BrokenEntry, Directory
from services.chassis.errors import Unauthenticated
from services.chassis.identity import ROLES, Name, name_of
from services.chassis.kafka_in.chunk import Record
from services.chassis.parked import ParkedRecords
from services.chassis.sealing import CannotOpen, open_with, seal, unseal
from services.grounds import load_grounds
from services.partner_routing.agreements import load_agreement
from services.triage.rules import load_rules
from tests.fuzz.batches import a_batch, read_batch
from tests.fuzz.mutating import Dice, bent, wrong_bytes
from tests.fuzz.stage import AREA, PRIVATE, Defect
from tests.unit.audit.log.support import NAME, TOPIC_ID, VERIFIER, Records, a_writer

REFERRAL = "00000000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Decoder:
    """`make` gives the wrong bytes, or whatever it reads; `read` may raise what `refuses` names, and nothing else."""

    name: str
    make: Callable[[Dice], Any]
    read: Callable[[Any], Any]
    refuses: tuple[type[Exception], ...] = ()

    def once(self, dice: Dice) -> str:
        """One case: how it ended."""
        given = self.make(dice)
        try:
            self.read(given)
        except self.refuses:
            return "refused"
        return "read"


def decoders(folder: Path, written: Sequence[Record]) -> list[Decoder]:
    """All of them; `written` are right records of every topic, and files are made in `folder`."""
    kafka_headers.tolerate()
    return [
        *_of_records(written),
        *_of_log(folder / "a-log"),
        Decoder("sealed part", _sealed_part, _open_part, (CannotOpen, DecodeError)),
        Decoder("encrypted copy", lambda dice: bent(bytes(80), dice), _open_copy, (CannotOpen,)),
        Decoder("identity", _uris, lambda uris: name_of(uris, "fuzz.invalid"), (Unauthenticated,)),
        Decoder("traceparent", _trace, _read_trace),
    ]


def of_files(folder: Path) -> list[Decoder]:
    """The decoders of files that people write: slow ones, so fewer cases go to them."""
    directory = folder / "entries"
    (directory / "partner").mkdir(parents=True)
    entry = (
        f'name = "A"\nkind = "b"\nserves = ["housing"]\nareas = ["bristol"]\npublic_key = "{PRIVATE}"\nkafka = true\n'
    )
    agreement = AREA / "agreements" / "police-response.toml"
    made: list[Decoder] = [
        Decoder("directory entry", partial(_text, entry), partial(_read_entry, directory), (BrokenEntry,)),
        Decoder(
            "agreement",
            partial(_text, agreement.read_text()),
            partial(_read_file, folder / "police-response.toml", load_agreement),
            (FileRefused,),
        ),
    ]
    loaders: dict[str, Callable[[Path], Any]] = {
        "partners.toml": load_areas,
        "rules.toml": load_rules,
        "clocks.toml": load_clocks,
        "grounds.toml": load_grounds,
        "school_terms/bristol.toml": load_clocks,
    }
    for name, load in loaders.items():
        area = Path(shutil.copytree(AREA, folder / name.replace("/", "-").partition(".")[0]))
        text = _shortened((AREA / name).read_text()) if name != "clocks.toml" else (AREA / name).read_text()
        made.append(Decoder(name, partial(_text, text), partial(_read_area, area, name, load), (FileRefused,)))
    return made


# -- records -------------------------------------------------------------------------------------------------------


def _of_records(written: Sequence[Record]) -> list[Decoder]:
    more = [
        *written,
        *(Record(topics.access_topic("intake").name, 0, 0, 0, b"k", message, ()) for message in _access_facts()),
        Record(topics.parked_topic("triage").name, 0, 0, 0, b"k", _parked().SerializeToString(), ()),
        Record("unheard.of", 0, 0, 0, None, b"", ()),
    ]
    return [
        Decoder("audit entry and leaf", lambda dice: _bent_record(dice.choice(more), dice), _entry_and_leaf),
        Decoder("parked records at start", _parked_value, _restore),
        Decoder("kafka headers", a_batch, read_batch),
    ]


def _access_facts() -> list[bytes]:
    fact = access_pb2.AccessFact(kind=access_pb2.ACCESS_KIND_VIEWED, method="m", reason="r", referral_ids=[REFERRAL])
    fact.header.event_id = fact.header.referral_id = REFERRAL
    fact.header.occurred_at.seconds = 1
    return [fact.SerializeToString()]


def _parked() -> parked_pb2.ParkedRecord:
    parked = parked_pb2.ParkedRecord()
    parked.parked.topic, parked.parked.value, parked.parked.key = topics.INTAKE.name, b"value", b"key"
    parked.parked.headers.add(name="h", value=b"v")
    parked.parked.parked_at.seconds = parked.parked.record_time.seconds = 1
    return parked


def _bent_record(record: Record, dice: Dice) -> Record:
    how = dice.random()
    return record._replace(
        value=None if how < 0.01 else bent(record.value or b"", dice),
        key=None if how > 0.98 else bent(record.key or b"", dice) if how > 0.8 else record.key,
        timestamp_ms=dice.choice((record.timestamp_ms, 0, -1, 2**63 - 1, -(2**63))),
        offset=dice.choice((0, 2**62)),
        headers=tuple((dice.choice(("a", "\\xff", "\udcff", "")), dice.choice((None, b"", b"\xff"))) for _ in range(2)),  # type: ignore[misc]  # null, too
        topic=record.topic if how < 0.9 else dice.choice((topics.INTAKE.name, "partner.x.replies.v1", "partner..v1")),
    )


def _entry_and_leaf(record: Record) -> None:
    entry = entry_of(record)
    entry.timeline.SerializeToString()
    leaf = leaf_of(record, entry, TOPIC_ID)
    encoded = leaf.encode()
    if leaves.decode(encoded) != leaf:
        raise Defect("a leaf reads as another")
    entry_of_leaf(leaf)
    records.as_mapping(record.headers)
    tracing.of_headers(record.headers)


def _parked_value(dice: Dice) -> Record:
    parked = _parked()
    if dice.random() < 0.3:
        parked = parked_pb2.ParkedRecord(replayed=parked_pb2.Replayed(topic="t", partition=1, offset=2, by="b"))
    raw = wrong_bytes(parked, dice)
    return Record("referrals.parked.triage.v1", 0, 0, 0, b"k", None if dice.random() < 0.02 else raw, ())


def _restore(record: Record) -> None:
    parked = ParkedRecords("referrals.parked.triage.v1", "triage", [topics.INTAKE.name])
    parked.restore_one(record)
    for entry in parked.entries():
        parked.parking(entry.record, entry.kind, entry.error, entry.parked_at)


# -- the log -------------------------------------------------------------------------------------------------------


def _of_log(folder: Path) -> list[Decoder]:
    folder.mkdir()
    made = Records()
    with a_writer(folder) as writer:
        writer.append(made.batch(300))
    checkpoint = (folder / "checkpoint").read_bytes()
    written = (folder / "positions").read_bytes()
    proof = receipt(LogReader(folder, 300), 7, checkpoint)
    leaf = next(iter(made.made.values()))[0]
    gap = leaves.Gap("t", TOPIC_ID, 0, 3, 9, 5, "expired").encode()
    bundle = tiles.pack([leaf, gap])
    follower = leaves.Follower()
    return [
        Decoder("leaf", lambda dice: bent(dice.choice((leaf, gap)), dice), leaves.decode, (leaves.NoLeaf,)),
        Decoder("follower", lambda d: bent(leaf, d), follower.follow, (leaves.NoLeaf, leaves.Skipped)),
        Decoder("receipt", partial(_never_right, proof), _verify, (ReceiptRefused,)),
        Decoder("checkpoint", partial(_never_right, checkpoint), _open, (NoteRefused,)),
        Decoder("note", lambda d: bent(checkpoint, d), lambda raw: open_note(raw, [VERIFIER]), (NoteRefused,)),
        Decoder("verifier key", lambda d: bent(str(VERIFIER).encode(), d), _verifier, (ValueError,)),
        Decoder("positions", lambda d: bent(written, d), positions.parse),
        Decoder("bundle", lambda d: bent(bundle, d), tiles.unpack, (ValueError,)),
        Decoder("tile path", lambda d: bent(b"tile/0/x001/234.p/5", d), _path),
    ]


def _never_right(right: bytes, dice: Dice) -> tuple[bytes, bytes]:
    return right, bent(right, dice)


def _verify(given: Any) -> None:
    right, raw = given
    if verify_receipt(raw, VERIFIER).leaf and raw != right:
        raise Defect("a receipt that was altered verifies")


def _open(given: Any) -> None:
    right, raw = given
    if open_checkpoint(raw, VERIFIER)[0].origin == NAME and raw != right:
        # Lines by keys that nobody knows may be added to a note; what it says cannot change.
        _same(right, raw)


def _same(right: bytes, raw: bytes) -> None:
    if open_checkpoint(right, VERIFIER)[0] != open_checkpoint(raw, VERIFIER)[0]:
        raise Defect("a checkpoint that was altered verifies")


def _verifier(raw: bytes) -> None:
    Verifier.parse(raw.decode("latin-1"))


def _path(raw: bytes) -> None:
    found = tiles.parse_path(raw.decode("latin-1"))
    if found is not None and ".." in raw.decode("latin-1"):
        raise Defect("a path that leads out")


# -- sealed things and names ---------------------------------------------------------------------------------------

_KEY = b"k" * 32
_PART = seal(_KEY, REFERRAL, "narrative", 1, 1, concern_pb2.Narrative(text="what happened"))


def _sealed_part(dice: Dice) -> bytes:
    return wrong_bytes(_PART, dice)


def _open_part(raw: bytes) -> None:
    unseal(_KEY, REFERRAL, type(_PART).FromString(raw), concern_pb2.Narrative)


def _open_copy(raw: bytes) -> None:
    partner_pb2.Copy.FromString(open_with(bytes.fromhex(PRIVATE), "info", raw))


def _uris(dice: Dice) -> dict[str, list[bytes]]:
    uri = bent(b"spiffe://fuzz.invalid/officer/pc-1", dice)
    return {"peer_uri": [uri] * dice.choice((0, 1, 1, 1, 2)), "peer_spiffe_id": [uri]}


def _trace(dice: Dice) -> bytes:
    return bent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", dice)


def _read_trace(raw: bytes) -> None:
    with tracing.span("fuzz", tracing.of_headers([("traceparent", raw)])):
        tracing.current()
    tracing.context_of(raw.decode("latin-1"))


# -- files ---------------------------------------------------------------------------------------------------------

_VALUES = (
    "0", "-1", "1e400", "nan", "inf", "true", "0001-01-01", "9999-12-31", "2026-11-20T12:00:00Z", "24:00", "[]", "{}",
    "[[[[1]]]]",
    '""', '" "', '"\\u0000"', '"x"', "'''a\nb'''", "9223372036854775808", '["a", 1]', "[" * 2_000, "{a=" * 400,
)  # fmt: skip


def _text(right: str, dice: Dice) -> bytes:
    lines = right.splitlines()
    for _ in range(dice.choice((1, 1, 2))):
        at = dice.randrange(len(lines))
        match dice.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[dice.randrange(len(lines))])
            case 2:
                lines[at] = bent(lines[at].encode(), dice).decode("utf-8", "replace")
            case 3:
                lines[at] = f'"{chr(dice.randrange(32, 0x3000))}" = {dice.choice(_VALUES)}'
            case _:
                lines[at] = f"{lines[at].partition('=')[0]}= {dice.choice(_VALUES)}"
        lines = lines or [""]
    raw = "\n".join(lines).encode("utf-8", "replace")
    return bent(raw, dice) if dice.random() < 0.1 else raw


def _shortened(text: str) -> str:
    """The first tables of a file: as many kinds of wrong, in a tenth of the time."""
    return "\n".join(text.splitlines()[:120])


def _read_entry(directory: Path, raw: bytes) -> None:
    (directory / "partner" / "one.toml").write_bytes(raw)
    Directory(directory).find(Name(ROLES["partner"], "one"))
    Directory(directory).partners()


def _read_file(path: Path, load: Callable[[Path], Any], raw: bytes) -> None:
    path.write_bytes(raw)
    load(path)


def _read_area(area: Path, name: str, load: Callable[[Path], Any], raw: bytes) -> None:
    (area / name).write_bytes(raw)
    load(area)


def somewhere() -> Path:
    """A folder of its own, in memory where there is such a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of mkdtemp in it
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
