"""Labels without training: 300 classes of photos, and classes of tweets; prompts as queries against prompts as texts.

python -m tests.benchmarks.bench_zero_shot
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from postscope.backend.models import SpaceModel
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.tagging.definitions import default_prompts
from postscope.indexing.label_blocks import Labeller
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vectors
from postscope.indexing.zero_shot import LABEL_CURVES, Examples, LabelSpace, PostBatch, direction
from tests.benchmarks import data
from tests.benchmarks.rig import models_in

PROMPTS = {
    "emotion": {
        "anger": ["anger", "I am so angry and furious about this", "this makes me mad, outrage"],
        "joy": ["joy", "I am so happy and full of joy", "what a fun and wonderful day, love it"],
        "optimism": ["optimism", "I am hopeful that things will get better", "stay positive, believe in yourself"],
        "sadness": ["sadness", "I feel so sad, depressed and lonely", "heartbroken, crying, grief and loss"],
    },
    "offensive": {
        "offensive": [
            "an insult full of swear words",
            "you are a stupid idiot, shut up",
            "disgusting liar, go to hell",
        ],
        "not-offensive": ["a polite and friendly message", "thank you, that is very kind", "an ordinary remark"],
    },
}
"""A first try in the words of a person, not tuned."""


def open_model(name: str = "bundled") -> SpaceModel:
    """An encoder with its calibration."""
    folder = Path(tempfile.gettempdir()) / "postscope-bench-models"
    return models_in(folder).get(EncoderSettings(name=name))


def labeller(
    model: SpaceModel, prompts: Sequence[Sequence[str]], *, side: str = "query", open: bool = False
) -> Labeller:
    """An exclusive set of labels, without thresholds that stand in the way."""
    dim = model.encoder.space.dim
    rows = []
    for given in prompts:
        words = [normalise(prompt) for prompt in given]
        if side == "query":
            rows.append(model.calibration.centre_queries(model.encoder.encode_queries(words)))
        else:
            rows.append(model.calibration.centre_texts(model.encoder.encode_texts(words)))
    nothing = Examples.none(dim)
    found = {
        part: np.stack([direction(vectors, nothing, nothing, part) for vectors in rows]) for part in ("text", "media")
    }
    return Labeller(
        LabelSpace.of(found, dict.fromkeys(found, np.zeros((0, dim), np.float32)), model.calibration, LABEL_CURVES),
        np.full(len(prompts), 0.01, np.float32),
        np.full(len(prompts), -1, np.intp),
        exclusive=True,
        open=open,
    )


def of_texts(vectors: Vectors) -> PostBatch:
    """Posts of a text each."""
    return PostBatch.of(list(vectors), [None] * len(vectors), vectors.shape[1])


def of_images(vectors: Vectors) -> PostBatch:
    """Posts of an image each."""
    return PostBatch.of([None] * len(vectors), [vector[np.newaxis] for vector in vectors], vectors.shape[1])


def tweets(model: SpaceModel, name: str, split: str) -> tuple[Vectors, list[str]]:
    """Centred vectors of a TweetEval split, and its labels."""
    chosen = [row for row in data.rows(f"tweeteval_{name}.jsonl.gz") if row["split"] == split]
    encoded = model.encoder.encode_texts([normalise(row["text"]) for row in chosen])
    return model.calibration.centre_texts(encoded), [row["label"] for row in chosen]


def photos(model: SpaceModel) -> tuple[Vectors, list[str]]:
    """Centred vectors of the photos, and their class names."""
    chosen = data.rows("photos/labels.jsonl")
    images = []
    for row in chosen:
        with Image.open(data.FOLDER / "photos" / row["file"]) as image:
            images.append(image.convert("RGB"))
    return model.calibration.centre_images(model.encoder.encode_images(images)), [row["label"] for row in chosen]


def macro_f1(truth: Sequence[str], said: Sequence[str]) -> float:
    """Mean over the classes of the harmonic mean of precision and recall."""
    scores = []
    for name in sorted(set(truth)):
        right = sum(a == b == name for a, b in zip(truth, said, strict=True))
        scores.append(2 * right / max(1, truth.count(name) + list(said).count(name)))
    return sum(scores) / len(scores)


def main() -> None:
    """Print every figure."""
    data.needed("photos", "tweeteval_emotion.jsonl.gz", "tweeteval_offensive.jsonl.gz")
    model = open_model()
    vectors, truth = photos(model)
    classes = sorted(set(truth))
    for side in ("query", "text"):
        scores = labeller(model, [list(default_prompts(name, "")) for name in classes], side=side).probabilities(
            of_images(vectors)
        )
        order = np.argsort(-scores, axis=1)[:, :5]
        hits = [[classes[n] == name for n in row] for row, name in zip(order, truth, strict=True)]
        top1, top5 = np.mean([row[0] for row in hits]), np.mean([any(row) for row in hits])
        print(f"photos, {len(classes)} classes, prompts as {side}: top-1 {top1:.3f}, top-5 {top5:.3f}")
    for name, prompts in PROMPTS.items():
        posts, labels = tweets(model, name, "test")
        for side in ("query", "text"):
            for kind, given in (("name alone", [[label] for label in prompts]), ("prompts", list(prompts.values()))):
                said = labeller(model, given, side=side).probabilities(of_texts(posts)).argmax(axis=1)
                f1 = macro_f1(labels, [list(prompts)[n] for n in said])
                print(f"{name}, test, {kind} as {side}: macro-F1 {f1:.3f}")


if __name__ == "__main__":
    main()
