"""Fits the calibration of a space to reference posts whose labels are known. See ``calibration``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from postscope.indexing.calibration import (
    UNFITTED,
    Logistic,
    Part,
    QueryKind,
    SpaceCalibration,
    centred,
    cohort_statistics,
)
from postscope.indexing.encoders.base import Encoder
from postscope.indexing.types import Centres, Vectors

COHORT = 512
"""Reference vectors kept of each part: they tell a mean to within a twentieth of a deviation."""
ENOUGH_FOR_A_CENTRE = 64
QUIET_PAIRS = 0.99
"""Share of unrelated pairs that must stay below relevance 0.5."""
QUIET_QUERIES = 0.9
"""Share of the queries without an answer of which even the best hit must stay below relevance 0.5."""
SURE = 4.0
"""Logit of the relevance, 0.98, that a part has to itself."""
RIDGE = 1.0
"""Pull of the slope towards 0: nothing against thousands of pairs, and finite where a few are separable."""
MIN_SLOPE = 0.25
"""Below it the labels told nothing of the scores."""
NEWTON_STEPS = 50

Labels = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Reference:
    """Posts to calibrate a space on. Equal labels are relevant to each other; None is relevant to nothing.

    Attributes:
        texts: of posts.
        languages: of the texts.
        text_topics: what each text is about.
        images: in RGB.
        image_topics: what the post of each image is about, in the words of ``text_topics``.
        image_subjects: what each image shows.
        queries: texts that people type to find posts, each with the topic it is after, or None where nothing
            answers it.
        image_queries: texts that people type to find images, each with its subject, or None.
    """

    texts: tuple[str, ...]
    languages: tuple[str, ...]
    text_topics: tuple[str | None, ...]
    images: tuple[Image.Image, ...]
    image_topics: tuple[str | None, ...]
    image_subjects: tuple[str | None, ...]
    queries: tuple[tuple[str, str | None], ...]
    image_queries: tuple[tuple[str, str | None], ...]

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.languages) == len(self.text_topics):
            raise ValueError("texts, languages and text_topics differ in number")
        if not len(self.images) == len(self.image_topics) == len(self.image_subjects):
            raise ValueError("images, image_topics and image_subjects differ in number")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Centred queries (q, dim) and parts (p, dim) with their labels; every query is paired with every part.

    Attributes:
        same: queries and parts are the same vectors, and none is paired with itself; their cosines are taken as
            they are (``calibration.ABSOLUTE``).
    """

    queries: Vectors
    query_labels: Labels
    parts: Vectors
    part_labels: Labels
    same: bool = False


def calibrate(encoder: Encoder, reference: Reference) -> SpaceCalibration:
    """Encode the reference and fit a curve for each pair of query kind and part that it has labels for.

    A centre is the mean of the reference where it has enough of a kind, else the encoder's own (an attribute
    ``centres``) where it has one. Real posts gather elsewhere than the texts an encoder knows: on the bundled
    encoder their means find related posts better than its own do (area under the curve 0.852 against 0.835).
    """
    texts, images = encoder.encode_texts(reference.texts), encoder.encode_images(reference.images)
    for_texts = encoder.encode_queries([text for text, _ in reference.queries])
    for_images = encoder.encode_queries([text for text, _ in reference.image_queries])
    centres = _centres(encoder, texts, np.concatenate([for_texts, for_images]), images)
    texts, images = centred(texts, centres.text), centred(images, centres.image)
    for_texts, for_images = centred(for_texts, centres.query), centred(for_images, centres.query)
    topics, subjects = reference.image_topics, reference.image_subjects
    return fit(
        centres,
        {"text": _cohort(texts), "media": _cohort(images)},
        {
            ("text", "text"): Pairs(for_texts, _labels(reference.queries), texts, reference.text_topics),
            ("text", "media"): Pairs(for_images, _labels(reference.image_queries), images, subjects),
            ("image", "text"): Pairs(images, topics, texts, reference.text_topics),
            ("image", "media"): Pairs(images, subjects, images, subjects, same=True),
        },
    )


def fit(
    centres: Centres, cohorts: Mapping[Part, Vectors], pairs: Mapping[tuple[QueryKind, Part], Pairs]
) -> SpaceCalibration:
    """The same from centred vectors. Pairs that have no relevant or no unrelated ones stay unfitted."""
    logistic = {}
    for (kind, part), group in pairs.items():
        if (curve := _fit_curve(group, cohorts[part], typed=kind == "text")) is not None:
            logistic[kind, part] = curve
    return SpaceCalibration(centres, cohorts["text"], cohorts["media"], logistic)


