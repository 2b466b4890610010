"""Windows that are too large to cluster whole: a sample is, and the rest goes where its neighbours are."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.topics.discovery import discover
from postscope.indexing.topics.job import Job, JobSpec, JobWriter, PostLine
from postscope.indexing.types import Vectors

DIM, EACH, SUBJECTS = 24, 300, 3


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Three subjects in two languages, forty posts that are copies of one, and one far off from all."""
    generator = np.random.default_rng(3)
    subjects = np.repeat(np.arange(SUBJECTS), EACH)
    codes = np.arange(len(subjects)) % 2
    rows = (
        np.eye(DIM)[subjects] + 0.5 * np.eye(DIM)[20 + codes] + generator.normal(scale=0.08, size=(len(subjects), DIM))
    )
    rows = np.concatenate([rows, np.eye(DIM)[[12]]])
    vectors: Vectors = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    words = ("storm harbour", "football stadium", "bakery flour")
    lines = [
        PostLine(f"{words[s]} {n}", ("en", "de")[c], n, c, 7 if n < 40 else -1)
        for n, (s, c) in enumerate(zip(subjects.tolist(), codes.tolist(), strict=True))
    ]
    lines.append(PostLine("nothing of all that", "en", 0, 0))
    writer = JobWriter(tmp_path / "job")
    ids = [uuid.UUID(int=n + 1) for n in range(len(lines))]
    writer.add(ids, vectors, lines, np.full((len(lines), 2), np.nan, np.float32))
    writer.close(JobSpec(len(lines), DIM, 42, 8, sample=200))
    return Job(writer.folder)


def test_the_rest_of_a_sample_is_where_its_subject_is_whatever_its_language(job: Job) -> None:
    told: list[str] = []
    result = discover(job, DensityClusterer(), check=lambda step, _: told.append(step))
    assert "rest" in told
    assert len(result.found["topic"]) == SUBJECTS
    for start in range(0, SUBJECTS * EACH, EACH):
        inside = result.labels[start : start + EACH]
        assert np.bincount(inside[inside >= 0], minlength=SUBJECTS).max() >= 0.95 * EACH
    assert (result.labels[-1], result.strengths[-1]) == (-1, 0.0)
    assert sum(one.size for one in result.found["topic"]) == (result.labels >= 0).sum()
    assert np.isfinite(result.places).all()


def test_the_same_seed_chooses_and_says_the_same(job: Job) -> None:
    first, again = (discover(job, DensityClusterer()) for _ in range(2))
    for name in ("labels", "parts", "strengths", "places"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
