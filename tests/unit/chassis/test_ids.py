"""Ids that are names: the same as the standard library makes them."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.ids import naming


@given(namespace=st.uuids(), name=st.text())
def test_a_named_id_is_what_uuid5_gives(namespace: uuid.UUID, name: str) -> None:
    assert naming(namespace)(name) == str(uuid.uuid5(namespace, name))
