"""Cosines to relevances that a person can read, comparable between text parts and image parts.

A raw cosine means nothing alone: texts and images sit in cones of their own (the modality gap, Liang et al.
2022, arXiv:2203.02053), and one query is near everything where another is near nothing. Three steps:

1. Vectors are **centred**: the mean of their kind is subtracted and the rest brought back to unit length. The
   pipeline does it before it stores a vector, search before it asks; a store compares centred vectors.
2. A cosine becomes the number of standard deviations that it stands above what this query gives to a fixed
   cohort of reference vectors of the same part (cohort normalisation, as for speakers: Auckenthaler, Carey
   and Lloyd-Thomas 2000, "Score normalization for text-independent speaker verification systems").
3. A logistic curve, fitted once a space for each pair of query kind and part, makes it a relevance in [0, 1].

``calibration_fit.calibrate`` makes one from reference posts; here it is used, saved and loaded.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from postscope.indexing.types import Centres, Vector, Vectors

FORMAT = 2
"""Version of the file that ``SpaceCalibration.save`` writes."""

QueryKind = Literal["text", "image"]
Part = Literal["text", "media"]
Logistic = tuple[float, float]
"""Slope (> 0) and offset: relevance = sigmoid(slope * z + offset)."""

KINDS: tuple[QueryKind, ...] = ("text", "image")
PARTS: tuple[Part, ...] = ("text", "media")
UNFITTED: Logistic = (1.0, -5.0)
"""Where no labelled pairs could tell: relevance 0.5 at 5 deviations of the unrelated, about where it
lies for the bundled encoder."""

ABSOLUTE: frozenset[tuple[QueryKind, Part]] = frozenset({("image", "media")})
"""Pairs made by one tower, whose cosine means the same for every query: 1 is the same picture. A cohort would only
blur it: a picture among many like it would come out as hardly relevant to itself."""

ALIKE_TEXTS: Logistic = (15.7, -9.73)
"""Of two texts, by their centred cosine alone: 0.5 at 0.62, 0.9 at 0.76, 0.99 at 0.91. At 0.9 one pair of 5,000 to
20,000 unrelated tweets or questions comes out as alike (``bundled``; of ``bundled-en`` one of 1,500 to 10,000). A text
as a query is another matter: judged as one, a short text is relevant to every other short text."""

ANSWERS = 0.1
"""Share of a cohort that may answer a query."""
MIN_SIGMA = 1e-3
MIN_COHORT = 2
ANY_COSINE, NO_COSINE = -2.0, 2.0
"""Thresholds that every cosine passes, and none."""


class CalibrationError(Exception):
    """A calibration file is missing, damaged or of another version; the message names file and reason."""


def centred(vectors: Vectors, mean: npt.NDArray[np.float32]) -> Vectors:
    """Subtract ``mean`` (dim,) from rows (n, dim) and bring them back to unit length.

    A row that is the mean itself has no direction left and stays zero: it is alike to nothing.
    """
    moved = vectors - mean
    lengths = np.linalg.norm(moved, axis=-1, keepdims=True)
    units: Vectors = np.divide(moved, lengths, out=np.zeros_like(moved), where=lengths > 1e-9)
    return units


@dataclass(frozen=True, slots=True)
class Curve:
    """From the cosines of one query with one part to relevances.

    Attributes:
        mean: of the query's cosines with what is unrelated to it in the cohort.
        sigma: their deviation, > 0.
        slope: of the logistic curve, > 0.
        offset: of the logistic curve.
    """

    mean: float
    sigma: float
    slope: float
    offset: float

    def relevance(self, cosine: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Relevances in [0, 1], rising with the cosine."""
        logit = self.slope * (cosine.astype(np.float64) - self.mean) / self.sigma + self.offset
        # sigmoid(x) by way of tanh, which overflows nowhere.
        return 0.5 * (1.0 + np.tanh(0.5 * logit))

    def cosine_for(self, relevance: float) -> float:
        """The cosine that has this relevance; ``ANY_COSINE`` for 0 and less, ``NO_COSINE`` for 1 and more."""
        if not 0.0 < relevance < 1.0:
            return ANY_COSINE if relevance <= 0.0 else NO_COSINE
        logit = math.log(relevance) - math.log1p(-relevance)
        cosine = self.mean + self.sigma * (logit - self.offset) / self.slope
        return min(max(cosine, ANY_COSINE), NO_COSINE)


@dataclass(frozen=True, slots=True)
class Scorer:
    """The curves of one query: made once, used on every hit. See ``SpaceCalibration.scorer``."""

    curves: Mapping[Part, Curve]

    @overload
    def relevance(self, part: Part, cosine: float) -> float: ...
    @overload
    def relevance(self, part: Part, cosine: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]: ...
    def relevance(self, part: Part, cosine: float | npt.NDArray[np.floating]) -> float | npt.NDArray[np.float64]:
        """Relevance in [0, 1] of a cosine of centred vectors, or of an array of them; rising with it."""
        found = self.curves[part].relevance(np.asarray(cosine))
        return found if isinstance(cosine, np.ndarray) else float(found)

    def cosine_for(self, part: Part, relevance: float) -> float:
        """The cosine at which ``part`` reaches ``relevance``, to hand to a store as its ``min_score``.

        It may lie above 1: then no hit of this part can be that relevant.
        """
        return self.curves[part].cosine_for(relevance)


