"""Topics of the StackOverflow titles, against BERTopic's defaults on the same vectors; scaling; assignment.

python -m tests.benchmarks.bench_topics [titles] [scaling] [assignment] [--to POSTS]

Both do all that makes topics of vectors: clusters and their keywords. Ours makes sub-topics, themes, examples and a map
besides. Each runs once to compile, then is measured; NMI and ARI are over all posts, outliers as a class of their own.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.clustering.neighbours import nearest
from postscope.indexing.clustering.voting import VOTERS
from postscope.indexing.topics.assigning import TopicMap, Voter, assign
from postscope.indexing.topics.discovery import discover
from postscope.indexing.topics.job import Job, JobSpec, JobWriter, PostLine, Result
from postscope.indexing.types import Vectors
from tests.benchmarks import data, vectors

SEEDS = (42, 1, 2, 3, 4)
SAMPLE = 50_000
Labels = npt.NDArray[np.int32]


def job_of(folder: Path, rows: Vectors, texts: Sequence[str], seed: int, min_size: int = 200) -> Job:
    """A folder with these posts."""
    writer = JobWriter(folder / uuid.uuid4().hex)
    ids = [uuid.UUID(int=n + 1) for n in range(len(texts))]
    lines = [PostLine(text, "en", 1_700_000_000 + n, n % 7) for n, text in enumerate(texts)]
    writer.add(ids, rows, lines, np.full((len(texts), 2), np.nan, np.float32))
    writer.close(JobSpec(len(texts), rows.shape[1], seed, min_size, SAMPLE))
    return Job(writer.folder)


def ours(rows: Vectors, texts: Sequence[str], seed: int, min_size: int = 200) -> tuple[Result, float]:
    """A whole discovery, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        job = job_of(Path(folder), rows, texts, seed, min_size)
        started = time.perf_counter()
        return discover(job, DensityClusterer()), time.perf_counter() - started


def bertopic(rows: Vectors, texts: Sequence[str]) -> tuple[Labels, float]:
    """BERTopic as its documentation calls it with vectors of one's own."""
    from bertopic import BERTopic

    started = time.perf_counter()
    found, _ = BERTopic().fit_transform(list(texts), rows)
    return np.asarray(found, np.int32), time.perf_counter() - started


def told(name: str, labels: Labels, truth: Sequence[int], seconds: float) -> None:
    """One line."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    nmi, ari = normalized_mutual_info_score(truth, labels), adjusted_rand_score(truth, labels)
    print(
        f"{name:24} NMI {nmi:.3f} ARI {ari:.3f} outliers {(labels < 0).mean():.3f} "
        f"topics {int(labels.max()) + 1:4} {seconds:6.1f} s",
        flush=True,
    )


def titles() -> None:
    """Ours with several seeds, BERTopic between them."""
    found = data.rows("stackoverflow_titles.jsonl.gz")
    texts, truth = [row["text"] for row in found], [int(row["label"]) for row in found]
    rows = vectors.of_texts(texts)
    ours(rows[:2_000], texts[:2_000], 0)
    bertopic(rows[:2_000], texts[:2_000])
    for place, seed in enumerate(SEEDS):
        result, seconds = ours(rows, texts, seed)
        told(f"ours, seed {seed}", result.labels, truth, seconds)
        if place == 0:
            labels, seconds = bertopic(rows, texts)
            told("BERTopic, warm", labels, truth, seconds)


def scaling(most: int) -> None:
    """Posts drawn around the real ones."""
    found = [row["text"] for row in data.rows("stackoverflow_titles.jsonl.gz")]
    real = vectors.of_texts(found)
    ours(real[:2_000], found[:2_000], 0)
    for count in (20_000, 100_000, 300_000):
        if count > most:
            break
        drawn = np.random.default_rng(count)
        places = drawn.integers(len(real), size=count)
        rows = real[places] + drawn.normal(scale=0.02, size=(count, real.shape[1])).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        result, seconds = ours(rows, [f"{found[place]} {n}" for n, place in enumerate(places.tolist())], 42)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        outside = (result.labels < 0).mean()
        print(f"{count:8} posts {seconds:7.1f} s, peak {peak:.2f} GiB, outliers {outside:.3f}", flush=True)


def assignment() -> None:
    """Nine tenths discovered, one tenth assigned: where the same discovery with all of them puts these posts."""
    found = [row["text"] for row in data.rows("stackoverflow_titles.jsonl.gz")]
    real = vectors.of_texts(found)
    order = np.random.default_rng(5).permutation(len(found))
    old, new = order[len(found) // 10 :], order[: len(found) // 10]
    first, _ = ours(real[old], [found[n] for n in old], 42)
    whole, _ = ours(real, found, 42)
    ids = [uuid.UUID(int=n + 1) for n in range(len(first.found["topic"]))]
    reaches = np.array([one.reach for one in first.found["topic"]], np.float32)
    floors = np.array([one.floor for one in first.found["topic"]], np.float32)
    topics = TopicMap(ids, first.centres["topic"], reaches, np.zeros(len(ids), bool), floors)
    started = time.perf_counter()
    near = nearest(real[new], real[old], VOTERS)
    assigned = np.full(len(new), -1, np.int32)
    for row, place in enumerate(new.tolist()):
        voters = [
            Voter(ids[first.labels[n]] if first.labels[n] >= 0 else None, None, float(cosine))
            for n, cosine in zip(near.indices[row].tolist(), near.cosines[row].tolist(), strict=True)
        ]
        where = assign(real[place], voters, topics, barred=frozenset(), now_in=None).topic
        assigned[row] = ids.index(where) if where else -1
    seconds = time.perf_counter() - started
    again = _same_numbers(first, whole, old)[whole.labels[new]]
    print(f"assignment {len(new) / seconds:.0f} posts/s, agreement with a re-run {(assigned == again).mean():.3f}")


def _same_numbers(first: Result, whole: Result, old: npt.NDArray[np.int64]) -> Labels:
    """The topic of the first discovery that each of the second is; -1 last, for outliers."""
    from postscope.indexing.topics.identity import match

    shape = (len(first.found["topic"]), len(whole.found["topic"]))
    both = np.zeros(shape)
    mine, theirs = first.labels, whole.labels[old]
    inside = (mine >= 0) & (theirs >= 0)
    np.add.at(both, (mine[inside], theirs[inside]), 1)
    sizes = np.bincount(mine[mine >= 0], minlength=shape[0]).astype(float)
    cosines = first.centres["topic"] @ whole.centres["topic"].T
    matched = match(both, sizes, both.sum(axis=0), cosines.astype(np.float64)).topic_of
    return np.array([*(-2 if topic is None else topic for topic in matched), -1], np.int32)


def main() -> None:
    """What is asked for; by default all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="PART", help="titles, scaling or assignment; by default all")
    parser.add_argument("--to", type=int, default=100_000, help="posts of the largest scaling run")
    options = parser.parse_args()
    data.needed("stackoverflow_titles.jsonl.gz")
    wanted = options.parts or ["titles", "scaling", "assignment"]
    if unknown := set(wanted) - {"titles", "scaling", "assignment"}:
        parser.error(f"unknown: {sorted(unknown)}")
    if "titles" in wanted:
        titles()
    if "scaling" in wanted:
        scaling(options.to)
    if "assignment" in wanted:
        assignment()


if __name__ == "__main__":
    main()
