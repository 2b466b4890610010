"""Labels that nobody trained: what a label says is put into the space, and posts are compared with it.

1. A label's **direction** is the mean of its prompts, encoded as queries (an ensemble, Radford et al. 2021,
   arXiv:2103.00020), moved towards its positive examples and away from its negative ones (Rocchio 1971).
2. Its cosine with a part of a post becomes a **logit** by the scale of that part: deviations above what the direction
   gives to the part's cohort, through the part's curve (``LABEL_CURVES``, ``calibration``). So texts and images
   compare, and 0 is where a reference post that has nothing to do with it stands. All of it is one linear map a part,
   so that a million posts are one matrix product.
3. A post's logit is its best image's and its text's, put together so that more parts are no better chance.
4. A softmax against the **background** makes probabilities: against the cohort alone, whose logit is 0, and against
   prompts of what is none of the labels, where there are some.

Logits are float32 of shape (n, labels); a post without any part has none, and no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from postscope.indexing.calibration import PARTS, UNFITTED, Logistic, Part, SpaceCalibration, cohort_statistics
from postscope.indexing.types import Vector, Vectors

PROMPTS_WEIGH = 4.0
"""As many examples as the prompts together count for."""
OTHER_KIND_WEIGHS = 0.5
"""What an example of the other modality counts for: it says what the label means, not how it looks or reads here."""
NEGATIVES_WEIGH = 0.5

LABEL_CURVES: Mapping[Part, Logistic] = {"text": (0.92, -4.23)}
"""What a label's deviations in a part become, as ``SpaceCalibration.logistic``; of other parts the space's own curve.
Those of a space are fitted to searches and what answers them, which is nearer than a post is to what it is about. Half
at 4.6 deviations, in every space: chosen on parts of five sets of texts by two encoders
(``tests.benchmarks.bench_label_curves``). Classes of pictures, of which there are 300, do best with the search's."""

