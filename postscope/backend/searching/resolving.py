"""From a request to vectors: texts and images are encoded, posts bring the vectors they are stored with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from PIL import Image
from sqlalchemy import exists, select

from postscope.backend.blobs import BlobError
from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.fetch_errors import FetchError
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.searching.asked import Asked, Probe, Question, What, own_posts
from postscope.backend.searching.filters import Filters
from postscope.backend.searching.requests import QueryImage, QueryPart, SearchRequest
from postscope.backend.tables import Post, Upload
from postscope.backend.tagging.names import look_up
from postscope.backend.topics.telling import in_topics
from postscope.indexing.calibration import PARTS
from postscope.indexing.media.errors import MediaError
from postscope.indexing.normalise import normalise
from postscope.indexing.pipeline import IMAGE_TARGET
from postscope.indexing.types import Condition, Filter, HasId, Vectors

MAX_POST_IMAGES = 4
"""Images of a post that others are compared with: each is a query of its own."""

Field = tuple[str, QueryPart]


def open_images(runtime: Runtime, request: SearchRequest) -> list[Image.Image]:
    """Fetch and decode the images that the request names, in its order.

    Raises:
        Invalid: one cannot be had or read; names the field.
    """
    fields = [*request.positives(), *request.negatives()]
    return [open_query_image(runtime, name, part.image) for name, part in fields if part.image is not None]


def outline(runtime: Runtime, model: SpaceModel, request: SearchRequest) -> Question:
    """What the request names, as far as nothing has to be encoded: words, filter, and posts with what is stored.

    Raises:
        NotFound: a post is not here.
        Conflict: a post is not indexed yet.
        Invalid: a filter names what is not here.
    """
    asked = []
    for name, part in [*request.positives(), *request.negatives()]:
        probes = () if part.post_id is None else _post_probes(runtime, model, (name, part))
        asked.append(_asked(part, probes, words=request.mode != "semantic"))
    count = len(list(request.positives()))
    score = runtime.settings.api.min_score if request.min_score is None else request.min_score
    return Question(
        request,
        tuple(asked[:count]),
        tuple(asked[count:]),
        filter_of(runtime, request),
        score,
        model.collection,
        model.calibration,
    )


def encode(model: SpaceModel, request: SearchRequest, images: Sequence[Image.Image]) -> list[Probe | None]:
    """What has to be encoded, for each part of the request; None for a part that is compared by nothing of this.

    Args:
        model: of the live space.
        request: what is asked.
        images: of ``open_images``.
    """
    parts = [part for _, part in (*request.positives(), *request.negatives())]
    texts = [part.text for part in parts if part.text is not None and request.mode != "keyword"]
    by_text = iter(_text_vectors(model, texts) if texts else ())
    by_image = iter(model.calibration.centre_images(model.encoder.encode_images(images)) if images else ())
    probes: list[Probe | None] = []
    for part in parts:
        if part.image is not None:
            probes.append(Probe(next(by_image), "image", PARTS, same_as="media"))
        elif part.text is not None and request.mode != "keyword":
            probes.append(Probe(next(by_text), "text", PARTS, same_as=None))
        else:
            probes.append(None)
    return probes


def complete(question: Question, probes: Sequence[Probe | None]) -> Question:
    """An outline with what ``encode`` made for each of its parts."""
    asked = [
        item if probe is None else replace(item, probes=(probe,))
        for item, probe in zip((*question.positive, *question.negative), probes, strict=True)
    ]
    count = len(question.positive)
    return replace(question, positive=tuple(asked[:count]), negative=tuple(asked[count:]))


def _asked(part: QueryPart, probes: tuple[Probe, ...], *, words: bool) -> Asked:
    what: What = "text" if part.text is not None else "image" if part.image is not None else "post"
    text = normalise(part.text) if words and part.text is not None else None
    return Asked(what, part.weight, text or None, probes)


def filter_of(runtime: Runtime, request: SearchRequest) -> Filter | None:
    """Which posts may be hits: those that were searched with may not."""
    wanted = filters_of(runtime, request.filters)
    if not (own := own_posts(request)):
        return wanted
    wanted = wanted or Filter()
    return replace(wanted, must_not=(*wanted.must_not, HasId(own)))


def filters_of(runtime: Runtime, filters: Filters) -> Filter | None:
    """What the store has to look for.

    Raises:
        Invalid: a label is not one of a version that was applied, or there is no such topic; names the field.
    """
    stored: dict[str, str] = {}
    topics: dict[UUID, Condition] = {}
    if filters.labels or filters.topics:
        with runtime.database.session() as session:
            if filters.labels:
                labels = look_up(session, dict(filters.labels.named()))
                stored = {name: label.stored for name, label in labels.items()}
            if filters.topics:
                topics = in_topics(session, filters.topics.named())
    return filters.condition(runtime.author_key, stored, topics)


def _text_vectors(model: SpaceModel, texts: Sequence[str]) -> Vectors:
    return model.calibration.centre_queries(model.encoder.encode_queries([normalise(text) for text in texts]))


def _post_probes(runtime: Runtime, model: SpaceModel, field: Field) -> tuple[Probe, ...]:
    """Text asks texts and images ask images; a part that the post does not have is asked for by the other."""
    name, part = field
    assert part.post_id is not None
    with runtime.database.session() as session:
        # A deleted post is gone from every answer at once, its vectors a little later.
        if session.scalar(select(exists().where(Post.id == part.post_id))) is not True:
            raise NotFound(f"{name}: there is no post {part.post_id}")
    found = runtime.store.retrieve(model.collection, [part.post_id])
    text = found[0].dense.get("text") if found else None
    media = found[0].multi.get("media") if found else None
    if text is None and media is None:
        raise Conflict(f"{name}: post {part.post_id} has nothing indexed to compare with (yet); see its status")
    probes = [] if text is None else [Probe(text, "text", PARTS if media is None else ("text",), same_as="text")]
    rows = media[:MAX_POST_IMAGES] if media is not None else ()
    probes += [Probe(row, "image", PARTS if text is None else ("media",), same_as="media") for row in rows]
    return tuple(probes)


def open_query_image(runtime: Runtime, name: str, image: QueryImage) -> Image.Image:
    """Fetch or load an image that a request names.

    Raises:
        Invalid: it cannot be had or read; names the field, which is ``image`` in ``name``.
        SandboxDown: no process for pictures can be started here.
    """
    field = name if name == "image" else f"{name}.image"
    stills = runtime.asked_stills
    try:
        if image.url is not None:
            with runtime.fetcher.fetch(image.url) as fetched:
                return stills.open(fetched.path, target=IMAGE_TARGET)
        with runtime.database.session() as session:
            upload = session.get(Upload, image.upload_id)
        if upload is None:
            raise Invalid.of(f"{field}.upload_id", "there is no such upload")
        return stills.open(runtime.blobs.get(upload.sha256), target=IMAGE_TARGET)
    except FetchError as error:
        raise Invalid.of(f"{field}.url", error.reason) from error
    except MediaError as error:
        raise Invalid.of(field, error.reason) from error
    except BlobError as error:
        raise Invalid.of(f"{field}.upload_id", f"its file cannot be read: {error}") from error
