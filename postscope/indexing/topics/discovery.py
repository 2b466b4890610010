"""One discovery, computed: posts with vectors in, topics with words, examples and a map out.

Runs in a process of its own (``python -m postscope.indexing.topics.discovery FOLDER``), because it keeps the
interpreter busy for seconds to minutes, which a process that serves must not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.child_process import die_with_parent
from postscope.indexing.clustering.alignment import aligned, start_from
from postscope.indexing.clustering.base import Check, Clusterer, Clustering, Labels, unchecked
from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.clustering.fences import Fences, fence
from postscope.indexing.clustering.languages import Codes, offsets, without
from postscope.indexing.clustering.layout import PLANE, Layout, fuzzy_graph, lay_out, principal_start
from postscope.indexing.clustering.neighbours import NEIGHBOURS, Distinct, NeighbourIndex, Neighbours, distinct
from postscope.indexing.clustering.sampling import stratified
from postscope.indexing.clustering.themes import means
from postscope.indexing.clustering.voting import VOTERS, vote
from postscope.indexing.topics.job import Found, Job, Result
from postscope.indexing.topics.keywords import TextTerms, count_voices, keywords, read_terms
from postscope.indexing.topics.representatives import representatives, without_repeats
from postscope.indexing.types import Vectors

SLICE: Final = 8_192
REACHED: Final = 0.05
"""Share of a topic's posts that lie outside its reach."""
LAYERS: Final = ("theme", "topic", "subtopic")
MAP_NEIGHBOURS: Final = 15
BESIDE: Final = 0.02
"""How far copies lie from what they are copies of on the map, whose clusters are some units wide."""


def discover(job: Job, clusterer: Clusterer, *, check: Check = unchecked) -> Result:
    """Find the topics of a job's posts.

    Args:
        job: the posts.
        clusterer: finds the dense regions.
        check: told how far it is; may raise to stop.
    """
    spec, vectors = job.spec, job.vectors()
    chosen = stratified(job.strata(), spec.sample, seed=spec.seed) if spec.count else np.zeros(0, np.int64)
    codes = job.languages()
    apart = offsets(vectors, codes)
    sample = without(np.asarray(vectors[chosen]), codes[chosen], apart)
    with ThreadPoolExecutor(2) as beside:
        # What lets others run (neighbours, layouts) goes on beside what does not (words).
        read = beside.submit(read_terms, job.posts())
        check("neighbours", 0.0)
        known = distinct(sample, NEIGHBOURS + 1, groups=job.groups()[chosen])
        plane = beside.submit(_plane, sample, known, job.layout()[chosen], spec.seed)
        clustering = clusterer.cluster(sample, min_size=spec.min_size, seed=spec.seed, check=check, known=known)
        check("map", 0.0)
        labels, parts, strengths, spots = _all(
            lambda part: without(np.asarray(vectors[part]), codes[part], apart),
            spec.count, sample, chosen, clustering, plane.result(), check,
        )  # fmt: skip
        check("words", 0.0)
        terms = read.result()
    layers = _layers(labels, parts, clustering)
    centres = {name: means(vectors, of_post, len(parents)) for name, (of_post, parents) in layers.items()}
    words = _words(terms, layers)
    texts = _Texts(job)
    found = {
        name: _describe(vectors, of_post, parents, centres[name], words[name], texts, codes, spec.examples)
        for name, (of_post, parents) in layers.items()
    }
    check("words", 1.0)
    return Result(labels, parts, strengths, spots, centres, found, apart)


Layer = tuple[Labels, list[int | None]]
"""The cluster of each post, and the parent of each cluster."""


def _layers(labels: Labels, parts: Labels, clustering: Clustering) -> dict[str, Layer]:
    theme_of = np.append(clustering.themes, -1).astype(np.int32)
    themes = int(clustering.themes.max(initial=-1)) + 1
    count = int(parts.max(initial=-1)) + 1
    owners: list[int | None] = [None] * count
    inside = np.flatnonzero(parts >= 0)
    for part, label in zip(parts[inside].tolist(), labels[inside].tolist(), strict=True):
        owners[part] = label
    return {
        "theme": (theme_of[labels], [None] * themes),
        "topic": (labels, [int(theme) for theme in clustering.themes]),
        "subtopic": (parts, owners),
    }


def _plane(sample: Vectors, known: Distinct, earlier: Layout, seed: int) -> Layout:
    """Places of the sample on the map, near the earlier ones; copies lie close around what they are copies of."""
    own, places = sample[known.alone], earlier[known.alone]
    if len(own) < 3:
        placed = np.where(np.isfinite(places), places, 0.0).astype(np.float32)
    else:
        near = known.near.first(MAP_NEIGHBOURS + 1)
        start = start_from(places, principal_start(own, 2, seed=seed), near.indices)
        placed = aligned(lay_out(fuzzy_graph(near), start, PLANE, seed=seed), places)
    spots: Layout = placed[known.back]
    copied = known.first != np.arange(len(sample))
    around = np.random.default_rng(seed).normal(scale=BESIDE, size=spots.shape)
    return np.where(copied[:, None], spots + around, spots).astype(np.float32)


