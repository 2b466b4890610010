from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from postscope.indexing.calibration import (
    UNFITTED,
    SpaceCalibration,
    centred,
)
from postscope.indexing.calibration_fit import Reference, calibrate
from postscope.indexing.types import Centres, Space, Vectors

DIM = 64
TOPICS = [f"topic{n}" for n in range(12)]


class TwoCones:
    """An encoder whose texts and images share meanings and sit in two cones: the modality gap.

    A text is ``<topic> <number>``; an image has its topic in the red and its number in the green of a pixel.
    The topic ``nonsense`` means something else every time.
    """

    def __init__(self, *, text_noise: float = 0.3, image_noise: float = 0.6) -> None:
        random = np.random.default_rng(7)
        self.space = Space("two-cones", "w", "p", DIM)
        self._topics = unit(random.normal(size=(len(TOPICS), DIM)))
        self._cones = {
            "text": 1.5 * unit(random.normal(size=DIM)),
            "image": 2.5 * unit(random.normal(size=DIM)),
        }
        self._noise = {"text": text_noise, "image": image_noise}

    def _vectors(self, kind: str, marks: Sequence[tuple[int, int]]) -> Vectors:
        rows = np.zeros((len(marks), DIM))
        for row, (topic, number) in enumerate(marks):
            random = np.random.default_rng([topic, number, len(kind)])
            meaning = self._topics[topic] if topic < len(TOPICS) else unit(random.normal(size=DIM))
            noise = self._noise[kind] * unit(random.normal(size=DIM))
            rows[row] = meaning + self._cones[kind] + noise
        return unit(rows).astype(np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        topics = [*TOPICS, "nonsense"]
        return self._vectors("text", [(topics.index(t), int(n)) for t, n in map(str.split, texts)])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encode_texts(texts)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._vectors("image", [image.getpixel((0, 0))[:2] for image in images])


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def picture(topic: int, number: int) -> Image.Image:
    return Image.new("RGB", (1, 1), (topic, number, 0))


def reference(
    *, texts: int = 20, images: int = 6, topics: int = len(TOPICS), queries: int = 3, nonsense: int = 10
) -> Reference:
    of_texts = [(topic, number) for number in range(texts) for topic in range(topics)]
    of_images = [(topic, number) for number in range(images) for topic in range(topics)]
    asked = [(f"{TOPICS[topic]} {100 + n}", TOPICS[topic]) for topic in range(topics) for n in range(queries)]
    asked += [(f"nonsense {number}", None) for number in range(nonsense)]
    shown = tuple(TOPICS[topic] for topic, _ in of_images)
    return Reference(
        texts=tuple(f"{TOPICS[topic]} {number}" for topic, number in of_texts),
        languages=("en",) * len(of_texts),
        text_topics=tuple(TOPICS[topic] for topic, _ in of_texts),
        images=tuple(picture(*mark) for mark in of_images),
        image_topics=shown,
        image_subjects=shown,
        queries=tuple(asked),
        image_queries=tuple(asked),
    )


@pytest.fixture(scope="module")
def encoder() -> TwoCones:
    return TwoCones()


@pytest.fixture(scope="module")
def calibration(encoder: TwoCones) -> SpaceCalibration:
    return calibrate(encoder, reference())


def query(calibration: SpaceCalibration, encoder: TwoCones, text: str) -> np.ndarray:
    return calibration.centre_queries(encoder.encode_queries([text]))[0]


# --- the gap


def test_raw_cosines_do_not_compare_and_relevances_do(encoder: TwoCones, calibration: SpaceCalibration) -> None:
    texts = encoder.encode_texts([f"topic3 {n}" for n in range(40, 60)])
    unrelated = encoder.encode_texts([f"topic{t} {n}" for n in range(40, 50) for t in (1, 5)])
    images = encoder.encode_images([picture(3, n) for n in range(40, 60)])
    raw = encoder.encode_queries(["topic3 200"])[0]
    assert (unrelated @ raw).mean() > (images @ raw).mean()  # a wrong text beats a right image

    vector = query(calibration, encoder, "topic3 200")
    scorer = calibration.scorer(vector, "text")
    right_text = scorer.relevance("text", calibration.centre_texts(texts) @ vector)
    right_image = scorer.relevance("media", calibration.centre_images(images) @ vector)
    wrong_text = scorer.relevance("text", calibration.centre_texts(unrelated) @ vector)
    assert abs(right_text.mean() - right_image.mean()) < 0.15
    assert wrong_text.max() < 0.5 < min(right_text.min(), np.median(right_image))


@pytest.mark.parametrize("kind", ["text", "image"])
@pytest.mark.parametrize("part", ["text", "media"])
def test_every_pair_of_kinds_tells_relevant_from_unrelated(
    kind: str, part: str, encoder: TwoCones, calibration: SpaceCalibration
) -> None:
    assert (kind, part) in calibration.logistic
    if kind == "text":
        vector = query(calibration, encoder, "topic4 300")
    else:
        vector = calibration.centre_images(encoder.encode_images([picture(4, 201)]))[0]
    marks = [(t, n) for t in range(len(TOPICS)) for n in range(60, 70)]
    if part == "text":
        found = calibration.centre_texts(encoder.encode_texts([f"topic{t} {n}" for t, n in marks]))
    else:
        found = calibration.centre_images(encoder.encode_images([picture(t, n) for t, n in marks]))
    relevance = calibration.scorer(vector, kind).relevance(part, found @ vector)
    right = np.array([t == 4 for t, _ in marks])
    assert (relevance[right] >= 0.5).mean() >= 0.8
    assert (relevance[~right] >= 0.5).mean() <= 0.02


def test_most_queries_with_no_answer_get_nothing(encoder: TwoCones, calibration: SpaceCalibration) -> None:
    posts = reference()
    texts = calibration.centre_texts(encoder.encode_texts(posts.texts))
    images = calibration.centre_images(encoder.encode_images(posts.images))
    silent = 0
    for number in range(1000, 1050):
        vector = query(calibration, encoder, f"nonsense {number}")
        scorer = calibration.scorer(vector, "text")
        best = max(scorer.relevance("text", texts @ vector).max(), scorer.relevance("media", images @ vector).max())
        silent += int(best < 0.5)
    assert silent >= 40


# --- curves


@given(a=st.floats(-1, 1), b=st.floats(-1, 1), part=st.sampled_from(["text", "media"]))
@settings(max_examples=200)
def test_relevance_rises_with_the_cosine_and_stays_in_range(
    calibration: SpaceCalibration, a: float, b: float, part: str
) -> None:
    scorer = calibration.scorer(calibration.cohort_text[0], "text")
    low, high = sorted((a, b))
    assert 0.0 <= scorer.relevance(part, low) <= scorer.relevance(part, high) <= 1.0


@given(relevance=st.floats(0.001, 0.999), part=st.sampled_from(["text", "media"]))
def test_cosine_for_is_the_inverse(calibration: SpaceCalibration, relevance: float, part: str) -> None:
    scorer = calibration.scorer(calibration.cohort_text[0], "text")
    cosine = scorer.cosine_for(part, relevance)
    assert scorer.relevance(part, cosine) == pytest.approx(relevance, abs=1e-6)


def test_a_relevance_of_none_lets_all_through_and_of_one_nothing(calibration: SpaceCalibration) -> None:
    scorer = calibration.scorer(calibration.cohort_text[0], "text")
    assert scorer.cosine_for("text", 0.0) < -1.0
    assert scorer.cosine_for("text", 1.0) > 1.0


def test_arrays_and_numbers_score_alike(calibration: SpaceCalibration) -> None:
    scorer = calibration.scorer(calibration.cohort_text[0], "text")
    cosines = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    found = scorer.relevance("text", cosines)
    assert found.shape == (2, 3)
    assert scorer.relevance("text", float(cosines[1, 1])) == pytest.approx(found[1, 1])


# --- centres


def test_centred_rows_are_unit_and_the_mean_itself_is_zero() -> None:
    mean = np.full(4, 0.5, dtype=np.float32)
    rows = np.array([[1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]], dtype=np.float32)
    found = centred(rows, mean)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1).tolist() == pytest.approx([1.0, 0.0])
    assert centred(np.empty((0, 4), dtype=np.float32), mean).shape == (0, 4)


