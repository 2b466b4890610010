from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.calibration import CalibrationError, SpaceCalibration
from postscope.indexing.types import Centres

DIM = 8


def directions(seed: int, count: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def calibration() -> SpaceCalibration:
    centres = Centres(*(0.1 * directions(1, 3)))
    curves = {("text", "text"): (1.5, -4.0), ("image", "media"): (0.7, -3.0)}
    return SpaceCalibration(centres, directions(2, 20), directions(3, 5), curves)


def test_a_saved_calibration_scores_the_same(calibration: SpaceCalibration, tmp_path: Path) -> None:
    path = tmp_path / "new" / "space.npz"
    calibration.save(path)
    calibration.save(path)
    loaded = SpaceCalibration.load(path)
    assert loaded.logistic == calibration.logistic
    assert [p.name for p in path.parent.iterdir()] == ["space.npz"]
    for centre in ("centre_texts", "centre_queries", "centre_images"):
        rows = directions(4, 3)
        assert np.array_equal(getattr(loaded, centre)(rows), getattr(calibration, centre)(rows))
    vector = directions(5, 1)[0]
    assert loaded.scorer(vector, "text") == calibration.scorer(vector, "text")


def test_one_without_curves_and_images_is_saved_too(calibration: SpaceCalibration, tmp_path: Path) -> None:
    bare = SpaceCalibration(calibration.centres, calibration.cohort_text, directions(3, 0), {})
    bare.save(tmp_path / "space.npz")
    loaded = SpaceCalibration.load(tmp_path / "space.npz")
    assert loaded.logistic == {}
    assert loaded.cohort_media.shape == (0, DIM)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"absent\.npz"):
        SpaceCalibration.load(tmp_path / "absent.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "space.npz"
    path.write_bytes(content)
    with pytest.raises(CalibrationError, match="not a readable calibration"):
        SpaceCalibration.load(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": np.int64(99)}, "format 99"),
        ({"cohort_text": np.array([{"pickled": 1}], dtype=object)}, "not a readable"),
        ({"cohort_text": np.zeros((3, DIM + 1))}, "dimension"),
        ({"cohort_media": np.full((3, DIM), np.nan)}, "finite"),
        ({"logistic": np.array([[0.0, 1.0]])}, "slope"),
        ({"pairs": np.array([["text", "smell"]])}, "not a readable"),
    ],
)
def test_arrays_that_save_does_not_write_are_refused(
    change: dict[str, np.ndarray], reason: str, calibration: SpaceCalibration, tmp_path: Path
) -> None:
    path = tmp_path / "space.npz"
    calibration.save(path)
    with np.load(path) as arrays:
        np.savez(path, **({name: arrays[name] for name in arrays.files} | change))
    with pytest.raises(CalibrationError, match=reason):
        SpaceCalibration.load(path)
