"""Topics of real tweets, against what people said the complaints are about, and their names; BERTopic beside it.

python -m tests.benchmarks.bench_topic_tweets [--peer]

The airline tweets with one of nine reasons of a complaint ("Can't Tell" left out) are the truth, as far as it goes: a
tweet has one reason though it may tell of several, and compliments have none. Topics are of all tweets; NMI and ARI are
over those with a reason, outliers as a class of their own; ``airline`` tells how far topics are airlines instead. Then
those of one airline alone, and all without handles, which have so much in common that a density sees one region. The
sample is named too. Of names: how many of a topic's voices (authors; copies of a text are one) use the least used of
the words in its name.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import uuid
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.topics.discovery import discover
from postscope.indexing.topics.job import Job, JobSpec, JobWriter, PostLine, Result
from postscope.indexing.topics.keywords import Keyword
from postscope.indexing.topics.names import KeywordNamer
from postscope.indexing.topics.words import form, terms, words
from postscope.indexing.types import Vectors
from postscope.sample import sample_dir
from tests.benchmarks import data, vectors
from tests.benchmarks.bench_topics import Labels, bertopic

FILE = "airline_tweets.jsonl.gz"
SEEDS = (42, 1, 2)


def job_of(folder: Path, rows: Vectors, posts: Sequence[dict[str, Any]], seed: int) -> Job:
    """A folder with these posts, whose least size is that of the service."""
    writer = JobWriter(folder / f"job{seed}")
    lines = [
        PostLine(post["text"], post.get("language", "en"), 0, 0, author=zlib.crc32(post["author"].encode()))
        for post in posts
    ]
    ids = [uuid.UUID(int=n + 1) for n in range(len(posts))]
    writer.add(ids, rows, lines, np.full((len(posts), 2), np.nan, np.float32))
    writer.close(JobSpec(len(posts), rows.shape[1], seed, int(np.clip(len(posts) // 100, 5, 200)), 50_000))
    return Job(writer.folder)


def names(result: Result, posts: Sequence[dict[str, Any]]) -> None:
    """How well the names of topics are borne out, and what they are."""
    said = [{form(term) for term in terms(words(post["text"]))} for post in posts]
    least, quoted, shown = [], 0, []
    for number, topic in enumerate(result.found["topic"]):
        keywords = [Keyword(**word) for word in topic.keywords]
        name = KeywordNamer().name(keywords, [posts[place]["text"] for place in topic.examples]).name
        shown.append((topic.size, name))
        if not keywords:
            quoted += 1
            continue
        members = np.flatnonzero(result.labels == number)
        least.append(min(_voices(form(word), members, said, posts) for word in name.split(", ")))
    print(
        f"  names: {np.mean(np.array(least) >= 2):.0%} of {len(least)} by words that two voices or more use, ", end=""
    )
    print(f"median of the least used {np.median(least):.0f}; {quoted} by a post that stands for it")
    for size, name in sorted(shown, reverse=True):
        print(f"    {size:5} {name}")


def _voices(word: str, members: Labels, said: Sequence[set[str]], posts: Sequence[dict[str, Any]]) -> int:
    mine = [posts[place] for place in members if word in said[place]]
    return min(len({post["author"] for post in mine}), len({post["text"] for post in mine}))


def told(name: str, labels: Labels, posts: Sequence[dict[str, Any]]) -> None:
    """One line."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    reasons = [post["labels"]["reason"] for post in posts]
    known = np.array([reason not in (None, "Can't Tell") for reason in reasons])
    truth, airline = np.array(reasons, object)[known].tolist(), [post["metadata"]["airline"] for post in posts]
    mine = labels[known]
    pure = sum(Counter(np.array(truth)[mine == k].tolist()).most_common(1)[0][1] for k in set(mine[mine >= 0].tolist()))
    print(
        f"{name:18} NMI {normalized_mutual_info_score(truth, mine):.3f} ARI {adjusted_rand_score(truth, mine):.3f} "
        f"purity {pure / max((mine >= 0).sum(), 1):.3f} NMI with airline "
        f"{normalized_mutual_info_score(airline, labels):.3f} outliers {(labels < 0).mean():.3f} "
        f"topics {int(labels.max(initial=-1)) + 1} "
        f"largest {np.bincount(labels[labels >= 0], minlength=1).max() / len(labels):.2f}",
        flush=True,
    )


def _discovered(name: str, rows: Vectors, posts: Sequence[dict[str, Any]]) -> None:
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            result = discover(job_of(Path(folder), rows, posts, seed), DensityClusterer())
        told(f"{name}, seed {seed}", result.labels, posts)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", action="store_true", help="BERTopic too")
    options = parser.parse_args()
    data.needed(FILE)
    tweets = data.rows(FILE)
    rows = vectors.of_texts([post["text"] for post in tweets])
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            result = discover(job_of(Path(folder), rows, tweets, seed), DensityClusterer())
            told(f"ours, seed {seed}", result.labels, tweets)
            if seed == SEEDS[0]:
                names(result, tweets)
    airlines = np.array([post["metadata"]["airline"] for post in tweets])
    for airline in sorted(set(airlines.tolist())):
        some = np.flatnonzero(airlines == airline)
        _discovered(f"{airline} alone", rows[some], [tweets[place] for place in some])
    bare = [re.sub(r"@\w+", "", post["text"]).strip() or "." for post in tweets]
    _discovered("without handles", vectors.of_texts(bare), tweets)
    if options.peer:
        told("BERTopic", bertopic(rows, [post["text"] for post in tweets])[0], tweets)
    posts = [json.loads(line) for line in (sample_dir() / "posts.jsonl").read_text(encoding="utf-8").splitlines()]
    posts = [post for post in posts if (post.get("text") or "").strip()]
    of_sample = vectors.of_texts([post["text"] for post in posts], "bundled")
    with tempfile.TemporaryDirectory() as folder:
        result = discover(job_of(Path(folder), of_sample, posts, SEEDS[0]), DensityClusterer())
    print("sample")
    names(result, posts)


if __name__ == "__main__":
    main()
