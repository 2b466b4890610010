"""Many vectors against known ones: the same pairs as one by one, at the same relevance."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from postscope.indexing.calibration import Part, SpaceCalibration
from postscope.indexing.known import alike
from postscope.indexing.known.alike import look_alikes
from postscope.indexing.known.index import KnownEntry, KnownIndex
from postscope.indexing.known.matching import Probe, find
from postscope.indexing.types import Centres
from tests.workers.small_encoder import DIM, vectors

LEAST = 0.5


@pytest.fixture
def calibration() -> SpaceCalibration:
    nothing = np.zeros(DIM, np.float32)
    cohort = vectors([bytes([n]) for n in range(40)])
    curves = {("image", "media"): (8.0, -4.0)}
    return SpaceCalibration(Centres(nothing, nothing, nothing), cohort, cohort, curves)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", ["text", "media"])
def test_every_pair_is_found_however_many_there_are(
    part: Part, calibration: SpaceCalibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "_CHUNK", 7)
    ids = [UUID(int=n + 1) for n in range(10)]
    index = KnownIndex()
    index.change([(KnownEntry(one, 0), []) for one in ids])
    known = vectors([b"k%d" % n for n in range(30)])
    index.set_vectors(part, known, [ids[n % 10] for n in range(30)])
    asked = np.concatenate([vectors([b"a%d" % n for n in range(20)]), known[3:5]])
    found = {(one.row, one.place): one.score for one in look_alikes(index, part, asked, calibration, least=LEAST)}
    expected: dict[tuple[int, int], float] = {}
    for row, vector in enumerate(asked):
        [curve] = calibration.likeness(vector[None], part)
        for column, score in enumerate(curve.relevance(known @ vector).tolist()):
            if score >= LEAST:
                pair = row, column % 10
                expected[pair] = max(score, expected.get(pair, 0.0))
    assert {(20, 3), (21, 4)} <= found.keys()
    assert found.keys() == expected.keys()
    assert all(found[pair] == pytest.approx(expected[pair], abs=1e-5) for pair in expected)


def test_vectors_of_changed_entries_are_replaced_and_others_stay() -> None:
    ids = [UUID(int=n + 1) for n in range(3)]
    index = KnownIndex()
    index.change([(KnownEntry(one, 0), []) for one in ids])
    first, second, third, other = vectors([b"1", b"2", b"3", b"4"])
    nothing = np.empty((0, 0), np.float32)
    index.change_vectors("text", nothing, [], ids)
    assert index.vectors("text") is None
    index.change_vectors("text", np.stack([first, second, third]), [ids[0], ids[1], ids[1]], ids)
    index.change_vectors("text", np.stack([other]), [ids[2]], [ids[1], ids[2]])
    index.change_vectors("text", nothing, [], [UUID(int=99)])
    held = index.vectors("text")
    assert held is not None
    assert np.array_equal(held[0], np.stack([first, other]))
    assert held[1].tolist() == [0, 2]
    index.change_vectors("text", nothing, [], ids)
    assert index.with_vectors() == 0


def test_nothing_is_like_nothing(calibration: SpaceCalibration) -> None:
    index = KnownIndex()
    assert look_alikes(index, "text", vectors([b"a"]), calibration, least=LEAST) == []
    index.set_vectors("text", np.empty((0, DIM), np.float32), [])
    assert look_alikes(index, "text", vectors([b"a"]), calibration, least=LEAST) == []
    assert look_alikes(index, "text", np.empty((0, DIM), np.float32), calibration, least=LEAST) == []


def test_equal_content_is_wholly_alike_and_unrelated_is_not(calibration: SpaceCalibration) -> None:
    one, other = vectors([b"one", b"other"])
    [curve] = calibration.likeness(one[None], "text")
    assert curve.relevance(one[None] @ one)[0] > 0.99
    assert curve.relevance(np.array([0.6]))[0] < 0.5 < curve.relevance(np.array([0.65]))[0]
    assert curve.relevance(np.array([0.76]))[0] == pytest.approx(0.9, abs=0.01)
    assert curve.relevance(other[None] @ one)[0] < LEAST


def test_entries_of_a_bank_that_does_not_count_crowd_no_other_out() -> None:
    ids = [UUID(int=n + 1) for n in range(31)]
    index = KnownIndex()
    index.change([(KnownEntry(one, 0 if one == ids[-1] else 1), []) for one in ids])
    asked, near = np.eye(2, DIM, dtype=np.float32)[0], np.array([0.95, *[0.0] * (DIM - 1)], np.float32)
    index.set_vectors("text", np.stack([asked] * 30 + [near]), ids)
    found = find(
        index,
        [Probe("text", None, vectors=asked[None])],
        now=0.0,
        relevance=lambda _, vector, known: np.asarray(known @ vector, np.float64),
        banks={0},
    )
    assert [match.entry for match in found] == [ids[-1]]


def test_a_film_and_what_is_switched_off_crowd_no_other_entry_out() -> None:
    film, off, other = UUID(int=1), [UUID(int=n) for n in range(2, 32)], UUID(int=99)
    index = KnownIndex()
    index.change([(KnownEntry(one, 0, active=one not in off), []) for one in (film, *off, other)])
    asked, near = np.eye(2, DIM, dtype=np.float32)[0], np.array([0.95, *[0.0] * (DIM - 1)], np.float32)
    owners = [film] * 30 + off + [other]
    index.set_vectors("media", np.stack([asked] * 60 + [near]), owners)
    found = find(
        index,
        [Probe("media", 0, vectors=asked[None])],
        now=0.0,
        relevance=lambda _, vector, known: np.asarray(known @ vector, np.float64),
    )
    assert [(match.entry, round(match.score, 2)) for match in found] == [(film, 1.0), (other, 0.95)]
