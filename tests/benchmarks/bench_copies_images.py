"""Edited pictures found among others: recall at 0.99 precision, against plain PDQ and imagededup's PHash and CNN.

Run as ``python -m tests.benchmarks.bench_copies_images [folder] [every]``: all photos of the folder are kept, and each
``every``-th (1: all of them) is edited in all ways and looked up. How far it is goes to stderr. Ours has the thresholds
it ships with; each peer gets the threshold that suits it best on these very pictures.

The weights of imagededup's CNN (MobileNetV3 small) are a download, so it is given EfficientNet-Lite0, as its
``CustomModel`` allows: its own method and its own cosine, with another network, the one that our candidates come from.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from postscope.indexing.copies.images import FAR_RADIUS, AskedImage, KeptImage, asked_image, compare_images
from postscope.indexing.copies.scenes import RADIUS, SceneReader, open_scenes
from postscope.indexing.fingerprints import Pdq
from postscope.indexing.hamming import HammingIndex
from tests.benchmarks.data import FOLDER
from tests.benchmarks.image_edits import EDITS

NEAR_MOST = 16
PRECISION = 0.99


class Ours:
    """The candidates and verdicts of the service, without its database."""

    def __init__(self, reader: SceneReader, photos: list[Image.Image]) -> None:
        self._reader = reader
        self._pdq, self._scene = HammingIndex(), HammingIndex()
        self._kept: list[KeptImage] = []
        self._owner: list[int] = [-1]
        for number, photo in enumerate(photos):
            asked = asked_image(photo)
            self._kept.append(KeptImage(asked.turned[0], asked.quality, asked.look.less()))
            self._pdq.append([(number + 1, asked.turned[0])])
            for code in reader.codes(photo).kept:
                self._scene.append([(len(self._owner), code)])
                self._owner.append(number)

    def find(self, picture: Image.Image) -> set[int]:
        asked: AskedImage = asked_image(picture)
        near = {
            found.number - 1 for row in self._pdq.nearest(asked.turned, NEAR_MOST, radius=FAR_RADIUS) for found in row
        }
        codes = self._reader.codes(picture).asked
        near |= {self._owner[f.number] for row in self._scene.nearest(codes, NEAR_MOST, radius=RADIUS) for f in row}
        return {number for number in near if compare_images(asked, self._kept[number]) is not None}


@dataclass
class Peer:
    """Distances of every query to every photo; found where at most the threshold.

    Attributes:
        code: bits in bytes, or features whose cosine tells.
    """

    name: str
    code: Callable[[Image.Image], npt.NDArray[Any]]


def far_apart(asked: npt.NDArray[Any], kept: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Bits between codes; thousandths of the cosine distance between features."""
    if asked.dtype == np.uint8:
        return np.stack([np.bitwise_count(one[None] ^ kept).sum(axis=1, dtype=np.int64) for one in asked])
    ones, others = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (asked, kept))
    return np.asarray(np.rint(1_000 * (1 - ones @ others.T)), np.int64)


def cnn(reader: SceneReader) -> Peer | None:
    try:
        import torch
        from imagededup.methods import CNN
        from imagededup.utils import CustomModel
    except ImportError:
        return None

    class Lite0(torch.nn.Module):
        """The pooled features of EfficientNet-Lite0."""

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            images = [Image.fromarray(picture.numpy()) for picture in pictures]
            return torch.from_numpy(np.stack([reader.features(image)[0] for image in images]))

    def opened(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(image))

    method = CNN(verbose=False, model_config=CustomModel(model=Lite0(), transform=opened, name="lite0"))

    def code(image: Image.Image) -> npt.NDArray[np.float32]:
        return np.asarray(method.encode_image(image_array=np.asarray(image)), np.float32)[0]

    return Peer("imagededup CNN with EfficientNet-Lite0", code)


def phash() -> Peer | None:
    try:
        from imagededup.methods import PHash
    except ImportError:
        return None
    method = PHash(verbose=False)

    def code(image: Image.Image) -> npt.NDArray[np.uint8]:
        text = method.encode_image(image_array=np.asarray(image))
        return np.frombuffer(bytes.fromhex(text), np.uint8)

    return Peer("imagededup PHash", code)


