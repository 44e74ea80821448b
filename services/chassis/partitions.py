"""Which partition a key belongs to, as every Kafka client chooses it: murmur2, made fast, since each record asks."""

from struct import Struct

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_UUID = 36
_UUID_WORDS = Struct("<9I").unpack
"""Nearly every key is a referral id."""


def partition_of(key: bytes, count: int) -> int:
    """The partition of a key on a topic of so many. tests/contract/test_partitions.py compares with both clients."""
    if len(key) == _UUID:
        words, rest = _UUID_WORDS(key), b""
    else:
        whole = len(key) // 4 * 4
        words, rest = Struct(f"<{whole // 4}I").unpack(key[:whole]), key[whole:]
    found = _SEED ^ len(key)
    for word in words:
        word = word * _M & _MASK
        found = (found * _M ^ (word ^ word >> 24) * _M) & _MASK
    if rest:
        found = (found ^ int.from_bytes(rest, "little")) * _M & _MASK
    found = (found ^ found >> 13) * _M & _MASK
    return ((found ^ found >> 15) & 0x7FFFFFFF) % count
