"""What every ``Clusterer`` must do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.clustering.base import Clusterer, Clustering
from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.types import Vectors

DIM = 24


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / "postscope-tests-compiled"))
        yield


@pytest.fixture(params=[DensityClusterer()], ids=lambda clusterer: type(clusterer).__name__)
def clusterer(request: pytest.FixtureRequest) -> Clusterer:
    made: Clusterer = request.param
    return made


def around(*axes: int, count: int = 40, seed: int = 0, spread: float = 0.08) -> Vectors:
    """Unit vectors around some axes, ``count`` for each, axis after axis."""
    noise = np.random.default_rng(seed).normal(scale=spread, size=(len(axes) * count, DIM))
    rows = np.eye(DIM)[np.repeat(axes, count)] + noise
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def sound(found: Clustering, count: int) -> None:
    """All shapes fit, all numbers are without gaps, layers nest, and clusters are numbered by size."""
    assert found.labels.shape == found.strengths.shape == found.parts.shape == (count,)
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=found.count)
    assert len(sizes) == found.count
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()
    assert ((found.strengths >= 0) & (found.strengths <= 1)).all()
    assert (found.strengths[found.labels < 0] == 0).all()
    assert set(found.themes.tolist()) == set(range(int(found.themes.max(initial=-1)) + 1))
    for part in range(int(found.parts.max(initial=-1)) + 1):
        owners = set(found.labels[found.parts == part].tolist())
        assert len(owners) == 1
        assert -1 not in owners


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_too_few_points_are_noise(clusterer: Clusterer, count: int) -> None:
    found = clusterer.cluster(around(0, count=count), min_size=5, seed=1)
    sound(found, count)
    assert found.count == 0


def test_points_that_are_all_equal_are_noise(clusterer: Clusterer) -> None:
    found = clusterer.cluster(np.repeat(around(0, count=1), 200, axis=0), min_size=5, seed=1)
    sound(found, 200)
    assert found.count == 0


def test_dense_regions_are_found_again(clusterer: Clusterer) -> None:
    found = clusterer.cluster(around(0, 1, 2, 3), min_size=8, seed=1)
    sound(found, 160)
    assert found.count == 4
    for start in range(0, 160, 40):
        inside = found.labels[start : start + 40]
        assert np.bincount(inside[inside >= 0]).max() >= 38


def test_one_region_alone_is_one_cluster(clusterer: Clusterer) -> None:
    found = clusterer.cluster(around(0, count=60), min_size=8, seed=1)
    sound(found, 60)
    assert found.count == 1
    assert (found.labels == 0).mean() > 0.9


def test_equal_input_and_seed_give_equal_output(clusterer: Clusterer) -> None:
    points = around(0, 1, 2, seed=3)
    first, again = (clusterer.cluster(points.copy(), min_size=8, seed=7) for _ in range(2))
    for name in ("labels", "strengths", "themes", "parts"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_copies_of_one_point_make_no_region_and_share_the_label_of_what_they_copy(clusterer: Clusterer) -> None:
    points = around(0, 1, 2)
    flood = np.repeat(around(9, count=1), 300, axis=0)
    copied = np.repeat(points[:1], 50, axis=0)
    found = clusterer.cluster(np.concatenate([points, flood, copied]), min_size=8, seed=1)
    sound(found, len(points) + 350)
    assert found.count == 3
    assert len(set(found.labels[120:420].tolist())) == 1
    assert set(found.labels[420:].tolist()) == {int(found.labels[0])}


def test_it_says_how_far_it_is_and_can_be_stopped(clusterer: Clusterer) -> None:
    told: list[tuple[str, float]] = []
    clusterer.cluster(around(0, 1), min_size=5, seed=1, check=lambda step, share: told.append((step, share)))
    assert len({step for step, _ in told}) >= 2
    assert all(0 <= share <= 1 for _, share in told)

    class Stopped(Exception):
        pass

    def stop(step: str, share: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        clusterer.cluster(around(0, 1), min_size=5, seed=1, check=stop)


def test_a_least_size_that_is_none_is_refused(clusterer: Clusterer) -> None:
    with pytest.raises(ValueError, match="min_size"):
        clusterer.cluster(around(0), min_size=1, seed=1)
