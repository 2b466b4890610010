"""Make ``postscope/indexing/copies/scene_mean.npz``: the mean that the codes of pictures are centred by.

Usage: ``python tools/scene_mean.py [--check]``. It is the mean of the features of the whole and the parts of
every picture of the sample, in half precision. ``--check`` writes nothing, and fails where the file is another. Made
anew from other pictures, all codes change: raise ``RECIPE`` in ``postscope/backend/fingerprinting/making.py`` then.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from postscope.indexing.copies.scenes import open_scenes
from postscope.indexing.fingerprints import PDQ_SIDE
from postscope.indexing.media.image import open_image

PACKAGE = Path(__file__).parents[1] / "postscope"
MADE = PACKAGE / "indexing" / "copies" / "scene_mean.npz"
MAX_PIXELS = 100_000_000


def scene_mean() -> npt.NDArray[np.float16]:
    """Shape (1280,)."""
    pictures = sorted((PACKAGE / "sample" / "images").iterdir())
    with tempfile.TemporaryDirectory() as cache:
        reader = open_scenes(Path(cache), threads=1)
        features = [
            reader.features(open_image(picture.read_bytes(), max_pixels=MAX_PIXELS, target=PDQ_SIDE))
            for picture in pictures
        ]
    return np.stack(features).mean(axis=(0, 1)).astype(np.float16)


def packed(mean: npt.NDArray[np.float16]) -> bytes:
    """The file."""
    values, out = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array(values, mean, allow_pickle=False)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("mean.npy"), values.getvalue(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def main() -> None:
    """Make the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the file is what would be made")
    mean = scene_mean()
    if not parser.parse_args().check:
        MADE.write_bytes(packed(mean))
        return
    with np.load(MADE, allow_pickle=False) as file:
        apart = float(np.abs(file["mean"].astype(np.float32) - mean.astype(np.float32)).max())
    print(f"at most {apart:g} apart")
    if apart > 1e-3:  # another build of the runtime may round otherwise
        sys.exit("scene_mean.npz is not the mean over the sample's pictures")


if __name__ == "__main__":
    main()
