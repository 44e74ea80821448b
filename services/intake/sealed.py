"""Seals the personal parts of a concern before anything else sees them, and opens them for their raiser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import Message

from safeguarding.v1 import concern_pb2, intake_pb2
from safeguarding.v1.common_pb2 import FieldGroup, Sealed
from services.chassis import logs
from services.chassis.sealing import CannotOpen, KeyWrapper, new_key, open_part, seal_into
from services.intake.domain.erasing import subject_key
from services.intake.linking import Linker
from services.known import NARRATIVE_KEY, Known

_log = logs.get(__name__)

RAISER_KEY = "raiser"

SUBJECT_GROUPS: Mapping[str, tuple[int, type[Message]]] = {
    "identity": (FieldGroup.FIELD_GROUP_IDENTITY, concern_pb2.Identity),
    "identifiers": (FieldGroup.FIELD_GROUP_IDENTIFIERS, concern_pb2.Identifiers),
    "contact": (FieldGroup.FIELD_GROUP_CONTACT, concern_pb2.Contact),
    "circumstances": (FieldGroup.FIELD_GROUP_CIRCUMSTANCES, concern_pb2.Circumstances),
}
PARTS: Mapping[str, tuple[int, str, type[Message]]] = {
    "narrative": (FieldGroup.FIELD_GROUP_NARRATIVE, NARRATIVE_KEY, concern_pb2.Narrative),
    "place": (FieldGroup.FIELD_GROUP_PLACE, NARRATIVE_KEY, concern_pb2.Place),
    "vehicle": (FieldGroup.FIELD_GROUP_VEHICLE, NARRATIVE_KEY, concern_pb2.Vehicle),
    "raiser": (FieldGroup.FIELD_GROUP_RAISER, RAISER_KEY, concern_pb2.RaiserDetails),
}


def has(message: Any, name: str) -> bool:
    """Whether a message holds a part that the tables above name."""
    given: bool = message.HasField(name)
    return given


class Sealer:
    """Seals for one referral; makes the keys that it needs, and wraps each for the document."""

    def __init__(
        self,
        wrapper: KeyWrapper,
        linker: Linker,
        referral_id: str,
        known: Mapping[str, bytes],
        *,
        narrative_key: str = NARRATIVE_KEY,
    ) -> None:
        """`narrative_key` is the key under which narratives are sealed now."""
        self._narrative_key = narrative_key
        self._wrapper = wrapper
        self._linker = linker
        self._referral_id = referral_id
        self._keys = dict(known)
        self._ciphers: dict[str, AESGCM] = {}
        self.wrapped: dict[str, bytes] = {}
        """New keys by their path in the document."""

    def raised(self, concern: concern_pb2.Concern) -> intake_pb2.Raised:
        """The concern with every personal part sealed."""
        raised = intake_pb2.Raised(
            kinds=concern.kinds,
            signs=concern.signs if concern.HasField("signs") else None,
            area=concern.area,
            anonymous=concern.anonymous,
            shields=concern.shields,
        )
        for number, subject in enumerate(concern.subjects, start=1):
            self._subject(raised.subjects.add(), number, subject)
        for name, (group, key_id, _) in PARTS.items():
            if has(concern, name):
                self._seal(raised.parts.add(), self._current(key_id), group, 1, getattr(concern, name))
        if has(concern, "place"):
            keys = self._linker.of_place(concern.place)
            if keys.keys:
                self._seal(raised.parts.add(), self._narrative_key, FieldGroup.FIELD_GROUP_MATCH, 1, keys)
        return raised

    def subjects(self, subjects: Iterable[concern_pb2.Subject], first: int) -> list[intake_pb2.SealedSubject]:
        """Subjects, numbered from `first`, each under a key of its own."""
        made = []
        for number, subject in enumerate(subjects, start=first):
            made.append(intake_pb2.SealedSubject())
            self._subject(made[-1], number, subject)
        return made

    def part(self, holder: Any, name: str, version: int) -> Sealed:
        """The part of that name of a concern or a request."""
        group, key_id, _ = PARTS[name]
        return self.sealed(self._current(key_id), group, version, getattr(holder, name))

    def narrative(self, content: concern_pb2.Narrative, version: int) -> Sealed:
        """A further narrative."""
        return self.sealed(self._narrative_key, FieldGroup.FIELD_GROUP_NARRATIVE, version, content)

    def place_keys(self, place: concern_pb2.Place, version: int) -> list[Sealed]:
        """The match keys of where it happened, if there are any."""
        keys = self._linker.of_place(place)
        return [self.sealed(self._narrative_key, FieldGroup.FIELD_GROUP_MATCH, version, keys)] if keys.keys else []

    def sealed(self, key_id: str, group: int, version: int, content: Message) -> Sealed:
        """One sealed part; its key is made where the referral has none of that id."""
        part = Sealed()
        self._seal(part, key_id, group, version, content)
        return part

    def make(self, key_id: str) -> bytes:
        """The key of that id, made where the referral has none."""
        key = self._keys.get(key_id)
        if key is None:
            key = self._keys[key_id] = new_key()
            self.wrapped[f"keys.{key_id}"] = self._wrapper.wrap(self._referral_id, key_id, key)
        return key

    def _current(self, key_id: str) -> str:
        """The key of that purpose, as it is now."""
        return self._narrative_key if key_id == NARRATIVE_KEY else key_id

    def _seal(self, into: Sealed, key_id: str, group: int, version: int, content: Message) -> None:
        """Fill in place: each message that is put into another is copied."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            cipher = self._ciphers[key_id] = AESGCM(self.make(key_id))
        seal_into(into, cipher, self._referral_id, key_id, group, version, content)

    def _subject(self, into: intake_pb2.SealedSubject, number: int, subject: concern_pb2.Subject) -> None:
        into.number, into.role = number, subject.role
        key_id, parts = subject_key(number), into.parts
        for name, (group, _) in SUBJECT_GROUPS.items():
            if has(subject, name):
                self._seal(parts.add(), key_id, group, 1, getattr(subject, name))
        keys = self._linker.of_subject(subject)
        if keys.keys:
            self._seal(parts.add(), key_id, FieldGroup.FIELD_GROUP_MATCH, 1, keys)


