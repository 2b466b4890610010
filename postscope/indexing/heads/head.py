"""A trained head: what it says of posts, and how it is kept without pickles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np

from postscope.indexing.heads.estimators import FittedPart, Recipe, Task, fit_part, scores
from postscope.indexing.heads.features import Floats, PostFeatures
from postscope.indexing.heads.inputs import InputMaker
from postscope.indexing.heads.metadata import MetadataEncoder
from postscope.indexing.heads.named import LabelNames

FORMAT = 1
_SPARSE = frozenset({"scipy.sparse._csr.csr_matrix"})
"""What models of words weigh them by: plain arrays, which skops reads without pickles but does not name as known."""


class HeadUnreadable(ValueError):
    """The bytes are no head, or hold types that a head does not have."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From scores to probabilities, fitted on predictions that training had not seen.

    Attributes:
        slopes: of tags, one a label (Platt 1999); of classes one, the inverse temperature (Guo et al. 2017,
            arXiv:1706.04599).
        offsets: of tags, one a label.
        low: of a number, what to add for the lower end of the interval; ``high``: for the upper end. They are
            quantiles of held-out residuals (split conformal prediction, Vovk, Gammerman and Shafer 2005).
        high: see ``low``.
    """

    slopes: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHead:
    """A model of one task.

    Attributes:
        task: what it says.
        labels: names of tags or classes, in the order of the columns; one empty name for a number.
        thresholds: of tags, the probability from which on a post has the label.
        recipe: how it was made.
        parts: the fitted models: one, or one a part where the fusion is ``late``.
        calibration: of its probabilities or its interval.
        space: id of the space whose vectors it reads.
    """

    task: Task
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    recipe: Recipe
    parts: tuple[FittedPart, ...]
    calibration: Calibration
    space: str

    def predict(self, posts: PostFeatures) -> Floats:
        """Of tags and classes probabilities, shape (n, labels); of a number shape (n, 3): it, and its interval."""
        raw = raw_scores(self.parts, posts, self.task, len(self.labels))
        return calibrated(raw, self.task, self.calibration)

    def dumps(self) -> bytes:
        """Bytes that ``loads`` reads, by skops: plain data and known types of scikit-learn, nothing that runs."""
        import skops.io

        header = {
            "format": FORMAT,
            "task": self.task,
            "labels": list(self.labels),
            "thresholds": list(self.thresholds),
            "recipe": [getattr(self.recipe, name) for name in Recipe.__slots__],
            "calibration": [
                list(self.calibration.slopes), list(self.calibration.offsets), self.calibration.low,
                self.calibration.high,
            ],
            "space": self.space,
            "parts": [[part.maker.fusion, part.maker.part, part.maker.metadata.to_json()] for part in self.parts],
        }  # fmt: skip
        body = [
            {"model": part.model, "components": part.components, "centre": part.centre, "idf": part.maker.idf}
            for part in self.parts
        ]
        whole = {"header": json.dumps(header), "parts": body}
        return bytes(skops.io.dumps(whole, compression=ZIP_DEFLATED))

    @classmethod
    def loads(cls, data: bytes) -> TrainedHead:
        """Read what ``dumps`` wrote.

        Raises:
            HeadUnreadable: it is something else, or of another version.
        """
        import skops.io

        try:
            unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - _SPARSE)
            found: Any = None if unknown else skops.io.loads(data, trusted=sorted(_SPARSE))
        except Exception as error:  # whatever a foreign file makes of zip, JSON or the library
            raise HeadUnreadable(f"no readable head: {error}") from error
        if unknown:
            raise HeadUnreadable(f"it holds types that no head has: {', '.join(unknown)}")
        try:
            return _read(json.loads(found["header"]), found["parts"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HeadUnreadable(f"no readable head: {error}") from error


def fit_parts(
    posts: PostFeatures, targets: Floats, task: Task, recipe: Recipe, seed: int, names: LabelNames | None = None
) -> tuple[FittedPart, ...]:
    """Fit what the recipe says; a part that no training post has gets no model.

    Args:
        posts: n training posts.
        targets: as ``fit_part`` takes them.
        task: what is learned.
        recipe: how; where it is ``named``, with the names as examples.
        seed: of whatever is random.
        names: of the labels.
    """
    # Columns are those of posts alone: names have no metadata, and their words are no measure of how rare words are.
    known = posts
    if recipe.named and names is not None:
        posts, targets = names.added_to(posts, targets, task)
    if recipe.fusion != "late":
        return (fit_part(posts, targets, task, recipe, InputMaker.fit(known, recipe.fusion), seed),)
    fitted = []
    for part, there in (("text", posts.has_text), ("media", posts.has_media)):
        rows = np.flatnonzero(there)
        if len(rows) and _learnable(targets[rows], task):
            some = posts.take(rows)
            maker = InputMaker.fit(known, "late", "text" if part == "text" else "media")
            fitted.append(fit_part(some, targets[rows], task, recipe, maker, seed))
    return tuple(fitted)


def raw_scores(parts: tuple[FittedPart, ...], posts: PostFeatures, task: Task, width: int) -> Floats:
    """Shape (n, width): of one model, or the mean vote of those whose part a post has (of all, where it has none)."""
    votes = np.stack([scores(part, posts, task, width) for part in parts])
    if len(parts) == 1:
        return np.asarray(votes[0])
    there = np.stack([posts.has_text if part.maker.part == "text" else posts.has_media for part in parts])
    there = np.where(there.any(axis=0), there, True)[..., np.newaxis]
    return np.asarray((votes * there).sum(axis=0) / there.sum(axis=0))


def calibrated(raw: Floats, task: Task, calibration: Calibration) -> Floats:
    """Scores to probabilities, or to a number with its interval."""
    if task == "number":
        return np.hstack([raw, raw + calibration.low, raw + calibration.high])
    slopes = np.array(calibration.slopes or (1.0,))
    if task == "tags":
        return np.asarray(1.0 / (1.0 + np.exp(-(slopes * raw + np.array(calibration.offsets or (0.0,))))))
    tempered = raw * slopes[0]
    exponents = np.exp(tempered - tempered.max(axis=1, keepdims=True)) if len(raw) else tempered
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True)) if len(raw) else exponents


def _learnable(targets: Floats, task: Task) -> bool:
    if task == "classes":
        return len(np.unique(targets)) > 1
    if task == "tags":
        return bool((targets.any(axis=0) & ~targets.all(axis=0)).all())
    return len(targets) > 1


def _read(header: dict[str, Any], bodies: list[dict[str, Any]]) -> TrainedHead:
    if header.get("format") != FORMAT:
        raise HeadUnreadable(f"format {header.get('format')}, this version reads {FORMAT}")
    parts = tuple(
        FittedPart(
            InputMaker(fusion, part, MetadataEncoder.from_json(metadata), body["idf"]),
            body["model"],
            body["components"],
            body["centre"],
        )
        for (fusion, part, metadata), body in zip(header["parts"], bodies, strict=True)
    )
    slopes, offsets, low, high = header["calibration"]
    return TrainedHead(
        header["task"],
        tuple(header["labels"]),
        tuple(header["thresholds"]),
        Recipe(*header["recipe"]),  # of older heads it is shorter
        parts,
        Calibration(tuple(slopes), tuple(offsets), low, high),
        header["space"],
    )
