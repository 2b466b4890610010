"""Default against fitted thresholds, and probabilities before and after calibration, on folds that nobody learned from.

python -m tests.benchmarks.bench_tag_thresholds
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from postscope.indexing.folds import copy_groups
from postscope.indexing.label_fit import Judged
from postscope.indexing.label_report import calibrate_labels
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vectors
from postscope.indexing.zero_shot import background_logits, post_logits
from tests.benchmarks import data
from tests.benchmarks.bench_zero_shot import PROMPTS, labeller, of_texts, open_model, tweets

AIRLINE = {
    "negative": ["negative", "an angry complaint about a delayed flight", "terrible service, worst airline"],
    "neutral": ["neutral", "a question to the airline", "please tell me how to change my booking"],
    "positive": ["positive", "thank you, great service", "I love flying with you"],
}
MOST = 3_000


def main() -> None:
    """Each set as one of several classes, and as labels that do not exclude each other."""
    data.needed("tweeteval_emotion.jsonl.gz", "tweeteval_offensive.jsonl.gz", "airline_tweets.jsonl.gz")
    model = open_model()
    sets: dict[str, tuple[dict[str, list[str]], Vectors, list[str], list[str]]] = {}
    for name, prompts in PROMPTS.items():
        vectors, truth = tweets(model, name, "test")
        texts = [row["text"] for row in data.rows(f"tweeteval_{name}.jsonl.gz") if row["split"] == "test"]
        sets[name] = (prompts, vectors, truth, texts)
    rows = data.rows("airline_tweets.jsonl.gz")
    chosen = [rows[n] for n in np.random.default_rng(0).choice(len(rows), MOST, replace=False)]
    encoded = model.encoder.encode_texts([normalise(row["text"]) for row in chosen])
    sets["airline"] = (
        AIRLINE,
        model.calibration.centre_texts(encoded),
        [row["labels"]["sentiment"] for row in chosen],
        [row["text"] for row in chosen],
    )
    for name, (prompts, vectors, truth, texts) in sets.items():
        posts = of_texts(vectors)
        groups = copy_groups(vectors, texts)
        marks = np.array([[label == has for label in prompts] for has in truth]).astype(np.int8)
        for exclusive in (True, False):
            made = labeller(model, list(prompts.values()), open=True)
            made = replace(made, exclusive=exclusive, thresholds=np.full(len(prompts), 0.5, np.float32))
            judged = Judged(
                post_logits(made.space.parts, posts), background_logits(made.space, posts), marks, posts.kinds()
            )
            found = calibrate_labels(made, judged, groups, paths=list(prompts), slices={}, seed=0).report
            f05, ece = found["weighted_f05"], found["calibration"]["ece"]
            kind = "one class" if exclusive else "several labels"
            print(f"{name}, {kind}, {len(truth)} posts: weighted F0.5 {f05}, ECE {ece}")


if __name__ == "__main__":
    main()