def opened(known: Known, referral_id: str, keys: Mapping[str, bytes]) -> concern_pb2.Concern:
    """The concern as it stands, opened; a part that cannot be opened is left out."""
    concern = concern_pb2.Concern()
    if known.raised is None:
        return concern
    concern.kinds.extend(known.raised.kinds)
    if known.raised.HasField("signs"):
        concern.signs.CopyFrom(known.raised.signs)
    concern.area = known.raised.area
    concern.anonymous = known.raised.anonymous
    concern.shields.extend(known.raised.shields)
    for number in sorted(known.subjects):
        sealed_subject = known.subjects[number]
        subject = concern.subjects.add(role=sealed_subject.role)
        groups = {group: (name, kind) for name, (group, kind) in SUBJECT_GROUPS.items()}
        for sealed in sealed_subject.parts:
            if sealed.group in groups:  # match keys are nothing that its raiser gave
                name, kind = groups[sealed.group]
                _put(subject, name, referral_id, keys, sealed, kind)
    names = {group: (name, kind) for name, (group, _, kind) in PARTS.items()}
    for sealed in known.parts:
        if sealed.group in names:
            name, kind = names[sealed.group]
            _put(concern, name, referral_id, keys, sealed, kind)
    return concern


def _put(
    holder: Any, name: str, referral_id: str, keys: Mapping[str, bytes], sealed: Sealed, kind: type[Message]
) -> None:
    content = open_part(keys, referral_id, sealed, kind)
    if content is not None:
        getattr(holder, name).CopyFrom(content)


def unwrapped(wrapper: KeyWrapper, referral_id: str, wrapped: Mapping[str, bytes]) -> dict[str, bytes]:
    """A referral's data keys, opened. Raises CannotOpen where the key-encryption key is not the one."""
    return {key_id: wrapper.unwrap(referral_id, key_id, bytes(value)) for key_id, value in wrapped.items()}


def openable(wrapper: KeyWrapper, referral_id: str, wrapped: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same without those that are damaged, which are told of in the log: what a key is for is then missing, as a
    damaged part is, and nobody waits for it."""
    keys: dict[str, bytes] = {}
    for key_id, value in wrapped.items():
        try:
            keys[key_id] = wrapper.unwrap(referral_id, key_id, bytes(value))
        except CannotOpen:
            _log.error("key_unreadable", referral_id=referral_id, key_id=key_id)
    return keys


__all__ = ["CannotOpen", "Sealer", "openable", "opened", "subject_key", "unwrapped"]
