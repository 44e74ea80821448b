"""Writes docs/events.md, the catalogue of events: every topic and every fact on it, from the protos and topics.py.

What a fact means stands in the protos and nowhere else; since when there is one, the descriptors of the releases say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "events.md"
DESCRIPTORS = ROOT / "build" / "protos" / "descriptors.binpb"
RELEASES = ROOT / "deploy" / "descriptors"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet  # noqa: E402

from services import topics  # noqa: E402 - found in the checkout by the lines above

PACKAGE = "safeguarding.v1"
SEALED = "Sealed"
ANY_PARTNER = "id"
NEXT = "next"
"""What no release has yet."""
PARTS: Mapping[str, tuple[str, str]] = {
    "IntakeFact": ("IntakeFact", "fact"),
    "TriageFact": ("TriageFact", "fact"),
    "RoutingFact": ("RoutingFact", "fact"),
    "PartnerRecord": ("Copy", "content"),
    "Reply": ("Reply", "step"),
    "ParkedRecord": ("ParkedRecord", "record"),
    "AccessFact": ("AccessFact", ""),
}
"""By what a topic carries: the message that says what happened, and its oneof where it has one. A copy is inside the
partner's record, encrypted as a whole."""

HEAD = f"""# The catalogue of events

Made by `make events` from [protos/](../protos/safeguarding/v1/) and [services/topics.py](../services/topics.py); a test
fails where this page is older. The key of every record is the referral's id. A record's headers are CloudEvents' Kafka
binding: `ce_type` is the fact (`{PACKAGE}.Raised`), `ce_dataschema` the value
(`{PACKAGE}.IntakeFact`). Readers decode the value; they never trust headers. *Since* is the first release
that has it; `{NEXT}` is in none yet. *Sealed* parts are encrypted under a key of their own, which an erasure destroys;
all else is pseudonymous and stays.

## Versions

`v1` stands in the package and in each topic's name. `make check` compares names, numbers and types with the last
release's descriptors in [deploy/descriptors/](../deploy/descriptors/); whether a meaning or a field rule stayed the
same, people must see to.

- **No new version:** a new fact with a number of its own, a new field, a new word of an enum, a comment. Whoever
  reads is brought up to date before whoever writes. A service that meets a fact which it does not know parks it
  whole and takes it up once it does (`referrals parked replay`); a partner leaves aside what it does not know.
- **A breaking change** takes away or renames a message, field or word, changes a number, a type or what something
  means, or forbids by a field rule what was allowed. It is never made to `v1`.
- **A new version of a fact** is a new message beside the old one in the same oneof, with a number of its own: its
  writer writes the new one only, readers fold both for ever, since topics are kept for ever and stores are made again
  from them.
- **A new version of a topic** (`.v2`, package `safeguarding.v2`) is for what cannot stand side by side, such as another
  key. Its writer writes both until the last reader has moved, then the new one only; the old topic stays to be read.
- A release commits its descriptors as `deploy/descriptors/<version>.binpb`.
"""


class Language:
    """The messages of a descriptor set by name, with what is written above each."""

    def __init__(self, raw: bytes) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self._words: dict[tuple[str, ...], str] = {}
        for file in FileDescriptorSet.FromString(raw).file:
            if file.package != PACKAGE:
                continue
            said = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
            for number, message in enumerate(file.message_type):
                self.messages[message.name] = message
                self._words[(message.name,)] = said.get((4, number), "")
                for place, field in enumerate(message.field):
                    self._words[message.name, field.name] = said.get((4, number, 2, place), "")

    def words(self, *path: str) -> str:
        """What is written above a message, or above a field of it, on one line."""
        return " ".join(self._words.get(path, "").split())

    def kinds(self, message: str, oneof: str) -> Iterator[FieldDescriptorProto]:
        """The fields of a oneof; none where there is no such oneof."""
        found = self.messages.get(message, DescriptorProto())
        places = [place for place, each in enumerate(found.oneof_decl) if each.name == oneof]
        return (field for field in found.field if field.HasField("oneof_index") and field.oneof_index in places)

    def names(self, message: str, oneof: str) -> set[str]:
        """The names of the fields of a oneof."""
        return {field.name for field in self.kinds(message, oneof)}

    def personal(self, message: str, above: frozenset[str] = frozenset()) -> Iterator[str]:
        """The paths to what is sealed or marked as personal."""
        for field in self.messages[message].field:
            name = _short(field.type_name)
            if name == SEALED or field.options.debug_redact:
                yield field.name
            elif name in self.messages and name not in above:
                inner = self.personal(name, above | {message})
                yield from (f"{field.name}.{path}" for path in inner)


def page() -> str:
    """The whole page."""
    language = Language(DESCRIPTORS.read_bytes())
    releases = {path.stem: Language(path.read_bytes()) for path in sorted(RELEASES.glob("*.binpb"), key=_version)}
    shown = [*topics.TOPICS, *topics.partner_topics(ANY_PARTNER)]
    parts = [HEAD, "## Topics\n", _topics(shown)]
    for carried in dict.fromkeys(topic.carries for topic in shown):
        names = ", ".join(f"`{_named(topic)}`" for topic in shown if topic.carries == carried)
        parts += [f"## {carried}\n", f"{language.words(carried)} On {names}.\n", _facts(carried, language, releases)]
    return "\n".join(parts)


def _topics(shown: Iterable[topics.Topic]) -> str:
    rows = ["| topic | written by | read by | carries | kept |", "|---|---|---|---|---|"]
    for topic in shown:
        kept = "for ever" if topic.retention is None else f"{topic.retention.days} days"
        readers = ", ".join(_who(each) for each in topic.readers)
        carries = f"[{topic.carries}](#{topic.carries.lower()})"
        rows.append(f"| `{_named(topic)}` | {_who(topic.writer)} | {readers} | {carries} | {kept} |")
    return "\n".join([*rows, ""])


def _facts(carried: str, language: Language, releases: Mapping[str, Language]) -> str:
    message, oneof = PARTS[carried]
    rows = [
        "| fact | message | since | what it means | who, or when | sealed or personal |",
        "|---|---|---|---|---|---|",
    ]
    if not oneof:
        since = next((version for version, old in releases.items() if message in old.messages), NEXT)
        rows.append(_row("", message, since, language, ""))
    for field in language.kinds(message, oneof):
        name = field.name
        since = next((version for version, old in releases.items() if name in old.names(message, oneof)), NEXT)
        rows.append(_row(f"`{name}`", _short(field.type_name), since, language, language.words(message, name)))
    return "\n".join([*rows, ""])


def _row(fact: str, message: str, since: str, language: Language, said: str) -> str:
    personal = ", ".join(dict.fromkeys(f"`{path}`" for path in language.personal(message)))
    return f"| {fact} | {message} | {since} | {language.words(message)} | {said} | {personal} |"


def _named(topic: topics.Topic) -> str:
    return topic.name.replace(f"partner.{ANY_PARTNER}.", "partner.<id>.")


def _who(user: str) -> str:
    return "that partner" if user == topics.partner_user(ANY_PARTNER) else user


def _short(type_name: str) -> str:
    return type_name.removeprefix(f".{PACKAGE}.") if type_name.startswith(f".{PACKAGE}.") else ""


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.stem.split("."))


if __name__ == "__main__":
    PAGE.write_text(page())
