"""From how many deviations on a text is given a label without calibration: by cuts, on sets of broad and narrow labels.

python -m tests.benchmarks.bench_label_curves [encoder] [texts of each set]

Of labels that have nothing to do with a set, how many of a thousand pairs would be given: the price of a lower cut.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from postscope.backend.models import SpaceModel
from postscope.backend.tagging.definitions import default_prompts
from postscope.indexing.normalise import normalise
from postscope.indexing.zero_shot import LABEL_CURVES, PostBatch, post_logits
from tests.benchmarks import data
from tests.benchmarks.bench_tag_thresholds import AIRLINE
from tests.benchmarks.bench_zero_shot import PROMPTS, labeller, of_texts, open_model

TITLES = [
    "wordpress", "oracle", "svn", "apache", "excel", "matlab", "visual-studio", "cocoa", "osx", "bash", "spark",
    "hibernate", "scala", "sharepoint", "ajax", "qt", "drupal", "linq", "haskell", "magento",
]  # fmt: skip
"""What the numbers 1 to 20 of the StackOverflow set stand for."""
UNRELATED = ["football", "cooking", "religion", "war", "gardening", "chemistry", "fashion", "birds", "history", "music"]
CUTS = (3.5, 4.0, 4.25, 4.6, 5.0, 5.5, 6.0)
SLOPE, OFFSET = LABEL_CURVES["text"]

Labels = Mapping[str, Sequence[str]]


def main() -> None:
    """Print a line for each set."""
    files = ("stackoverflow_titles.jsonl.gz", "tweeteval_emotion.jsonl.gz", "tweeteval_offensive.jsonl.gz")
    data.needed(*files, "airline_tweets.jsonl.gz")
    model = open_model(sys.argv[1] if len(sys.argv) > 1 else "bundled")
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 600

    def texts(name: str) -> tuple[PostBatch, list[str]]:
        rows = [row for row in data.rows(name) if row.get("split", "test") == "test"]
        some = [rows[n] for n in np.random.default_rng(0).choice(len(rows), min(most, len(rows)), replace=False)]
        vectors = model.calibration.centre_texts(model.encoder.encode_texts([normalise(row["text"]) for row in some]))
        truth = [row["label"] if "label" in row else row["labels"]["sentiment"] for row in some]
        return of_texts(vectors), [TITLES[int(has) - 1] if name == files[0] else has for has in truth]

    titles, of_titles = texts(files[0])
    emotions, of_emotions = texts(files[1])
    offences, of_offences = texts(files[2])
    flights, of_flights = texts("airline_tweets.jsonl.gz")
    told(model, "titles, 20 names", titles, names(TITLES), of_titles)
    told(model, "emotion, prompts", emotions, PROMPTS["emotion"], of_emotions)
    told(model, "emotion, names", emotions, names(PROMPTS["emotion"]), of_emotions)
    told(model, "offensive", offences, {"offensive": PROMPTS["offensive"]["offensive"]}, of_offences)
    told(model, "airline sentiment", flights, AIRLINE, of_flights)
    for name, posts in (("titles", titles), ("airline", flights)):
        deviations = of(model, posts, names(UNRELATED))
        shares = "  ".join(f"{1000 * float((deviations >= cut).mean()):.1f}" for cut in CUTS)
        print(f"{name}, unrelated labels, of 1,000 pairs: {shares}")


def names(labels: Sequence[str] | Labels) -> Labels:
    """Labels that nothing is said of."""
    return {label: list(default_prompts(label, "")) for label in labels}


def of(model: SpaceModel, posts: PostBatch, labels: Labels) -> npt.NDArray[np.float64]:
    """Deviations (n, labels)."""
    logits = post_logits(labeller(model, list(labels.values())).space.parts, posts)
    return (logits.astype(np.float64) - OFFSET) / SLOPE


def told(model: SpaceModel, name: str, posts: PostBatch, labels: Labels, truth: Sequence[str]) -> None:
    """Weighted F0.5, and the precision of all that is given, at each cut."""
    deviations = of(model, posts, labels)
    has = np.array([[label == said for label in labels] for said in truth])
    support = has.sum(axis=0)
    shown = []
    for cut in CUTS:
        given = deviations >= cut
        right = (given & has).sum(axis=0)
        f05 = 1.25 * right / np.maximum(0.25 * support + given.sum(axis=0), 1)
        weighted = float((f05 * support).sum() / support.sum())
        shown.append(f"{cut:g}: {weighted:.2f} ({right.sum() / max(1, given.sum()):.2f})")
    print(f"{name}: F0.5 (precision) from {'  '.join(shown)}")


if __name__ == "__main__":
    main()
