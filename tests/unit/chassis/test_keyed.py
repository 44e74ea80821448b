"""The faster HMAC is the standard library's, for every length of key and text."""

import hmac

import pytest

from services.chassis.keyed import Keyed


@pytest.mark.parametrize("key", [b"", b"k", b"k" * 32, b"k" * 64, b"k" * 65, b"k" * 200])
def test_it_gives_what_the_standard_library_gives(key: bytes) -> None:
    keyed = Keyed(key)

    for said in (b"", b"said", b"said" * 16, b"said" * 1_000):
        assert keyed.digest(said) == hmac.digest(key, said, "sha256")
