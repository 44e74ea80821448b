"""Marked words in every personal field of a message, and the ways in which they could lie somewhere in clear."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.integration.bad_input.wrong_fields import rules_of


@dataclass
class Planter:
    """Makes marked words. All free texts hold `word`; those that must keep a form are words of their own."""

    word: str = field(default_factory=lambda: "Q" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(7)))
    forms: dict[str, str] = field(default_factory=dict)
    planted: set[str] = field(default_factory=set)
    """The full names of the fields that hold one."""

    def words(self) -> dict[str, str]:
        """Everything that must be found nowhere, by what it stands in."""
        return {"free text": self.word, **self.forms}

    def plant(self, message: Message) -> None:
        """Put a marked word into every personal field that the message has, however deep."""
        for one in message.DESCRIPTOR.fields:
            value = getattr(message, one.name)
            if one.message_type is not None:
                if one.is_repeated:
                    for item in value:
                        self.plant(item)
                elif message.HasField(one.name):
                    self.plant(value)
            elif one.GetOptions().debug_redact and one.type == FieldDescriptor.TYPE_STRING and not one.is_repeated:
                setattr(message, one.name, self._word_for(one))
                self.planted.add(one.full_name.removeprefix("safeguarding.v1."))

    def _word_for(self, one: Any) -> str:
        rules: Any = rules_of(one).string
        if not rules.pattern:
            text = f"{self.word} {one.name}"
            return text[: rules.max_len] if rules.max_len else text
        name = f"{one.full_name} {len(self.forms)}"
        self.forms[name] = FORMS[one.name]()
        return self.forms[name]


def _digits(count: int) -> str:
    return "".join(secrets.choice(string.digits) for _ in range(count))


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_uppercase) for _ in range(count))


FORMS: Mapping[str, Any] = {
    "date_of_birth": lambda: (
        f"18{10 + secrets.randbelow(80)}-{1 + secrets.randbelow(12):02}-{1 + secrets.randbelow(28):02}"
    ),
    "nhs_number": lambda: _digits(10),
    "upn": lambda: f"{_letters(1)}{_digits(12)}",
    "prison_number": lambda: f"{_letters(1)}{_digits(4)}{_letters(2)}",
    "uprn": lambda: f"1{_digits(11)}",
    "three_words": lambda: f"{_letters(8)}.{_letters(8)}.{_letters(8)}",
}


def personal_fields(*kinds: type[Message]) -> set[str]:
    """The full names of the marked texts that these messages can hold."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [kind.DESCRIPTOR for kind in kinds]
    while waiting:
        message = waiting.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        for one in message.fields:
            if one.message_type is not None:
                waiting.append(one.message_type)
            elif one.GetOptions().debug_redact:
                found.add(one.full_name.removeprefix("safeguarding.v1."))
    return found


def shapes(word: str) -> Iterator[tuple[str, bytes]]:
    """A word as it is, and as encodings would show it wherever it begins."""
    raw = word.encode()
    yield "in clear", raw
    yield "as UTF-16", word.encode("utf-16-le")
    yield "as UTF-16", word.encode("utf-16-be")
    yield "as hex", raw.hex().encode()
    yield "as hex", raw.hex().upper().encode()
    for shift in range(3):
        # Characters that hold bits of what stands before or after the word are left out.
        whole = base64.b64encode(b"\0" * shift + raw)
        first, last = (8 * shift + 5) // 6, 8 * (shift + len(raw)) // 6
        yield "as base64", whole[first:last]
        yield "as base64", whole[first:last].translate(bytes.maketrans(b"+/", b"-_"))


def found_in(content: bytes, words: Mapping[str, str]) -> list[str]:
    """Which words lie in the content, and how; never the content itself."""
    return [f"{name} {how}" for name, word in words.items() for how, shape in shapes(word) if shape in content]