@dataclass(frozen=True, slots=True, eq=False)
class SpaceCalibration:
    """What turns the cosines of one space into relevances.

    Attributes:
        centres: what to subtract from text, query and image vectors.
        cohort_text: centred reference text vectors, shape (n, dim).
        cohort_media: centred reference image vectors, shape (m, dim); m may be 0.
        logistic: a curve for each (query kind, part) that was fitted; ``UNFITTED`` stands in for the others.
    """

    centres: Centres
    cohort_text: Vectors
    cohort_media: Vectors
    logistic: Mapping[tuple[QueryKind, Part], Logistic]

    def centre_texts(self, vectors: Vectors) -> Vectors:
        """Document vectors (n, dim), as ``Encoder.encode_texts`` gives them, ready to store."""
        return centred(vectors, self.centres.text)

    def centre_queries(self, vectors: Vectors) -> Vectors:
        """Query vectors (n, dim), as ``Encoder.encode_queries`` gives them, ready to search with."""
        return centred(vectors, self.centres.query)

    def centre_images(self, vectors: Vectors) -> Vectors:
        """Image vectors (n, dim), ready to store and to search with."""
        return centred(vectors, self.centres.image)

    def scorer(self, query: Vector, query_kind: QueryKind) -> Scorer:
        """The scorer of one centred query vector (dim,), made by a text or by an image."""
        return Scorer({part: self.curves(query[np.newaxis], query_kind, part)[0] for part in PARTS})

    def curves(self, queries: Vectors, query_kind: QueryKind, part: Part) -> list[Curve]:
        """Of each centred query vector (n, dim) the curve for a part; many at once cost little more than one."""
        slope, offset = self.logistic.get((query_kind, part), UNFITTED)
        if (query_kind, part) in ABSOLUTE and (query_kind, part) in self.logistic:
            return [Curve(0.0, 1.0, slope, offset)] * len(queries)
        means, sigmas = cohort_statistics(queries, self.cohort_text if part == "text" else self.cohort_media)
        return [Curve(mean, sigma, slope, offset) for mean, sigma in zip(means.tolist(), sigmas.tolist(), strict=True)]

    def likeness(self, vectors: Vectors, part: Part) -> list[Curve]:
        """Of each centred vector (n, dim) of a part the curve of how alike other content of that part is to it."""
        if part == "text":
            return [Curve(0.0, 1.0, *ALIKE_TEXTS)] * len(vectors)
        return self.curves(vectors, "image", "media")

    def save(self, path: Path) -> None:
        """Write an ``.npz`` without pickles; a reader meets the old file or the new one, never half."""
        pairs = sorted(self.logistic)
        curves = np.array([self.logistic[pair] for pair in pairs], dtype=np.float64)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file,
                    format=np.int64(FORMAT),
                    centres=np.stack([self.centres.text, self.centres.query, self.centres.image]),
                    cohort_text=self.cohort_text,
                    cohort_media=self.cohort_media,
                    pairs=np.array(pairs, dtype="U8").reshape(-1, 2),
                    logistic=curves.reshape(-1, 2),
                )
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> SpaceCalibration:
        """Read what ``save`` wrote.

        Raises:
            CalibrationError: the file is missing, damaged or of another version.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                if (version := int(arrays["format"])) != FORMAT:
                    raise CalibrationError(f"{path}: format {version}, this version reads {FORMAT}")
                found = cls._from_arrays({name: arrays[name] for name in arrays.files})
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise CalibrationError(f"{path}: not a readable calibration ({error})") from error
        return found

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> SpaceCalibration:
        """Raises ``ValueError`` on shapes and numbers that ``save`` cannot have written."""
        text, query, image = arrays["centres"].astype(np.float32)
        cohorts = [arrays[name].astype(np.float32) for name in ("cohort_text", "cohort_media")]
        lines = arrays["logistic"].astype(np.float64)
        if any(cohort.shape[1:] != text.shape for cohort in cohorts):
            raise ValueError("its cohorts and centres differ in dimension")
        if not all(np.isfinite(values).all() for values in (text, query, image, *cohorts, lines)):
            raise ValueError("a number is not finite")
        if (lines[:, 0] <= 0).any():
            raise ValueError("a slope is not positive")
        known: dict[tuple[str, str], tuple[QueryKind, Part]] = {(k, p): (k, p) for k in KINDS for p in PARTS}
        pairs = [known[str(kind), str(part)] for kind, part in arrays["pairs"]]
        logistic = {pair: (float(a), float(b)) for pair, (a, b) in zip(pairs, lines, strict=True)}
        return cls(Centres(text, query, image), cohorts[0], cohorts[1], logistic)


def cohort_statistics(queries: Vectors, cohort: Vectors) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and deviation, each (q,), of each query's cosines with what is unrelated to it in the cohort.

    The highest tenth is left out: it holds what the cohort has of answers to the query, which would widen the
    deviation and so judge a query with answers by another measure than one without.

    A cohort too small to have a deviation gives those of random directions: 0 and 1/sqrt(dim).
    """
    count, kept = len(queries), len(cohort) - int(len(cohort) * ANSWERS)
    if len(cohort) < MIN_COHORT:
        return np.zeros(count), np.full(count, max(MIN_SIGMA, queries.shape[1] ** -0.5))
    unrelated = np.partition((queries @ cohort.T).astype(np.float64), kept - 1, axis=1)[:, :kept]
    return unrelated.mean(axis=1), np.maximum(unrelated.std(axis=1), MIN_SIGMA)
