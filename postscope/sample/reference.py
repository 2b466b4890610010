"""The sample as the reference that scores are calibrated on."""

from __future__ import annotations

import json

from PIL import Image

from postscope.indexing.calibration_fit import Reference
from postscope.sample import read_image_labels, read_queries, sample_dir

CHATTER = "chatter"
"""The storyline of posts about nothing in particular, which are not relevant to each other."""


def load_reference() -> Reference:
    """The posts with a text, every image and every labelled query; reads 158 small images, about 2.5 MB.

    A query without an answer has none among the texts and none among the images, so it is asked of both.
    """
    with (sample_dir() / "posts.jsonl").open(encoding="utf-8") as lines:
        posts = [post for line in lines if (post := json.loads(line)).get("text")]
    labels = read_image_labels()
    queries = read_queries()
    return Reference(
        texts=tuple(post["text"] for post in posts),
        languages=tuple(post.get("language") or "" for post in posts),
        text_topics=tuple(_topic(post["metadata"]["storyline"]) for post in posts),
        images=tuple(_open(label.file) for label in labels),
        image_topics=tuple(_topic(label.storyline) for label in labels),
        image_subjects=tuple(label.concept for label in labels),
        queries=tuple((q.text, q.storyline) for q in queries if q.kind == "text" or q.storyline is None),
        image_queries=tuple((q.text, q.concept) for q in queries if q.kind == "image" or q.storyline is None),
    )


def _topic(storyline: str | None) -> str | None:
    return None if storyline == CHATTER else storyline


def _open(file: str) -> Image.Image:
    with Image.open(sample_dir() / file) as image:
        return image.convert("RGB")
