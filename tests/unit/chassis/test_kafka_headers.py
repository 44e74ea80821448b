"""A record whose header name is no UTF-8 is read by both clients, and whatever else lies in its batch."""

from typing import Any

import aiokafka.consumer.fetcher
import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords as Shipped
from kafka.record import MemoryRecords as KafkaPythons

from services.chassis import kafka_headers


class NoUtf8(str):
    """A header's name as a client that means harm would encode it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff" + super().encode(encoding, errors)


def a_batch(compression: int) -> bytes:
    batch = _DefaultRecordBatchBuilderPy(2, compression, False, -1, -1, -1, 1 << 20)
    for offset, name in enumerate(["before", NoUtf8("harm"), "after"]):
        batch.append(offset, 1, b"key", b"value \xff", [(name, b"\xff")])
    return bytes(batch.build())


def read(records: Any) -> list[tuple[bytes, bytes, list[tuple[str, bytes]]]]:
    found = []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [(each.key, each.value, list(each.headers)) for each in batch]
    return found


@pytest.fixture(params=[0, 1], ids=["plain", "gzip"])
def batch(request: pytest.FixtureRequest) -> bytes:
    return a_batch(request.param) + a_batch(request.param)


@pytest.mark.parametrize("client", ["aiokafka", "kafka-python"])
def test_a_header_name_that_is_no_utf8_is_read_and_can_be_encoded_again(batch: bytes, client: str) -> None:
    kafka_headers.tolerate()
    records = aiokafka.consumer.fetcher.MemoryRecords if client == "aiokafka" else KafkaPythons

    found = read(records(batch))

    assert [headers for _, _, headers in found] == [[(name, b"\xff")] for name in ("before", "\\xffharm", "after")] * 2
    assert {(bytes(key), bytes(value)) for key, value, _ in found} == {(b"key", b"value \xff")}


def test_as_shipped_aiokafka_reads_none_of_such_a_batch(batch: bytes) -> None:
    with pytest.raises(Exception, match=r"utf-8|0xff"):
        read(Shipped(batch))