def test_an_encoders_own_centres_stand_in_for_what_the_reference_has_too_little_of() -> None:
    class WithCentres(TwoCones):
        centres = Centres(*(np.full(DIM, value, dtype=np.float32) for value in (0.1, 0.2, 0.3)))

    encoder = WithCentres()
    found = calibrate(encoder, reference(texts=20, images=2, queries=1)).centres
    means = encoder.encode_texts(reference().texts).mean(axis=0)
    np.testing.assert_allclose(found.text, means, atol=1e-6)
    assert found.query is encoder.centres.query
    assert found.image is encoder.centres.image


# --- degenerate references


def test_no_images_leaves_a_scorer_that_still_answers(encoder: TwoCones) -> None:
    calibration = calibrate(encoder, reference(images=0))
    assert calibration.cohort_media.shape == (0, DIM)
    assert set(calibration.logistic) == {("text", "text")}
    scorer = calibration.scorer(query(calibration, encoder, "topic1 5"), "text")
    assert scorer.relevance("media", 0.0) < 0.5 < scorer.relevance("media", 0.9)


@pytest.mark.parametrize("topics", [0, 1])
def test_labels_that_teach_nothing_leave_the_unfitted_curve(encoder: TwoCones, topics: int) -> None:
    calibration = calibrate(encoder, reference(topics=topics, nonsense=0))
    assert calibration.logistic == {}
    scorer = calibration.scorer(np.eye(1, DIM, dtype=np.float32)[0], "text")
    assert scorer.relevance("text", 0.0) < 0.5
    assert scorer.curves["text"].slope == UNFITTED[0]


def test_identical_vectors_give_finite_relevances() -> None:
    class Constant(TwoCones):
        def _vectors(self, kind: str, marks: Sequence[tuple[int, int]]) -> Vectors:
            return np.tile(np.eye(1, DIM, dtype=np.float32), (len(marks), 1))

    calibration = calibrate(Constant(), reference())
    for vector in (calibration.cohort_text[0], np.eye(1, DIM, dtype=np.float32)[0]):
        scorer = calibration.scorer(vector, "text")
        assert np.isfinite(scorer.relevance("text", np.array([-1.0, 0.0, 1.0]))).all()


def test_labels_against_the_scores_still_rise(encoder: TwoCones) -> None:
    posts = reference()
    turned = tuple((text, TOPICS[-1 - TOPICS.index(label)]) for text, label in posts.queries if label)
    calibration = calibrate(encoder, replace(posts, queries=turned, image_queries=turned))
    assert all(slope > 0 for slope, _ in calibration.logistic.values())


def test_a_single_relevant_pair_gives_a_finite_curve(encoder: TwoCones) -> None:
    three = replace(reference(texts=1, images=0, topics=3), text_topics=("a", None, None))
    posts = replace(three, queries=(("topic0 2", "a"),), image_queries=())
    (slope, offset) = calibrate(encoder, posts).logistic["text", "text"]
    assert 0 < slope < 100
    assert np.isfinite(offset)


@pytest.mark.parametrize("field", ["languages", "text_topics", "image_topics", "image_subjects"])
def test_labels_that_do_not_match_their_posts_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        replace(reference(), **{field: ()})
