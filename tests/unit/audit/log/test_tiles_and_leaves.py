"""Where tiles lie and what leaves say: the examples of the specifications, and one form only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.log import tiles
from services.audit.log.leaf import Follower, Gap, Leaf, NoLeaf, Skipped, batch_of, decode
from tests.unit.audit.log.support import TOPIC_ID, Records

EXAMPLE = (
    b"referrals-leaf/v1\n"
    b"topic referrals.intake.v1\n"
    b"topic-id 6c9f2a58-0f0b-4a4e-9d7c-3f1c7a1d2b90\n"
    b"partition 3\n"
    b"offset 1207\n"
    b"time 1795374854123\n"
    b"event 0c2a1f5e-6a55-5d0c-9b35-8a0f8a1f9f11\n"
    b"type safeguarding.v1.ConcernRaised\n"
    b"referral 5f0d1c9e-1b1e-5c58-8d0c-6a3f3f1f7b22\n"
    b"actor officer/x4021\n"
    b"sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
)


def gap(offset: int, until: int) -> Gap:
    return Gap("partner.x.v1", TOPIC_ID, 0, offset, until, 5, "expired-unread")


def test_paths_are_those_of_the_specification() -> None:
    assert tiles.tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tiles.tile_path(1, 17, 112) == "tile/1/017.p/112"
    assert tiles.bundle_path(273, 112) == "tile/entries/273.p/112"
    assert list(tiles.levels(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles.levels(256)) == [(0, 1, 0), (1, 0, 1)]


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_a_path_says_which_tile_it_is(level: int, index: int, width: int) -> None:
    assert tiles.parse_path(tiles.tile_path(level, index, width)) == (level, index, width)
    assert tiles.parse_path(tiles.bundle_path(index, width)) == (0, index, width)


@pytest.mark.parametrize(
    "path", ["tile/0/1", "tile/00/001", "tile/0/x000/001", "tile/0/001.p/256", "tile/64/000", "tile/0/001.p/01", "x"]
)
def test_what_no_log_has_is_no_path(path: str) -> None:
    assert tiles.parse_path(path) is None


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    packed = tiles.pack(entries)

    assert tiles.unpack(packed) == entries
    if packed:
        with pytest.raises(ValueError, match="within an entry"):
            tiles.unpack(packed + b"\0")


def test_the_leaf_of_the_specification_is_read_and_written() -> None:
    leaf = decode(EXAMPLE)

    assert isinstance(leaf, Leaf)
    assert (leaf.topic, leaf.partition, leaf.offset, leaf.actor) == ("referrals.intake.v1", 3, 1207, "officer/x4021")
    assert leaf.encode() == EXAMPLE


def test_what_nobody_knows_is_left_out() -> None:
    leaf = Leaf("t", TOPIC_ID, 0, 0, -1, bytes(32))

    assert leaf.encode().splitlines()[5:] == [b"time -1", b"sha256 " + b"0" * 64]
    assert decode(leaf.encode()) == leaf


@pytest.mark.parametrize(
    "changed",
    [
        EXAMPLE[:-1],
        EXAMPLE + b"\n",
        EXAMPLE.replace(b"leaf/v1", b"leaf/v2"),
        EXAMPLE.replace(b"partition 3", b"partition 03"),
        EXAMPLE.replace(b"offset 1207", b"offset +1207"),
        EXAMPLE.replace(b"time 17", b"time  17"),
        EXAMPLE.replace(b"sha256 9f", b"sha256 9F"),
        EXAMPLE.replace(b"actor officer/x4021\n", b"actor \n"),
        EXAMPLE.replace(b"officer", "öfficer".encode()),
        EXAMPLE.replace(b"event ", b"event\t"),
        b"",
    ],
    ids=range(11),
)
def test_a_leaf_has_one_form_only(changed: bytes) -> None:
    with pytest.raises(NoLeaf):
        decode(changed)


@pytest.mark.parametrize(
    "changed", [{"topic": "a\nb"}, {"actor": "Jane Doe"}, {"event_id": "x" * 101}, {"referral_id": "r"}, {"offset": -1}]
)
def test_no_field_can_bring_another_in(changed: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "topic": "t",
        "topic_id": TOPIC_ID,
        "partition": 0,
        "offset": 0,
        "time": 0,
        "sha256": bytes(32),
    }
    with pytest.raises(ValueError, match="not as a leaf's must be"):
        Leaf(**{**fields, **changed}).encode()  # type: ignore[arg-type]  # wrong fields are the point


def test_a_gap_names_its_offsets_and_why() -> None:
    assert decode(gap(5, 9).encode()) == gap(5, 9)
    with pytest.raises(ValueError, match="not as a gap's must be"):
        gap(9, 9).encode()


def test_a_batch_spans_offsets_without_a_hole() -> None:
    batch = Records().batch(7)

    assert batch.moves == {(TOPIC_ID, 0): (0, 3), (TOPIC_ID, 1): (0, 2), (TOPIC_ID, 2): (0, 2)}
    with pytest.raises(Skipped, match="offset 9 where 6 must follow"):
        batch_of([gap(5, 6), gap(9, 10)])


def test_a_follower_knows_the_next_offset_of_each_partition() -> None:
    records, follower = Records(), Follower({("other", 0): 4})
    for leaf in records.batch(10).leaves:
        follower.follow(leaf)
    follower.follow(gap(0, 20).encode().replace(b"partition 0", b"partition 7"))

    assert follower.positions() == {
        ("other", 0): 4,
        (TOPIC_ID, 0): 4,
        (TOPIC_ID, 1): 3,
        (TOPIC_ID, 2): 3,
        (TOPIC_ID, 7): 20,
    }


@pytest.mark.parametrize("again", [0, 5, 12])
def test_a_follower_notices_what_comes_twice_or_not_at_all(again: int) -> None:
    leaves, follower = Records().batch(30).leaves, Follower()
    for leaf in leaves[:10]:
        follower.follow(leaf)

    with pytest.raises(Skipped, match="must follow"):
        follower.follow(leaves[again + 3])
