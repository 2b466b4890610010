"""What the labels of a version are in a space: made once, kept in the database, and in the memory of a process."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy.dialects.postgresql import insert

from postscope.backend.blobs import BlobError
from postscope.backend.errors import Conflict, NotFound
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import TaxonomyExample, TaxonomyLabel, TaxonomyVectors, TaxonomyVersion, Upload
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.definitions import default_prompts
from postscope.indexing.calibration import PARTS, Part
from postscope.indexing.media.errors import MediaError
from postscope.indexing.normalise import normalise
from postscope.indexing.pipeline import IMAGE_TARGET
from postscope.indexing.types import Vectors
from postscope.indexing.zero_shot import Examples, direction

SLICE = 32
"""Prompts encoded between two looks at whether a search is waiting."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Of the labels, (labels, dim) for each part, and of the background, (b, dim)."""

    labels: Mapping[Part, Vectors]
    background: Vectors

    def save(self) -> bytes:
        """As ``.npz`` without pickles."""
        out = io.BytesIO()
        np.savez(out, text=self.labels["text"], media=self.labels["media"], background=self.background)
        return out.getvalue()

    @classmethod
    def load(cls, data: bytes) -> Directions:
        """What ``save`` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls({part: arrays[part].astype(np.float32) for part in PARTS}, arrays["background"])


@dataclass(frozen=True, slots=True)
class Spoken:
    """A label as it is put into the space: its prompts, and the vectors of its examples."""

    prompts: tuple[str, ...]
    positive: Examples
    negative: Examples


def directions_of(runtime: Runtime, model: SpaceModel, version_id: int, progress: Progress | None = None) -> Directions:
    """From the database, or made now.

    Raises:
        NotFound: the version was deleted.
        Conflict: ``example_not_ready``: an example cannot be read, or its post is not indexed (yet).
    """
    space = model.encoder.space.id
    with runtime.database.session() as session:
        kept = session.get(TaxonomyVectors, (version_id, space))
        if kept is not None:
            return Directions.load(kept.arrays)
        version = session.get(TaxonomyVersion, version_id)
        if version is None:
            raise NotFound("the version was deleted")
        labels = taxonomies.labels_of(session, version_id)
        examples = taxonomies.examples_of(session, version_id)
    spoken = _spoken(runtime, model, labels, examples)
    made = make(runtime, model, spoken, version.background, progress)
    row = {"version_id": version_id, "space_id": space, "arrays": made.save(), "created_at": runtime.clock()}
    with runtime.database.session() as session:
        session.execute(insert(TaxonomyVectors).values(**row).on_conflict_do_nothing())
    return made


def make(
    runtime: Runtime,
    model: SpaceModel,
    labels: Sequence[Spoken],
    background: Sequence[str],
    progress: Progress | None = None,
) -> Directions:
    """Encode every prompt once, whatever number of labels has it."""
    words = [*dict.fromkeys(normalise(prompt) for label in labels for prompt in label.prompts)]
    words += [normalise(prompt) for prompt in background]
    vectors = encode_prompts(runtime, model, words, progress)
    place = {prompt: n for n, prompt in enumerate(words)}
    dim = model.encoder.space.dim
    found: dict[Part, Vectors] = {part: np.zeros((len(labels), dim), np.float32) for part in PARTS}
    for n, label in enumerate(labels):
        prompts = vectors[[place[normalise(prompt)] for prompt in label.prompts]]
        for part in PARTS:
            found[part][n] = direction(prompts, label.positive, label.negative, part)
    return Directions(found, vectors[len(words) - len(background) :])


def encode_prompts(
    runtime: Runtime, model: SpaceModel, words: Sequence[str], progress: Progress | None = None
) -> Vectors:
    """Centred query vectors (n, dim); searches that come meanwhile go first."""
    parts = [np.zeros((0, model.encoder.space.dim), np.float32)]
    for start in range(0, len(words), SLICE):
        runtime.gate.pause_for_queries()
        chosen = words[start : start + SLICE]
        parts.append(model.calibration.centre_queries(model.encoder.encode_queries(chosen)))
        if progress is not None:
            progress(start + len(chosen), len(words))
    return np.concatenate(parts)


def _spoken(
    runtime: Runtime,
    model: SpaceModel,
    labels: Sequence[TaxonomyLabel],
    examples: Mapping[int, Sequence[TaxonomyExample]],
) -> list[Spoken]:
    found = []
    for label in labels:
        given = examples.get(label.id, ())
        sides = [
            example_vectors(
                runtime,
                model,
                label.path,
                texts=[row.text for row in given if row.positive == side and row.text is not None],
                posts=[row.post_id for row in given if row.positive == side and row.post_id is not None],
                uploads=[row.upload_id for row in given if row.positive == side and row.upload_id is not None],
            )
            for side in (True, False)
        ]
        prompts = label.prompts or default_prompts(label.path, label.description)
        found.append(Spoken(tuple(prompts), sides[0], sides[1]))
    return found


def example_vectors(
    runtime: Runtime,
    model: SpaceModel,
    label: str,
    *,
    texts: Sequence[str],
    posts: Sequence[UUID],
    uploads: Sequence[UUID],
) -> Examples:
    """The vectors of one side of a label's examples.

    Raises:
        Conflict: ``example_not_ready``.
    """
    dim = model.encoder.space.dim
    text, media = [np.zeros((0, dim), np.float32)], [np.zeros((0, dim), np.float32)]
    if texts:
        encoded = model.encoder.encode_texts([normalise(words) for words in texts])
        text.append(model.calibration.centre_texts(encoded))
    stored = {point.id: point for point in runtime.store.retrieve(model.collection, posts)} if posts else {}
    for post_id in posts:
        point = stored.get(post_id)
        if point is None or not (point.dense or point.multi):
            raise Conflict(
                f"label {label!r}: the example {post_id} has nothing indexed (yet)", code="example_not_ready"
            )
        text += [vector[np.newaxis] for name, vector in point.dense.items() if name == "text"]
        media += [rows for name, rows in point.multi.items() if name == "media"]
    media += [_image(runtime, model, label, upload_id) for upload_id in uploads]
    return Examples(np.concatenate(text), np.concatenate(media))


def _image(runtime: Runtime, model: SpaceModel, label: str, upload_id: UUID) -> Vectors:
    with runtime.database.session() as session:
        upload = session.get(Upload, upload_id)
    if upload is None:
        raise Conflict(f"label {label!r}: the upload {upload_id} is gone", code="example_not_ready")
    try:
        image = runtime.asked_stills.open(runtime.blobs.get(upload.sha256), target=IMAGE_TARGET)
    except (BlobError, MediaError) as error:
        raise Conflict(
            f"label {label!r}: the upload {upload_id} cannot be read: {error}", code="example_not_ready"
        ) from error
    return model.calibration.centre_images(model.encoder.encode_images([image]))