def plain_pdq() -> Peer:
    pdq = Pdq()

    def code(image: Image.Image) -> npt.NDArray[np.uint8]:
        found = pdq.fingerprint(image)
        assert found is not None
        return np.frombuffer(found.value, np.uint8)

    return Peer("plain PDQ", code)


def best_threshold(distances: npt.NDArray[np.int64], own: npt.NDArray[np.bool_]) -> int:
    """The widest threshold at which 0.99 of what is found is right; -1 if there is none."""
    best = -1
    for threshold in range(int(distances.max()) + 1):
        found = distances <= threshold
        right = int((found & own).sum())
        if found.any() and right / int(found.sum()) >= PRECISION:
            best = threshold
    return best


def main(folder: Path, every: int) -> None:
    files = sorted(folder.glob("*.jpg"))
    if not files:
        print(f"no photos in {folder}: not measured")
        return
    photos = [Image.open(file).convert("RGB") for file in files]
    chosen = list(range(0, len(photos), every))
    with tempfile.TemporaryDirectory() as cache:
        reader = open_scenes(Path(cache), threads=2)
        ours = Ours(reader, photos)
        peers = [peer for peer in (plain_pdq(), phash(), cnn(reader)) if peer is not None]
        kept = {peer.name: np.stack([peer.code(photo) for photo in photos]) for peer in peers}
        rows: list[tuple[str, int, set[int]]] = []
        codes: dict[str, list[npt.NDArray[Any]]] = {peer.name: [] for peer in peers}
        seconds, began = 0.0, time.perf_counter()
        for done, (name, edit) in enumerate(EDITS.items(), 1):
            for number in chosen:
                picture = edit(photos[number], np.random.default_rng(number))
                started = time.perf_counter()
                rows.append((name, number, ours.find(picture)))
                seconds += time.perf_counter() - started
                for peer in peers:
                    codes[peer.name].append(peer.code(picture))
            left = (time.perf_counter() - began) / done * (len(EDITS) - done)
            print(f"{done} of {len(EDITS)} edits, {left / 60:.1f} minutes left", file=sys.stderr, flush=True)
    report(rows, codes, kept, seconds, len(photos))


def report(
    rows: list[tuple[str, int, set[int]]],
    codes: dict[str, list[npt.NDArray[Any]]],
    kept: dict[str, npt.NDArray[Any]],
    seconds: float,
    photos: int,
) -> None:
    own = np.zeros((len(rows), photos), bool)
    own[np.arange(len(rows)), [number for _, number, _ in rows]] = True
    found: dict[str, npt.NDArray[np.bool_]] = {"ours": np.zeros_like(own)}
    for place, (_, _, numbers) in enumerate(rows):
        found["ours"][place, list(numbers)] = True
    for name, asked in codes.items():
        far = far_apart(np.stack(asked), kept[name])
        threshold = best_threshold(far, own)
        found[f"{name} <= {threshold}"] = far <= threshold
    print(f"{len(rows)} edited pictures, {photos} kept, {1000 * seconds / len(rows):.0f} ms each\n")
    print("| edit | " + " | ".join(found) + " |\n| --- |" + " --- |" * len(found))
    for edit in dict.fromkeys(name for name, _, _ in rows):
        which = np.array([name == edit for name, _, _ in rows])
        cells = [f"{(hits & own)[which].sum() / which.sum():.3f}" for hits in found.values()]
        print(f"| {edit} | " + " | ".join(cells) + " |")
    for title, value in (
        ("**all**", [(hits & own).sum() / len(rows) for hits in found.values()]),
        ("precision", [(hits & own).sum() / max(1, hits.sum()) for hits in found.values()]),
    ):
        print(f"| {title} | " + " | ".join(f"{share:.4f}" for share in value) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "photos", int((sys.argv[2:] or ["3"])[0]))