Floats = npt.NDArray[np.float32]
Kind = str
"""Which parts a post has: ``text``, ``media``, ``mixed`` or ``nothing``."""
KINDS: tuple[Kind, ...] = ("text", "media", "mixed")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Centred vectors of what a label is, or is not, said of: texts (n, dim) and images (m, dim)."""

    text: Vectors
    media: Vectors

    @classmethod
    def none(cls, dim: int) -> Examples:
        """No examples."""
        return cls(np.zeros((0, dim), np.float32), np.zeros((0, dim), np.float32))


def direction(prompts: Vectors, positive: Examples, negative: Examples, part: Part) -> Vector:
    """The direction (dim,) that a label has for one part; zero where nothing says anything.

    Args:
        prompts: centred query vectors (p, dim).
        positive: examples of it.
        negative: examples of what it is not.
        part: texts or images are to be compared with it.
    """
    total = _unit(prompts.mean(axis=0)) * PROMPTS_WEIGH if len(prompts) else np.zeros(prompts.shape[1], np.float32)
    for kind in PARTS:
        weight = 1.0 if kind == part else OTHER_KIND_WEIGHS
        total = total + weight * _of(positive, kind).sum(axis=0)
        against = _of(negative, kind)
        if len(against):
            total = total - NEGATIVES_WEIGH * weight * PROMPTS_WEIGH * _unit(against.mean(axis=0))
    return _unit(total)


def _of(examples: Examples, kind: Part) -> Vectors:
    return examples.text if kind == "text" else examples.media


def _unit(vector: npt.NDArray[np.float32]) -> Vector:
    length = float(np.linalg.norm(vector))
    found: Vector = (vector / length if length > 1e-9 else np.zeros_like(vector)).astype(np.float32)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """From centred vectors of one part to logits: ``x @ weights.T + bias``; weights (labels, dim), bias (labels,)."""

    weights: Floats
    bias: Floats

    @classmethod
    def of(
        cls, directions: Vectors, part: Part, calibration: SpaceCalibration, curve: Logistic | None = None
    ) -> LinearMap:
        """The scale of a part, folded into the directions (labels, dim). One that is zero never says anything.

        ``curve``: slope and offset over deviations; by default the space's for searches by text.
        """
        cohort = calibration.cohort_text if part == "text" else calibration.cohort_media
        slope, offset = curve or calibration.logistic.get(("text", part), UNFITTED)
        means, sigmas = cohort_statistics(directions, cohort)
        scale = slope / sigmas
        bias = np.where(np.any(directions != 0, axis=1), offset - means * scale, -30.0)
        return cls((directions * scale[:, np.newaxis]).astype(np.float32), bias.astype(np.float32))

    def logits(self, rows: Vectors, out: Floats | None = None) -> Floats:
        """Shape (n, labels)."""
        found: Floats = np.matmul(rows, self.weights.T, out=out)
        found += self.bias
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LabelSpace:
    """The labels of one taxonomy in one space.

    Attributes:
        parts: the map of each part; its columns are the labels in their order.
        background: the same of what is none of them; may have no columns.
    """

    parts: Mapping[Part, LinearMap]
    background: Mapping[Part, LinearMap]

    @classmethod
    def of(
        cls,
        directions: Mapping[Part, Vectors],
        background: Mapping[Part, Vectors],
        calibration: SpaceCalibration,
        curves: Mapping[Part, Logistic] | None = None,
    ) -> LabelSpace:
        """Directions (labels, dim) and background (b, dim) on the scales of a space, by ``curves`` where they say."""
        own = curves or {}
        return cls(
            {part: LinearMap.of(rows, part, calibration, own.get(part)) for part, rows in directions.items()},
            {part: LinearMap.of(rows, part, calibration, own.get(part)) for part, rows in background.items()},
        )

    @property
    def count(self) -> int:
        """How many labels there are."""
        return len(self.parts["text"].bias)


@dataclass(frozen=True, slots=True, eq=False)
class PostBatch:
    """The parts of posts, stacked.

    Attributes:
        count: how many posts it is.
        texts: shape (t, dim); ``text_of`` (t,) says whose, rising.
        media: shape (m, dim), the images of a post side by side; ``media_of`` (m,) says whose, rising.
    """

    count: int
    texts: Vectors
    text_of: npt.NDArray[np.intp]
    media: Vectors
    media_of: npt.NDArray[np.intp]

    @classmethod
    def of(cls, texts: Sequence[Vector | None], media: Sequence[Vectors | None], dim: int) -> PostBatch:
        """Of posts with a text vector (dim,), images (n, dim), both or neither."""
        with_text = [n for n, vector in enumerate(texts) if vector is not None]
        with_media = [n for n, rows in enumerate(media) if rows is not None and len(rows)]
        stacked = [rows for rows in media if rows is not None and len(rows)]
        return cls(
            len(texts),
            np.stack([vector for vector in texts if vector is not None]) if with_text else _no_rows(dim),
            np.array(with_text, np.intp),
            np.concatenate(stacked) if stacked else _no_rows(dim),
            np.repeat(np.array(with_media, np.intp), [len(rows) for rows in stacked]),
        )

    def kinds(self) -> npt.NDArray[np.str_]:
        """Of each post, which parts it has, as ``Kind``."""
        text, media = np.zeros(self.count, bool), np.zeros(self.count, bool)
        text[self.text_of], media[self.media_of] = True, True
        return np.where(text & media, "mixed", np.where(text, "text", np.where(media, "media", "nothing")))


def _no_rows(dim: int) -> Vectors:
    return np.zeros((0, dim), np.float32)


def post_logits(maps: Mapping[Part, LinearMap], posts: PostBatch) -> Floats:
    """Shape (n, columns); -inf for posts without any part.

    The best of n images of nothing lies higher than one alone, by about half of log n over this scale (of normal
    deviates at the rate where labels are given); the better of text and images lies higher by half of log 2.
    """
    columns = len(maps["text"].bias)
    found = np.full((posts.count, columns), -np.inf, np.float32)
    if len(posts.texts) == posts.count and not len(posts.media):
        return maps["text"].logits(posts.texts)
    if len(posts.texts):
        found[posts.text_of] = maps["text"].logits(posts.texts)
    if not len(posts.media):
        return found
    owners, starts, counts = np.unique(posts.media_of, return_index=True, return_counts=True)
    best = np.maximum.reduceat(maps["media"].logits(posts.media), starts, axis=0)
    best -= (0.5 * np.log(counts)).astype(np.float32)[:, np.newaxis]
    both = np.isin(owners, posts.text_of)
    found[owners[~both]] = best[~both]
    mixed = np.logaddexp(found[owners[both]], best[both])
    found[owners[both]] = mixed - np.float32(0.5 * np.log(2.0))
    return found


@dataclass(frozen=True, slots=True)
class Temper:
    """What makes logits honest: ``scale * logit + shift`` (Platt 1999), for each kind of post. Scales are > 0."""

    scale: Mapping[Kind, float] = field(default_factory=dict)
    shift: Mapping[Kind, float] = field(default_factory=dict)

    def apply(self, logits: Floats, kinds: npt.NDArray[np.str_]) -> Floats:
        """Tempered logits, shape as given; what was not fitted stays as it is."""
        if not self.scale:
            return logits
        scale = np.ones(len(logits), np.float32)
        shift = np.zeros(len(logits), np.float32)
        for kind, factor in self.scale.items():
            scale[kinds == kind], shift[kinds == kind] = factor, self.shift.get(kind, 0.0)
        found: Floats = logits * scale[:, np.newaxis] + shift[:, np.newaxis]
        return found


def background_logits(space: LabelSpace, posts: PostBatch) -> Floats:
    """Shape (n,): of "none of these", 0 where there are no prompts of it."""
    if not len(space.background["text"].bias):
        return np.zeros(posts.count, np.float32)
    prompts = post_logits(space.background, posts)
    found: Floats = np.logaddexp(np.float32(0.0), np.logaddexp.reduce(prompts, axis=1)).astype(np.float32)
    return found


def probabilities(logits: Floats, background: Floats, *, exclusive: bool, open: bool = True) -> Floats:
    """Shape (n, labels), in [0, 1].

    Args:
        logits: tempered, (n, labels); a row of -inf gives zeros.
        background: (n,).
        exclusive: one label at most: labels compete with each other; otherwise each with the background alone.
        open: "none of these" is an answer; a set that is closed and exclusive sums to 1.
    """
    if not exclusive:
        return sigmoid(logits - background[:, np.newaxis])
    nothing = np.isneginf(logits).all(axis=1)
    top = logits.max(axis=1, initial=-np.inf)
    if open:
        top = np.maximum(top, background)
    top = np.where(np.isneginf(top), 0.0, top).astype(np.float32)
    weights = np.exp(logits - top[:, np.newaxis])
    total = weights.sum(axis=1)
    if open:
        total = total + np.exp(background - top)
    total = np.where(nothing, 1.0, total)
    found: Floats = (weights / total[:, np.newaxis]).astype(np.float32)
    return found


def sigmoid(logits: Floats) -> Floats:
    """By way of tanh, which overflows nowhere."""
    found: Floats = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)
    return found
