from __future__ import annotations

import threading

import numpy as np
import pytest

from postscope.indexing.hamming import HammingIndex, Near


def codes(count: int, seed: int = 0) -> list[bytes]:
    return [row.tobytes() for row in np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)]


def flipped(code: bytes, bits: int) -> bytes:
    return (int.from_bytes(code) ^ ((1 << bits) - 1)).to_bytes(32)


def test_an_empty_index_has_nothing() -> None:
    index = HammingIndex()
    assert len(index) == 0
    assert index.within(codes(2), 256) == [[], []]
    assert index.nearest(codes(1), 5) == [[]]
    assert index.within([], 3) == []


def test_the_radius_is_included_and_the_order_is_defined() -> None:
    index, base = HammingIndex(), codes(1)[0]
    index.append([(3, flipped(base, 31)), (5, base), (8, flipped(base, 32)), (9, base)])
    assert index.within([base], 31) == [[Near(5, 0), Near(9, 0), Near(3, 31)]]
    assert index.nearest([base], 3) == [[Near(5, 0), Near(9, 0), Near(3, 31)]]
    assert index.nearest([base], 9, radius=31) == [[Near(5, 0), Near(9, 0), Near(3, 31)]]


def test_it_is_exact() -> None:
    rows, asked = codes(3_000), codes(5, seed=1)
    index = HammingIndex()
    index.append(list(enumerate(rows, 1)))
    for query, found in zip(asked, index.within(asked, 112), strict=True):
        far = [(int.from_bytes(query) ^ int.from_bytes(row)).bit_count() for row in rows]
        assert found == sorted(
            (Near(n, d) for n, d in enumerate(far, 1) if d <= 112), key=lambda near: (near.distance, near.number)
        )


def test_what_is_removed_is_not_found_again_and_does_not_hide_others() -> None:
    base, index = codes(1)[0], HammingIndex()
    index.append([(number, base) for number in range(1, 5_001)])
    index.remove(range(1, 4_000))
    index.remove([4_000, 99_999])
    assert len(index) == 1_000
    assert [near.number for near in index.nearest([base], 2)[0]] == [4_001, 4_002]
    index.append([(6_000, base)])
    assert len(index.within([base], 0)[0]) == 1_001


@pytest.mark.parametrize("rows", [[(2, bytes(32))], [(3, bytes(32)), (3, bytes(32))], [(4, b"short")]])
def test_rows_that_cannot_be_right_are_refused_whole(rows: list[tuple[int, bytes]]) -> None:
    index = HammingIndex()
    index.append([(2, bytes(32))])
    with pytest.raises(ValueError):
        index.append(rows)
    assert len(index) == 1


def test_catching_up_takes_each_row_once_whoever_asks() -> None:
    table = list(enumerate(codes(2_345), 1))
    index = HammingIndex()

    def fetch(after: int, most: int) -> list[tuple[int, bytes]]:
        return table[after : after + most]

    threads = [threading.Thread(target=lambda: index.catch_up(fetch, most=100)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(index) == 2_345
    table.append((2_346, bytes(32)))
    assert index.catch_up(fetch) == 1
    assert index.last == 2_346


def test_many_of_one_fingerprint_hide_no_others() -> None:
    [base] = codes(1)
    other, third = (bytes([base[0] ^ bits]) + base[1:] for bits in (1, 7))
    index = HammingIndex()
    index.append([(number, base) for number in range(1, 201)])
    index.append([(201, third), (202, other), (203, other), (204, other)])
    found = index.nearest_unlike([base, other], 6, each=2)
    assert found[0] == [Near(1, 0), Near(2, 0), Near(202, 1), Near(203, 1), Near(201, 3)]
    assert [near.number for near in found[1]] == [202, 203, 1, 2, 201]
    index.remove([1, 202])
    assert [near.number for near in index.nearest_unlike([base], 6, each=2)[0]] == [2, 3, 203, 204, 201]
    assert index.nearest_unlike([base], 3, radius=0, each=2) == [[Near(2, 0), Near(3, 0)]]
    assert index.nearest_unlike([], 3, each=2) == []
