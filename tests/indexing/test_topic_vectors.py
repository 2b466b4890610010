"""What is done to vectors before and after they are clustered: languages, copies, neighbours, fences."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.clustering.fences import ANYWHERE, Fences
from postscope.indexing.clustering.languages import offsets, without
from postscope.indexing.clustering.neighbours import EXACT, NeighbourIndex, distinct
from postscope.indexing.topics.assigning import TopicMap, Voter, assign
from postscope.indexing.types import Vectors

DIM = 32


def unit(rows: np.ndarray) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def talk(subjects: list[int], languages: list[int], *, apart: float = 0.95, seed: int = 0) -> Vectors:
    """Posts on subjects (the first axes) in languages (the last), the latter further apart than the former."""
    noise = np.random.default_rng(seed).normal(scale=0.08, size=(len(subjects), DIM))
    return unit(np.eye(DIM)[subjects] + apart * np.eye(DIM)[[DIM - 1 - code for code in languages]] + noise)


def everyone(count: int = 20) -> tuple[list[int], list[int]]:
    """Eight subjects, each in three languages."""
    return [s for s in range(8) for _ in range(3 * count)], [code for _ in range(8) for code in [0, 1, 2] * count]


def test_posts_on_one_subject_are_one_cluster_whatever_their_language() -> None:
    subjects, languages = everyone()
    vectors, codes = talk(subjects, languages), np.array(languages, np.int32)
    raw = DensityClusterer().cluster(vectors, min_size=8, seed=1).labels
    moved = DensityClusterer().cluster(without(vectors, codes, offsets(vectors, codes)), min_size=8, seed=1).labels

    def languages_of(labels: np.ndarray) -> list[int]:
        return [len(set(codes[labels == topic].tolist())) for topic in range(int(labels.max()) + 1)]

    assert max(languages_of(raw)) == 1
    assert languages_of(moved) == [3] * 8
    for start in range(0, 480, 60):
        inside = moved[start : start + 60]
        assert np.bincount(inside[inside >= 0]).max() >= 54


def test_one_language_alone_and_posts_without_words_stay_as_they_are() -> None:
    subjects, languages = everyone()
    vectors = talk(subjects, languages)
    one = np.zeros(len(vectors), np.int32)
    np.testing.assert_array_equal(without(vectors, one, offsets(vectors, one)), vectors)
    some = np.array(languages, np.int32)
    some[::5] = -1
    moved = without(vectors, some, offsets(vectors, some))
    np.testing.assert_array_equal(moved[::5], vectors[::5])
    assert (moved[1::5] != vectors[1::5]).any()


def test_a_language_of_few_posts_is_hardly_moved_and_one_that_speaks_of_one_subject_not_at_all() -> None:
    subjects, languages = everyone()
    vectors = talk([*subjects, 10, 11], [*languages, 3, 3])
    apart = np.linalg.norm(offsets(vectors, np.array([*languages, 3, 3], np.int32)), axis=1)
    assert apart[3] < 0.4 * apart[:3].min()
    split = talk([0] * 40 + [1] * 40, [0] * 40 + [1] * 40, apart=1.5)
    assert not offsets(split, np.array([0] * 40 + [1] * 40, np.int32)).any()


def test_a_language_that_a_few_of_very_many_posts_are_mistaken_to_be_in_is_hardly_moved() -> None:
    vectors = talk([n % 8 for n in range(4_000)], [0] * 4_000, apart=0)
    codes = np.zeros(4_000, np.int32)
    # Of two subjects only, as names and code are that look foreign.
    codes[:80:8] = codes[1:81:8] = 1
    told = vectors[codes == 1].mean(axis=0) - vectors.mean(axis=0)
    assert np.linalg.norm(offsets(vectors, codes)[1]) < 0.5 * np.linalg.norm(told)


@pytest.mark.parametrize("count", [0, 1])
def test_no_posts_and_one_have_no_offsets(count: int) -> None:
    vectors, codes = talk([0] * count, [0] * count), np.full(count, -1, np.int32)
    assert without(vectors, codes, offsets(vectors, codes)).shape == (count, DIM)


def test_members_of_a_known_group_of_copies_count_once_for_density() -> None:
    vectors = talk([s for s in range(3) for _ in range(30)], [0] * 90, apart=0)
    groups = np.full(90, -1, np.int64)
    groups[60:] = 2**61
    found = DensityClusterer().cluster(vectors, min_size=8, seed=1, known=distinct(vectors, 31, groups=groups))
    assert found.count == 2
    assert set(found.labels[60:].tolist()) == {-1}
    known = distinct(vectors, 31, groups=groups)
    assert (len(known.alone), set(known.first[60:].tolist())) == (61, {60})


def test_neighbours_by_codes_are_nearly_the_exact_ones_the_same_each_time_and_begin_with_the_point_itself() -> None:
    generator = np.random.default_rng(4)
    points = unit(generator.normal(size=(EXACT + 500, 12)) @ generator.normal(size=(12, 256)))
    index, asked = NeighbourIndex(points), points[:200]
    found, again = index.nearest(asked, 20), NeighbourIndex(points).nearest(asked, 20)
    np.testing.assert_array_equal(found.indices, again.indices)
    exact = np.argsort(-(asked @ points.T), axis=1)[:, :20]
    shared = [len(set(mine) & set(true)) for mine, true in zip(found.indices.tolist(), exact.tolist(), strict=True)]
    assert np.mean(shared) >= 18
    near = distinct(points, 11).near
    np.testing.assert_array_equal(near.indices[:, 0], np.arange(len(near.indices)))


def test_a_point_that_is_far_off_stays_an_outlier_though_all_its_neighbours_are_in_a_cluster() -> None:
    inside = talk([0] * 60, [0] * 60, apart=0)
    far = unit(np.eye(DIM)[[0]] * 0.3 + np.eye(DIM)[[9]])
    found = DensityClusterer().cluster(np.concatenate([inside, far]), min_size=8, seed=1)
    assert (found.labels[:60] == 0).sum() >= 57
    assert (found.labels[60], found.strengths[60]) == (-1, 0.0)


def test_a_new_post_that_is_far_off_is_not_voted_into_a_topic_but_one_inside_is() -> None:
    inside, far = talk([0] * 60, [0] * 60, apart=0), unit(np.eye(DIM)[[0]] * 0.3 + np.eye(DIM)[[9]])[0]
    fences, topic = Fences.around(inside, np.zeros(60, np.int32), 1), uuid.UUID(int=1)
    topics = TopicMap([topic], fences.centres, np.array([0.9], np.float32), np.zeros(1, bool), fences.floors)

    def place(vector: np.ndarray) -> uuid.UUID | None:
        voters = [Voter(topic, None, float(other @ vector)) for other in inside[:15]]
        return assign(vector, voters, topics, barred=frozenset(), now_in=None).topic

    assert place(far) is None
    assert place(inside[20]) == topic
    anywhere = TopicMap(topics.ids, topics.centres, topics.reaches, topics.watching, np.array([ANYWHERE], np.float32))
    voters = [Voter(topic, None, float(other @ far)) for other in inside[:15]]
    assert assign(far, voters, anywhere, barred=frozenset(), now_in=None).topic == topic


def test_a_discovered_topic_is_near_a_post_with_or_without_its_language_and_a_watched_one_with_it() -> None:
    subject, language, topic = np.eye(DIM, dtype=np.float32)[0], np.eye(DIM)[9], uuid.UUID(int=1)
    spoken = unit((subject + language)[None])[0]

    def place(centre: np.ndarray, vector: np.ndarray, neutral: np.ndarray, *, watched: bool = False) -> bool:
        reaches = np.array([0.9], np.float32)
        topics = TopicMap([topic], centre[None], reaches, np.array([watched]), reaches)
        return assign(vector, [], topics, barred=frozenset(), now_in=None, neutral=neutral).topic == topic

    # Of a topic that is spoken of in all languages, and of one that only this language has.
    assert place(subject, spoken, subject)
    assert place(spoken, spoken, subject)
    assert not place(subject, spoken, spoken)
    assert place(spoken, spoken, subject, watched=True)
    assert not place(subject, spoken, subject, watched=True)


def test_talk_of_nothing_in_common_is_not_one_topic_though_it_lies_in_one_region_beside_another() -> None:
    generator, dim = np.random.default_rng(1), 24
    centres = generator.normal(size=(3, dim))
    subjects = [centre + generator.normal(size=(40, dim)) for centre in centres]
    idle = generator.normal(size=(1_200, dim))
    apart = np.full(dim, 6.0) + 0.3 * generator.normal(size=(24, dim))
    found = DensityClusterer().cluster(unit(np.concatenate([*subjects, idle, apart])), min_size=30, seed=1)
    assert np.bincount(found.labels[found.labels >= 0], minlength=1).max() < 200