def _all(
    vectors_of: Callable[[npt.NDArray[np.int64]], Vectors],
    count: int,
    sample: Vectors,
    chosen: npt.NDArray[np.int64],
    found: Clustering,
    places: Layout,
    check: Check,
) -> tuple[Labels, Labels, npt.NDArray[np.float32], Layout]:
    """Labels, sub-labels, strengths and places of every post: the sample's own, the rest by their neighbours' vote."""
    labels, parts = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    strengths, spots = np.zeros(count, np.float32), np.zeros((count, 2), np.float32)
    labels[chosen], parts[chosen] = found.labels, found.parts
    strengths[chosen], spots[chosen] = found.strengths, places
    rest = np.setdiff1d(np.arange(count), chosen, assume_unique=True)
    if not len(rest):
        return labels, parts, strengths, spots
    index, fences = NeighbourIndex(sample), Fences.around(sample, found.labels, found.count)
    owners = {int(part): int(label) for part, label in zip(found.parts, found.labels, strict=True) if part >= 0}
    for start in range(0, len(rest), SLICE):
        part = rest[start : start + SLICE]
        own = vectors_of(part)
        near = index.nearest(own, VOTERS)
        voted, strengths[part] = vote(near, found.labels, clusters=found.count)
        labels[part] = fences.keep(own, voted)
        strengths[part] *= labels[part] >= 0
        sub, _ = vote(near, found.parts)
        parts[part] = [
            s if owners.get(s) == t else -1 for s, t in zip(sub.tolist(), labels[part].tolist(), strict=True)
        ]
        spots[part] = _between(near, places)
        check("rest", (start + len(part)) / len(rest))
    return labels, parts, strengths, spots


def _between(near: Neighbours, places: Layout) -> Layout:
    """Beside the nearest of the sample, drawn a little to the next ones so that copies of places are rare."""
    weights = np.maximum(near.cosines, 1e-3)[:, :3] ** 8
    weights /= weights.sum(axis=1, keepdims=True)
    placed: Layout = (places[near.indices[:, :3]] * weights[..., None]).sum(axis=1).astype(np.float32)
    return placed


def _words(read: list[TextTerms], layers: dict[str, Layer]) -> dict[str, list[list[dict[str, object]]]]:
    """Keywords of every layer."""
    labels, parts = layers["topic"][0], layers["subtopic"][0]
    fine, fine_of = _fine(labels, parts)
    counts = count_voices(labels, fine, read)
    topics = counts.regrouped({cell: topic for cell, (topic, _) in fine_of.items()})
    subtopics = counts.regrouped({cell: part for cell, (_, part) in fine_of.items()})
    theme_of = layers["topic"][1]
    themes = topics.regrouped({topic: theme for topic, theme in enumerate(theme_of) if theme is not None})
    by_layer = {"theme": themes, "topic": topics, "subtopic": subtopics}
    return {
        name: [[asdict(word) for word in found] for found in keywords(by_layer[name], len(layers[name][1]))]
        for name in LAYERS
    }


def _fine(labels: Labels, parts: Labels) -> tuple[Labels, dict[int, tuple[int, int]]]:
    """One number for each pair of topic and sub-topic, so that texts are counted once for all layers."""
    pairs = np.stack([labels, parts], axis=1)
    values, inverse = np.unique(pairs, axis=0, return_inverse=True)
    cells = {cell: (int(topic), int(part)) for cell, (topic, part) in enumerate(values)}
    return inverse.reshape(-1).astype(np.int32), cells


class _Texts:
    """Texts by place: an index of where each line begins, so that they need not be in memory."""

    def __init__(self, job: Job) -> None:
        self._file = (job.folder / "posts.jsonl").open("rb")
        self._starts = [0]
        for line in self._file:
            self._starts.append(self._starts[-1] + len(line))

    def __call__(self, place: int) -> str:
        self._file.seek(self._starts[place])
        text: str = json.loads(self._file.readline())[0]
        return text


def _describe(
    vectors: Vectors,
    of_post: Labels,
    parents: list[int | None],
    centres: Vectors,
    words: list[list[dict[str, object]]],
    texts: _Texts,
    codes: Codes,
    examples: int,
) -> list[Found]:
    order = np.argsort(of_post, kind="stable")
    bounds = np.searchsorted(of_post[order], np.arange(len(parents) + 1))
    found = []
    for number, parent in enumerate(parents):
        members = np.sort(order[bounds[number] : bounds[number + 1]])
        mine = np.asarray(vectors[members])
        cosines = mine @ centres[number]
        reach = _reach(cosines, codes[members])
        floor = fence(cosines)
        # More than are shown, since some may turn out to say the same in other words than vectors see.
        picked = representatives(mine, centres[number], examples * 3)
        kept = without_repeats([texts(int(members[place])) for place in picked], examples)
        shown = [int(members[picked[place]]) for place in kept]
        found.append(Found(parent, len(members), [dict(word) for word in words[number]], shown, reach, floor))
    return found


def _reach(cosines: npt.NDArray[np.float32], codes: Codes) -> float:
    """Of the posts in the language that most of a topic is in: the others lie apart from its centre for that alone."""
    if not len(cosines):
        return 1.0
    spoken = codes[codes >= 0]
    mine = codes == np.bincount(spoken).argmax() if len(spoken) else np.ones(len(codes), bool)
    return float(np.quantile(cosines[mine], REACHED))


def main(arguments: list[str] | None = None) -> None:
    """The child process: read a job's folder, say there how far it is, write the result."""
    parser = argparse.ArgumentParser(description="Discover the topics of one job folder.")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    die_with_parent()
    os.nice(10)
    job = Job(options.folder)
    discover(job, DensityClusterer(), check=job.tell).save(job.folder)


if __name__ == "__main__":
    main(sys.argv[1:])
