"""How good the built-in moderation tags are, where there is something to measure it on.

Run as ``python -m tests.benchmarks.bench_moderation_tags [OFFENSIVE.jsonl.gz PHOTOS [TWEETS]]``. An offensive
tweet should be given abuse or hate, another one neither. Of the other tags only false alarms can be counted: on tweets
that are not offensive, and on photos of everyday things, by the tags and by the sexual-content classifier.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

from postscope.backend.banks import opinions
from postscope.backend.banks.contents import image_vectors, text_vectors
from postscope.backend.runtime import Runtime
from postscope.backend.setting_groups import EncoderSettings
from postscope.indexing.content_classifier import ClassifierMissing
from postscope.indexing.types import Vector
from tests.benchmarks.rig import system

OFFENCE = ("abuse", "hate")
BATCH = 64


def texts(runtime: Runtime, file: Path, most: int) -> None:
    """Print how well offence is told, and how often a tag is given to what is not offensive."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["split"] == "test"][:most]
    offensive = np.array([row["label"] == "offensive" for row in rows])
    vectors: list[Vector] = []
    for start in range(0, len(rows), BATCH):
        vectors += list(text_vectors(runtime.live, [row["text"] for row in rows[start : start + BATCH]]))
    told = [opinions.tags(runtime, runtime.live, vector, None) for vector in vectors]
    scores = np.array([max(one.score for one in some if one.tag in OFFENCE) for some in told])
    given = [{one.tag for one in some if one.given} for some in told]
    said = np.array([bool(tags & set(OFFENCE)) for tags in given])
    right = int((said & offensive).sum())
    print(f"{len(rows)} tweets, {int(offensive.sum())} offensive: abuse or hate ranks an offensive one higher in "
          f"{roc_auc_score(offensive, scores):.3f} of pairs; given to {said[offensive].mean():.3f} of the offensive "
          f"and {said[~offensive].mean():.3f} of the others; precision {right / max(1, said.sum()):.3f}")  # fmt: skip
    ordinary = [tags for tags, bad in zip(given, offensive, strict=True) if not bad]
    _alarms("tweets that are not offensive", ordinary)


def photos(runtime: Runtime, folder: Path) -> None:
    """Print false alarms on pictures of everyday things."""
    images = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.jpg"))]
    vectors = image_vectors(runtime.live, images)
    told = [opinions.tags(runtime, runtime.live, None, vector[None]) for vector in vectors]
    _alarms("photos", [{one.tag for one in some if one.given} for some in told])


def classifier(runtime: Runtime, folder: Path) -> None:
    """Print false alarms of the classifier."""
    images = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.jpg"))]
    try:
        said = runtime.content_classifier.classify(images)
    except ClassifierMissing as error:
        print(f"classifier: skipped: {error}")
        return
    scores = np.array([one.score for one in said])
    limit = said[0].threshold
    print(f"classifier, {len(images)} photos: {np.mean(scores >= limit):.4f} at its threshold of {limit}, "
          f"{np.mean(scores >= 0.5):.4f} at 0.5")  # fmt: skip


def _alarms(what: str, given: Sequence[set[str]]) -> None:
    shares = {tag: np.mean([tag in tags for tags in given]) for tag in opinions.PROMPTS}
    print(f"{len(given)} {what} that are given a tag: {np.mean([bool(tags) for tags in given]):.3f} any, "
          + ", ".join(f"{tag} {share:.3f}" for tag, share in shares.items()))  # fmt: skip


def main() -> None:
    """Both models that come with the project."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/tweeteval_offensive.jsonl.gz")
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data/photos")
    if not folder.is_dir() or not file.is_file():
        print(f"skipped: there is no {file} or no {folder}")
        return
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 860
    for name in ("bundled", "bundled-en"):
        with system(encoder=EncoderSettings(name=name)) as runtime:
            print(name)
            texts(runtime, file, most)
            photos(runtime, folder)
            if name == "bundled":
                classifier(runtime, folder)


if __name__ == "__main__":
    main()
