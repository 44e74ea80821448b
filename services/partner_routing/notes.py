"""Personal words that somebody writes, sealed under the narrative's key before anything else sees them."""

from __future__ import annotations

from safeguarding.v1.common_pb2 import FieldGroup, Sealed
from safeguarding.v1.concern_pb2 import Narrative
from services.chassis.deciding import Refused, Why
from services.chassis.engine.document import Document
from services.chassis.keys import Keys
from services.chassis.sealing import seal
from services.partner_routing.domain import State
from services.partner_routing.gather import NOTE_VERSION


def sealed_note(keys: Keys, document: Document[State], words: str, field: str) -> Sealed:
    """The words, sealed; raises Refused, naming the request's field, where the key is gone."""
    key_id = document.state.known.narrative_key
    key = keys.open([document.id], {document.id: [key_id]})[document.id].get(key_id)
    if key is None:
        raise Refused(Why.ILLEGAL, "the referral was erased", "the same without words", field=field)
    version = NOTE_VERSION + document.state.sequence
    return seal(key, document.id, key_id, FieldGroup.FIELD_GROUP_NARRATIVE, version, Narrative(text=words))
