"""Writes the golden vectors, and the class vectors that ship with the package.

Run as ``python -m tests.golden.make``.

To be run when an encoder is meant to change, which makes a new space; the difference is reviewed like code.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from postscope.indexing import encoders
from postscope.indexing.encoders.bundled import open_bundled
from tests.golden.inputs import ENCODERS, QUERIES, TEXTS, images

GOLDEN = Path(__file__).with_name("bundled.npz")
SHIPPED = Path(encoders.__file__).with_name("class_vectors")


def main() -> None:
    """Replace the files."""
    for old in SHIPPED.glob("*.npz"):
        old.unlink()
    arrays: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ENCODERS:
            encoder = open_bundled(name, Path(folder), threads=2)
            arrays[f"{name} texts"] = encoder.encode_texts(TEXTS)
            arrays[f"{name} queries"] = encoder.encode_queries(QUERIES)
            arrays[f"{name} images"] = encoder.encode_images(images())
            arrays[f"{name} space"] = np.array(encoder.space.id)
        SHIPPED.mkdir(exist_ok=True)
        for made in Path(folder).glob("*.npz"):
            (SHIPPED / made.name).write_bytes(made.read_bytes())
    np.savez_compressed(GOLDEN, **arrays)


if __name__ == "__main__":
    main()
