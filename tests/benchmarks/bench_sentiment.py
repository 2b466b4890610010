"""Macro recall on the TweetEval sentiment test: the default scorer and the VADER lexicon, in one run.

``python -m tests.benchmarks.bench_sentiment [TWEETS]``
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from postscope.indexing.normalise import normalise
from postscope.indexing.sentiment.base import MOODS, Shares
from postscope.indexing.sentiment.others import LexiconScorer
from tests.benchmarks.rig import system

TWEETS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tweeteval_sentiment.jsonl.gz"
SLICE = 32


def main() -> None:
    """Print the recall of each mood and their mean."""
    if not TWEETS.exists():
        sys.exit(f"skipped: {TWEETS} is not there")
    with gzip.open(TWEETS, "rt", encoding="utf-8") as lines:
        rows = [row for line in lines if (row := json.loads(line))["split"] == "test"]
    rows = rows[: int(sys.argv[1])] if len(sys.argv) > 1 else rows
    rows.sort(key=lambda row: len(row["text"]))
    texts, labels = [row["text"] for row in rows], np.array([MOODS.index(row["label"]) for row in rows])
    with system() as runtime:
        scorer = runtime.sentiment.of(runtime.live)
        assert scorer is not None
        vectors: list[np.ndarray] = []
        for at in range(0, len(texts), SLICE):
            part = [normalise(text) or "-" for text in texts[at : at + SLICE]]
            vectors += list(runtime.calibration.centre_texts(runtime.encoder.encode_texts(part)))
        report(scorer.id, scorer.score(texts, vectors).argmax(axis=1), labels)
    report("lexicon-vader", verdicts(LexiconScorer().score(texts, vectors)), labels)


def verdicts(shares: Shares) -> np.ndarray:
    """As its authors read it: neutral is a compound between -0.05 and 0.05, in which no side outweighs the middle."""
    return np.where(shares[:, 1] >= 0.5, 1, shares.argmax(axis=1))


def report(name: str, found: Sequence[int] | np.ndarray, labels: np.ndarray) -> None:
    """One line."""
    recalls = [float((np.asarray(found)[labels == mood] == mood).mean()) for mood in range(len(MOODS))]
    shown = ", ".join(f"{mood} {recall:.3f}" for mood, recall in zip(MOODS, recalls, strict=True))
    print(f"{name:<40} macro recall {np.mean(recalls):.3f}  ({shown}; {len(labels)} tweets)")


if __name__ == "__main__":
    main()