def _centres(encoder: Encoder, texts: Vectors, queries: Vectors, images: Vectors) -> Centres:
    own: Centres | None = getattr(encoder, "centres", None)
    return Centres(
        _centre(texts, own.text if own else None),
        _centre(queries, own.query if own else None),
        _centre(images, own.image if own else None),
    )


def _centre(vectors: Vectors, own: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32]:
    """Shape (dim,); zero where there is neither a vector nor a centre of the encoder's own."""
    if own is not None and len(vectors) < ENOUGH_FOR_A_CENTRE:
        return own
    total: npt.NDArray[np.float32] = vectors.sum(axis=0)
    return total / np.float32(max(1, len(vectors)))


def _cohort(vectors: Vectors) -> Vectors:
    """At most ``COHORT`` rows, spread evenly over the reference."""
    if len(vectors) <= COHORT:
        return vectors
    spread: Vectors = vectors[np.linspace(0, len(vectors) - 1, COHORT).astype(int)]
    return spread


def _labels(queries: Sequence[tuple[str, str | None]]) -> Labels:
    return [label for _, label in queries]


def _same(queries: Labels, parts: Labels) -> npt.NDArray[np.bool_]:
    """Shape (q, p): the labels are equal and say something."""
    found = np.zeros((len(queries), len(parts)), dtype=np.bool_)
    columns = np.array(parts, dtype=object)
    for row, label in enumerate(queries):
        if label is not None:
            found[row] = columns == label
    return found


def _fit_curve(pairs: Pairs, cohort: Vectors, *, typed: bool) -> Logistic | None:
    """Logistic regression on standardised cosines, then moved until what is unrelated stays below 0.5.

    Only of ``typed`` queries is it known that one without a label has no answer at all.
    """
    relevant = _same(pairs.query_labels, pairs.part_labels)
    paired = ~np.eye(*relevant.shape, dtype=np.bool_) if pairs.same else np.ones_like(relevant)
    if not (relevant & paired).any() or (relevant | ~paired).all():
        return None
    means, sigmas = cohort_statistics(pairs.queries, cohort)
    if pairs.same:
        means, sigmas = np.zeros_like(means), np.ones_like(sigmas)
    z = ((pairs.queries @ pairs.parts.T) - means[:, np.newaxis]) / sigmas[:, np.newaxis]
    slope, offset = _logistic_regression(z[paired], relevant[paired])
    if slope < MIN_SLOPE:
        slope, offset = UNFITTED[0], 0.0
    quiet = float(np.quantile(z[paired & ~relevant], QUIET_PAIRS))
    unanswerable = z[[label is None for label in pairs.query_labels]]
    if typed and len(unanswerable):
        quiet = max(quiet, float(np.quantile(unanswerable.max(axis=1), QUIET_QUERIES)))
    offset = min(offset, -slope * quiet)
    if pairs.same:
        return _sure_of_itself(slope, offset, quiet)
    return slope, offset


def _sure_of_itself(slope: float, offset: float, quiet: float) -> Logistic:
    """Steepened until a cosine of 1 reaches ``SURE``, with 0.5 where what is unrelated ends.

    Pictures of one subject need not look alike, so their labels alone make a curve on which a picture is hardly
    relevant to itself.
    """
    if quiet >= 1.0:
        return slope, offset
    steep = max(slope, SURE / (1.0 - quiet))
    return steep, -steep * quiet


def _logistic_regression(z: npt.NDArray[np.float64], relevant: npt.NDArray[np.bool_]) -> Logistic:
    """Slope and offset by Newton's method, the pairs as frequent as they are, with a ridge on the slope."""
    design = np.stack([z, np.ones_like(z)], axis=1)
    ridge = np.array([RIDGE, 0.0])

    def loss(weights: npt.NDArray[np.float64]) -> float:
        logits = design @ weights
        return float(np.logaddexp(0.0, logits).sum() - logits[relevant].sum() + 0.5 * ridge @ weights**2)

    rate = relevant.mean()
    weights = np.array([0.0, np.log(rate / (1.0 - rate))])
    for _ in range(NEWTON_STEPS):
        guess = 0.5 * (1.0 + np.tanh(0.5 * (design @ weights)))
        gradient = design.T @ (guess - relevant) + ridge * weights
        curvature = (design.T * (guess * (1.0 - guess))) @ design + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step /= 2.0
        weights = weights - step
        if np.abs(step).max() < 1e-7:
            break
    return float(weights[0]), float(weights[1])
