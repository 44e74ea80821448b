"""Tree hashes and proofs: published figures, and what must hold for every tree."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.log import hashing
from services.audit.log.hashing import Edge, consistent, included, leaf_hash, node_hash

VECTORS = json.loads((Path(__file__).parent / "vectors" / "merkle.json").read_text())
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [  # of the first 0, 1, … 8 of those leaves
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
sizes = st.integers(1, 300)
slow_enough = settings(deadline=None, max_examples=40)
HASHES = [leaf_hash(b"leaf %d" % number) for number in range(70_600)]


def leaves(size: int) -> list[bytes]:
    return HASHES[:size]


def by_definition(hashes: Sequence[bytes]) -> bytes:
    """MTH as RFC 6962 defines it."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashing.EMPTY_ROOT
    middle = hashing.split(len(hashes))
    return node_hash(by_definition(hashes[:middle]), by_definition(hashes[middle:]))


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert hashing.root_of(hashing.leaf_hashes(LEAVES[:size])).hex() == ROOTS[size]


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda vector: vector["name"])
def test_inclusion_is_judged_as_published(vector: dict[str, Any]) -> None:
    proof = [decoded(hashed) for hashed in vector["proof"] or []]

    right = included(decoded(vector["leafHash"]), vector["leafIdx"], vector["treeSize"], proof, decoded(vector["root"]))

    assert right is not vector["wantErr"]


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda vector: vector["name"])
def test_consistency_is_judged_as_published(vector: dict[str, Any]) -> None:
    proof = [decoded(hashed) for hashed in vector["proof"] or []]

    right = consistent(vector["size1"], vector["size2"], proof, decoded(vector["root1"]), decoded(vector["root2"]))

    assert right is not vector["wantErr"]


@slow_enough
@given(st.lists(st.integers(1, 300), max_size=5))
def test_however_a_tree_grows_its_root_is_the_defined_one(batches: list[int]) -> None:
    edge, hashes = Edge(), leaves(sum(batches))
    for count in batches:
        edge.extend(hashes[edge.size : edge.size + count])

    assert edge.root() == by_definition(hashes)
    assert edge.size == len(hashes)


@slow_enough
@given(st.integers(0, 70_000), st.integers(1, 600))
def test_an_edge_goes_on_from_its_partial_tiles(size: int, more: int) -> None:
    hashes = leaves(size + more)
    grown, kept = Edge(), {}
    for tile in grown.extend(hashes[:size]):
        kept[tile.level, tile.number] = list(tile.hashes)
    again = Edge.at(size, lambda level, number, width: kept[level, number][:width])

    assert again.root() == grown.root()
    assert again.extend(hashes[size:]) == grown.extend(hashes[size:])
    assert again.root() == grown.root()


def test_a_batch_touches_each_tile_once() -> None:
    touched = [(tile.level, tile.number, len(tile.hashes)) for tile in Edge().extend(leaves(70_000))]

    assert len(touched) == len({(level, number) for level, number, _ in touched})
    assert touched[-3:] == [(1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert (0, 273, 112) in touched  # the example of c2sp.org/tlog-tiles


@slow_enough
@given(sizes, st.data())
def test_every_inclusion_proof_verifies_and_for_nothing_else(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    root = by_definition(hashes)
    proof = hashing.inclusion_proof(index, size, lambda start, end: by_definition(hashes[start:end]))

    assert included(hashes[index], index, size, proof, root)
    assert not included(leaf_hash(b"another"), index, size, proof, root)
    assert not included(hashes[index], index, size, [*proof, root], root)
    assert not included(hashes[index], index, size, proof, leaf_hash(root))
    other = data.draw(st.integers(0, size - 1))
    assert included(hashes[index], other, size, proof, root) is (other == index)


@slow_enough
@given(sizes, st.data())
def test_every_consistency_proof_verifies_and_for_no_fork(second: int, data: st.DataObject) -> None:
    hashes = leaves(second)
    first = data.draw(st.integers(0, second))
    roots = by_definition(hashes[:first]), by_definition(hashes)
    proof = hashing.consistency_proof(first, second, lambda start, end: by_definition(hashes[start:end]))

    assert consistent(first, second, proof, *roots)
    if first:
        changed = data.draw(st.integers(0, first - 1))
        forked = [*hashes[:changed], leaf_hash(b"another"), *hashes[changed + 1 :]]
        assert not consistent(first, second, proof, by_definition(forked[:first]), roots[1])
        assert not consistent(first, second, proof, roots[0], by_definition(forked))
    if proof:
        assert not consistent(first, second, proof[:-1], *roots)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="does not have it"):
        hashing.inclusion_proof(index, size, lambda start, end: b"")
