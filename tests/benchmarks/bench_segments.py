"""Segments without training, on texts whose subject is known: how often one is given, and how often it is right.

python -m tests.benchmarks.bench_segments [texts of each set]

An airline's tweets are right about travel, transport or customer service; titles of StackOverflow about technology.
"""

from __future__ import annotations

import sys

import numpy as np

from postscope.backend.heads.segments import CLEAR, default_segments
from postscope.backend.tagging.definitions import flatten
from postscope.indexing.normalise import normalise
from tests.benchmarks import data
from tests.benchmarks.bench_zero_shot import labeller, of_texts, open_model

SETS = {
    "airline_tweets.jsonl.gz": {"travel", "cars and transport", "customer service"},
    "stackoverflow_titles.jsonl.gz": {"science and technology"},
}


def main() -> None:
    """Print every figure."""
    data.needed(*SETS)
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    model = open_model()
    labels = flatten(default_segments())
    names = np.array([label.path for label in labels])
    segments = labeller(model, [label.definition.prompts for label in labels])
    for name, right in SETS.items():
        found = data.rows(name)
        texts = [normalise(row["text"]) for row in found[:: max(1, len(found) // most)][:most]]
        vectors = model.calibration.centre_texts(model.encoder.encode_texts(texts))
        shares = segments.probabilities(of_texts(vectors))
        best, is_right = shares.max(axis=1), np.isin(names[shares.argmax(axis=1)], sorted(right))
        for clear in (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6):
            given = best >= clear
            precision = is_right[given].mean() if given.any() else float("nan")
            mark = "  (in use)" if clear == CLEAR else ""
            print(f"{name.split('.')[0]:22} from {clear:.2f}: given {given.mean():.2f}, right {precision:.2f}{mark}")


if __name__ == "__main__":
    main()
