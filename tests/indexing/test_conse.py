"""Images among texts: the class vectors, their combination, and what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from postscope.indexing.encoders import weights
from postscope.indexing.encoders.bundled import open_bundled
from postscope.indexing.encoders.conse import (
    ClassTexts,
    class_file_name,
    class_parts,
    class_space,
    combined,
    convex_combination,
    read_class_texts,
)
from postscope.indexing.encoders.text_e5 import open_e5
from postscope.indexing.encoders.text_minilm import open_minilm
from postscope.indexing.encoders.text_tower import TextTower
from postscope.indexing.types import Vectors

PHOTOS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "photos"
TOWERS = pytest.mark.parametrize("open_tower", [open_e5, open_minilm], ids=["e5", "minilm"])


class HashTower:
    """A small text tower: words hashed into 32 dimensions, with a common part as real ones have."""

    name = "words"
    weights = "none"
    dim = 32

    def __init__(self, preprocessing: str = "1") -> None:
        self.preprocessing = preprocessing
        self.encoded = 0

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        rows = np.full((len(texts), self.dim), 0.5, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[crc32(word.encode()) % self.dim] += 1
        self.encoded += len(texts)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    encode_queries = encode_texts


@pytest.fixture(scope="module")
def texts() -> ClassTexts:
    return read_class_texts(
        weights.IMAGENET_NAMES.locate(),
        weights.IMAGENET_SYNONYMS.locate(),
        weights.IMAGENET_DESCRIPTIONS.locate(),
    )


# --- the texts ---------------------------------------


def test_every_class_has_all_its_texts(texts: ClassTexts) -> None:
    for column in (texts.names, texts.synonyms, texts.descriptions):
        assert len(column) == 1000
        assert all(isinstance(text, str) and text.strip() for text in column)
    assert texts.names[1] == "goldfish"
    assert "Carassius auratus" in texts.synonyms[1]
    assert "barbels" in texts.descriptions[1]


def test_a_class_without_description_is_described_by_its_synonyms(texts: ClassTexts) -> None:
    same = [i for i in range(1000) if texts.descriptions[i] == texts.synonyms[i]]
    assert len(same) == 25


def test_the_hash_changes_with_any_text(texts: ClassTexts) -> None:
    other = ClassTexts(texts.names, texts.synonyms, ("another", *texts.descriptions[1:]))
    assert other.sha256 != texts.sha256


# --- the class vectors -------------------------------


def test_class_vectors_are_unit_and_free_of_the_common_part(texts: ClassTexts, tmp_path: Path) -> None:
    tower = HashTower()
    space = class_space(tower, texts, tmp_path)
    assert space.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(space.vectors, axis=1), 1, atol=1e-3)
    _, mean = combined(class_parts(tower, texts))
    assert np.abs(space.vectors @ mean).max() < 1e-3
    for centre in (space.centres.text, space.centres.query, space.centres.image):
        assert centre.shape == (tower.dim,)


def test_class_vectors_are_made_once_a_tower(texts: ClassTexts, tmp_path: Path) -> None:
    tower = HashTower()
    first = class_space(tower, texts, tmp_path / "cache")
    assert tower.encoded == 3000
    again = class_space(tower, texts, tmp_path / "cache")
    assert tower.encoded == 3000
    np.testing.assert_array_equal(first.vectors, again.vectors)
    changed = HashTower(preprocessing="2")
    class_space(changed, texts, tmp_path / "cache")
    assert changed.encoded == 3000
    assert len(list((tmp_path / "cache").iterdir())) == 2


@TOWERS
def test_shipped_class_vectors_are_those_of_the_tower(open_tower, texts: ClassTexts, tmp_path: Path) -> None:
    """When this fails the tower or the texts changed: run ``python -m tests.golden.make``."""
    tower: TextTower = open_tower(2)
    name = class_file_name(tower, texts)
    shipped = resources.files("postscope.indexing.encoders").joinpath("class_vectors", name)
    assert shipped.is_file()
    with shipped.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        vectors, mean = arrays["vectors"].astype(np.float32), arrays["mean"]
    some = slice(0, 1000, 83)
    fresh, _ = combined(class_parts(tower, texts, some), mean)
    assert (fresh * vectors[some]).sum(axis=1).min() > 0.999
    class_space(tower, texts, tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the combination ---------------------------------


CLASSES = np.eye(1000, 40, dtype=np.float32) + np.eye(1000, 40, k=-500, dtype=np.float32)
CLASSES[CLASSES.sum(axis=1) == 0, 39] = 1


def test_a_certain_class_gives_its_vector() -> None:
    probabilities = np.zeros((2, 1000), np.float32)
    probabilities[0, 3] = probabilities[1, 501] = 1
    np.testing.assert_allclose(convex_combination(probabilities, CLASSES), CLASSES[[3, 501]])


def test_only_the_likeliest_classes_share() -> None:
    probabilities = np.full((1, 1000), 1e-6, np.float32)
    probabilities[0, :3] = [0.5, 0.3, 0.2]
    found = convex_combination(probabilities, CLASSES, top=2)[0]
    np.testing.assert_allclose(found[:3], np.array([0.5, 0.3, 0]) / np.hypot(0.5, 0.3), atol=1e-6)


def test_no_image_gives_no_row() -> None:
    assert convex_combination(np.empty((0, 1000), np.float32), CLASSES).shape == (0, 40)


@given(seed=st.integers(0, 2**32 - 1), flat=st.booleans())
def test_any_distribution_gives_unit_rows(seed: int, flat: bool) -> None:
    random = np.random.default_rng(seed)
    raw = np.ones((3, 1000)) if flat else random.gamma(0.01, size=(3, 1000)) + 1e-12
    probabilities = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    found = convex_combination(probabilities, CLASSES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)


# --- the whole ---------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.exists(), reason=f"the photos are not at {PHOTOS}")
@pytest.mark.parametrize("name", ["bundled", "bundled-en"])
def test_a_class_name_finds_its_photo(name, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (PHOTOS / "labels.jsonl").read_text().splitlines()]
    encoder = open_bundled(name, tmp_path, threads=2)
    images = encoder.encode_images([Image.open(PHOTOS / row["file"]).convert("RGB") for row in rows])
    queries = encoder.encode_queries([row["label"] for row in rows])
    for centre in (np.zeros(encoder.space.dim, np.float32), encoder.centres.query, encoder.centres.text):
        moved = queries - centre
        scores = (moved / np.linalg.norm(moved, axis=1, keepdims=True)) @ images.T
        ranks = (scores > np.diagonal(scores)[:, None]).sum(axis=1)
        assert (ranks < 1).mean() >= 0.85
        assert (ranks < 10).mean() >= 0.95


def test_spaces_of_the_two_never_meet(tmp_path: Path) -> None:
    one, other = (open_bundled(name, tmp_path, threads=1).space for name in ("bundled", "bundled-en"))
    assert one.id != other.id
    assert open_bundled("bundled-en", tmp_path / "elsewhere", threads=2).space == other
