"""The bundled encoders give the vectors they gave when they were last meant to change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.encoders.bundled import open_bundled
from tests.golden.inputs import ENCODERS, QUERIES, TEXTS, images


@pytest.fixture(scope="module")
def golden() -> Iterator[np.lib.npyio.NpzFile]:
    with np.load(Path(__file__).with_name("bundled.npz"), allow_pickle=False) as arrays:
        yield arrays


@pytest.mark.parametrize("name", ENCODERS)
def test_vectors_are_the_golden_ones(name, golden, tmp_path: Path) -> None:
    """If this is meant to fail: raise the version that changed and run ``python -m tests.golden.make``."""
    encoder = open_bundled(name, tmp_path, threads=2)
    found = {
        "texts": encoder.encode_texts(TEXTS),
        "queries": encoder.encode_queries(QUERIES),
        "images": encoder.encode_images(images()),
    }
    for side, vectors in found.items():
        cosines = (vectors * golden[f"{name} {side}"]).sum(axis=1)
        assert cosines.min() >= 0.999, (side, cosines)
    assert encoder.space.id == str(golden[f"{name} space"])
