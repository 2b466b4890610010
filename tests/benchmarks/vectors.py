"""Vectors of the shared texts by a bundled encoder, kept in the temporary folder for the next measurement."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from postscope.indexing.encoders.bundled import open_bundled
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vectors


def of_texts(texts: Sequence[str], encoder: str = "bundled-en") -> Vectors:
    """Centred unit vectors (n, dim), in the order of the texts."""
    told = hashlib.sha256("\0".join([encoder, *texts]).encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / "postscope-bench-vectors" / f"{told}.npy"
    if kept.exists():
        return np.asarray(np.load(kept, allow_pickle=False), np.float32)
    opened = open_bundled(encoder, Path(tempfile.gettempdir()) / "postscope-bench-models", 2)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    vectors = np.zeros((len(texts), opened.space.dim), np.float32)
    for start in range(0, len(order), 64):
        some = order[start : start + 64]
        vectors[some] = opened.encode_texts([normalise(texts[place]) for place in some])
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept.parent.mkdir(exist_ok=True)
    np.save(kept, vectors, allow_pickle=False)
    return vectors
