"""Held-out StackOverflow titles as queries: the share of the ten nearest with the title's label, against plain BM25
(``bm25s``, k1 and b as it comes) over the same titles: ``python -m tests.benchmarks.bench_text_search [TITLES]``."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from uuid import UUID

import bm25s
import numpy as np

from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import Mode, SearchRequest
from postscope.backend.searching.service import search
from postscope.indexing.types import Point
from tests.benchmarks.data import needed, rows
from tests.benchmarks.rig import posts_of, system

NAME = "stackoverflow_titles.jsonl.gz"
QUERIES = 500
NEAREST = 10
BATCH = 500
MODES: tuple[Mode, ...] = ("semantic", "hybrid", "keyword")

Search = Callable[[str], Sequence[int]]


def main() -> None:
    """Print the share, ours in every mode and BM25's; a place that nothing was found for counts as wrong."""
    needed(NAME)
    titles = rows(NAME)
    random.Random(7).shuffle(titles)
    held_out, kept = titles[:QUERIES], titles[QUERIES:][: int(sys.argv[1]) if len(sys.argv) > 1 else 6_000]
    texts, labels = [row["text"] for row in kept], [row["label"] for row in kept]
    print(f"{len(kept)} titles, {len(held_out)} queries")

    def report(name: str, ask: Search) -> None:
        shares = [
            sum(labels[place] == row["label"] for place in ask(row["text"])[:NEAREST]) / NEAREST for row in held_out
        ]
        print(f"{name:<20} {np.mean(shares):.3f} of the ten nearest have the query's label")

    report("BM25 (bm25s)", plain(texts))
    with system() as runtime:
        places = fill(runtime, texts)
        for mode in MODES:
            report(f"search, {mode}", ours(runtime, places, mode))


def plain(texts: Sequence[str]) -> Search:
    """BM25 with the library's own tokenizer and its English stop words."""
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)

    def ask(text: str) -> Sequence[int]:
        query = bm25s.tokenize([text], stopwords="en", show_progress=False)
        found, scores = index.retrieve(query, k=NEAREST, show_progress=False)
        return [int(place) for place, score in zip(found[0], scores[0], strict=True) if score > 0]

    return ask


def ours(runtime: Runtime, places: dict[UUID, int], mode: Mode) -> Search:
    """A search as the API makes it, without a least score: BM25 has none either."""

    def ask(text: str) -> Sequence[int]:
        request = SearchRequest(text=text, mode=mode, limit=NEAREST, min_score=0.0)
        return [places[hit.id] for hit in search(runtime, request, key_id=UUID(int=1)).hits]

    return ask


def fill(runtime: Runtime, texts: Sequence[str]) -> dict[UUID, int]:
    """Index the texts; where each post's text stands among them."""
    places: dict[UUID, int] = {}
    given = posts_of(list(texts))
    for at in range(0, len(texts), BATCH):
        part = texts[at : at + BATCH]
        with runtime.database.session() as session:
            verdicts = runtime.posts.create(session, given[at : at + BATCH], now=runtime.clock())
        vectors = runtime.calibration.centre_texts(runtime.encoder.encode_texts(part))
        points = [
            Point(
                id=UUID(str(verdict.id)),
                dense={"text": vector, "post": vector},
                sparse={"keywords": runtime.keywords.document(text)},
                payload={"source": "bench"},
            )
            for verdict, text, vector in zip(verdicts, part, vectors, strict=True)
        ]
        runtime.store.upsert(runtime.live.collection, points)
        places |= {point.id: at + n for n, point in enumerate(points)}
    return places


if __name__ == "__main__":
    main()
