"""Whether the fused ``post`` vector finds posts at least as well as the best of their parts, and the texts of a post
averaged as well as put into one string: ``python -m tests.benchmarks.bench_fusion``.

Of every shared photo a post is made whose text names what it shows, names another thing, or says nothing, a third
each. Asked for is every class name; right are the posts that show or name it.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt

from postscope.backend.models import SpaceModel
from postscope.backend.setting_groups import EncoderSettings
from postscope.indexing.fusion import FusionWeights, fuse
from postscope.indexing.pipeline import Content, MediumPart, Picture
from postscope.indexing.types import Vectors
from postscope.sample import read_queries, sample_dir
from tests.benchmarks.memes import SHARED_PHOTOS
from tests.benchmarks.rig import models_in

NAMING = ("Look at this {}!", "Saw a {} today", "my favourite: {}", "{} of the day", "who else loves a {}?")
SAYING_NOTHING = ("monday mood", "no words", "just look at this", "can't believe it", "good morning everyone", "lol")
WEIGHTS = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0)


def average_precision(scores: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    """Of one ranking."""
    found = right[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(found) / np.arange(1, len(found) + 1))[found].mean())


def mean_precision(queries: Vectors, vectors: Vectors, right: npt.NDArray[np.bool_]) -> float:
    """MAP; ``right`` has a row a query."""
    return float(np.mean([average_precision(vectors @ q, row) for q, row in zip(queries, right, strict=True)]))


def photo_posts(folder: Path, labels: Sequence[str], files: Sequence[str]) -> tuple[list[Content], list[str | None]]:
    """The posts, and what the text of each names."""
    rng = random.Random(5)
    posts, named = [], []
    for n, (label, file) in enumerate(zip(labels, files, strict=True)):
        name = (label, rng.choice([other for other in labels if other != label]), None)[n % 3]
        words = rng.choice(SAYING_NOTHING) if name is None else rng.choice(NAMING).format(name)
        picture = Picture(file, partial((folder / file).read_bytes))
        posts.append(Content(UUID(int=n), words, (MediumPart(0, "image", (picture,)),), {}))
        named.append(name)
    return posts, named


def told_posts() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """English posts of the sample, each with three others of another storyline as what is said in it; and of both the
    storyline."""
    with (sample_dir() / "posts.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    by_story: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        words, story = row.get("text") or "", row["metadata"]["storyline"]
        if row.get("language") == "en" and len(words) > 40 and "copy_of" not in row["metadata"] and story != "chatter":
            by_story[story].append(words)
    rng = random.Random(5)
    texts, stories = [], []
    for story, own in by_story.items():
        for words in own:
            other = rng.choice([name for name in by_story if name != story])
            said = rng.sample(by_story[other], min(3, len(by_story[other])))
            texts.append((words, "\n".join(said)))
            stories.append((story, other))
    return texts, stories


def report_texts(model: SpaceModel) -> None:
    """Own text and transcript put into one string, and averaged: MAP of the sample's queries for either's storyline."""
    texts, stories = told_posts()
    asked = [query for query in read_queries() if query.language == "en" and query.kind == "text" and query.storyline]
    queries = model.calibration.centre_queries(model.encoder.encode_queries([query.text for query in asked]))
    strings = [f"{own} {said}" for own, said in texts]
    ways = {
        "own text alone": [Content(UUID(int=n), own, (), {}) for n, (own, _) in enumerate(texts)],
        "speech alone": [Content(UUID(int=n), "", (), {}, spoken=said) for n, (_, said) in enumerate(texts)],
        "one string": [Content(UUID(int=n), both, (), {}) for n, both in enumerate(strings)],
        "averaged": [Content(UUID(int=n), own, (), {}, spoken=said) for n, (own, said) in enumerate(texts)],
    }
    print(f"MAP over {len(asked)} queries, {len(texts)} posts   by own text   by speech")
    for name, contents in ways.items():
        vectors = np.stack([found.point.dense["text"] for found in model.pipeline.index(contents)])
        found = []
        for part in (0, 1):
            right = np.array([[story[part] == query.storyline for story in stories] for query in asked])
            other = np.array([[story[1 - part] == query.storyline for story in stories] for query in asked])
            # What the other part answers is neither right nor wrong.
            found.append(
                np.mean(
                    [
                        average_precision((vectors @ q)[~o | r], r[~o | r])
                        for q, r, o in zip(queries, right, other, strict=True)
                        if r.any()
                    ]
                )
            )
        print(f"{name:36} {found[0]:11.3f} {found[1]:11.3f}")


def main() -> None:
    """Print mean average precision."""
    if not SHARED_PHOTOS.is_dir():
        sys.exit(f"the shared photos are not at {SHARED_PHOTOS}")
    rows = [json.loads(line) for line in (SHARED_PHOTOS / "labels.jsonl").read_text().splitlines()]
    labels, files = [row["label"] for row in rows], [row["file"] for row in rows]
    with tempfile.TemporaryDirectory() as cache:
        models = models_in(Path(cache))
        model = models.get(EncoderSettings())
        posts, named = photo_posts(SHARED_PHOTOS, labels, files)
        points = [found.point for found in model.pipeline.index(posts)]
        queries = model.calibration.centre_queries(model.encoder.encode_queries(labels))
        text = np.stack([point.dense["text"] for point in points])
        media = np.stack([point.multi["media"][0] for point in points])
        shows = np.array([[label == query for label in labels] for query in labels])
        right = shows | np.array([[name == query for name in named] for query in labels])
        print("MAP over", len(labels), "class names")
        for name, vectors in (("text", text), ("media", media), ("post", np.stack([p.dense["post"] for p in points]))):
            print(f"{name:18} {mean_precision(queries, vectors, right):.3f}")
        for weight in WEIGHTS:
            weighed = [fuse(t, m[None], FusionWeights(text=weight)) for t, m in zip(text, media, strict=True)]
            print(f"text weight {weight:<6} {mean_precision(queries, np.stack(weighed), right):.3f}")  # type: ignore[arg-type]
        report_texts(model)
        models.close()


if __name__ == "__main__":
    main()
