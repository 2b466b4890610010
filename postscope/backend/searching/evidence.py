"""Where in a post something matched: in its text, in what is said or written in its media, in which picture.

Words are looked for in every text of a post. A match by meaning belongs to the text that is nearest to the query; the
stretches of speech and the texts of pictures are compared one by one, up to ``MAX_COMPARED`` on a page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import AnswerPart, MatchAnswer
from postscope.backend.searching.asked import Asked
from postscope.backend.searching.ranking import Evidence
from postscope.backend.searching.words import found_words
from postscope.backend.tables import Media, MediaFrame, MediaText, Post
from postscope.indexing.keywords import KeywordEncoder
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vector, Vectors

MAX_COMPARED: Final = 12
"""Texts of media that are encoded to explain one page, where they were not encoded lately."""

_PARTS: Final[Mapping[str, AnswerPart]] = {"speech": "speech", "picture": "picture_words"}
_WHERE: Final[Mapping[AnswerPart, str]] = {
    "keywords": "its text has",
    "speech": "is said in it:",
    "picture_words": "is written in it:",
}
_CLOSE_TEXT: Final = {
    "text": "is close in meaning to the query",
    "image": "says what the query image shows",
    "post": "is close in meaning to the given post",
}
_CLOSE_IMAGE: Final = {
    "text": "shows what the query says",
    "image": "looks like the query image",
    "post": "is like the given post",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A post with its media in order."""

    post: Post
    media: tuple[Media, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """What was understood of a post's media: its texts in order, and the seconds of each video's frames."""

    texts: tuple[MediaText, ...] = ()
    seconds: Mapping[UUID, tuple[float, ...]] | None = None


def load_details(session: Session, found: Sequence[Loaded]) -> dict[UUID, Details]:
    """Of the posts that have media, in two queries; of a page without media in none."""
    place = {medium.id: medium.position for loaded in found for medium in loaded.media}
    if not place:
        return {}
    ids = [loaded.post.id for loaded in found if loaded.media]
    texts: dict[UUID, list[MediaText]] = defaultdict(list)
    for row in session.scalars(select(MediaText).where(MediaText.post_id.in_(ids))):
        texts[row.post_id].append(row)
    videos = [medium.id for loaded in found for medium in loaded.media if medium.kind == "video"]
    seconds: dict[UUID, tuple[float, ...]] = {}
    if videos:
        frames = select(MediaFrame.media_id, MediaFrame.seconds).where(MediaFrame.media_id.in_(videos))
        for media_id, at in session.execute(frames.order_by(MediaFrame.media_id, MediaFrame.number)):
            seconds[media_id] = (*seconds.get(media_id, ()), at)
    return {
        id: Details(
            tuple(sorted(texts[id], key=lambda row: (place.get(row.media_id, 0), row.kind, row.number))), seconds
        )
        for id in ids
    }


class Witness:
    """Explains the matches of one page.

    Args:
        runtime: with the live space.
        encode: texts to vectors of that space; called for at most ``MAX_COMPARED`` texts.
    """

    def __init__(self, runtime: Runtime, encode: Callable[[Sequence[str]], Mapping[str, Vector]]) -> None:
        self._keywords: KeywordEncoder = runtime.keywords
        self._encode = encode
        self._left = MAX_COMPARED

    def matches(
        self, asked: Asked, item: Evidence, loaded: Loaded, details: Details, images: Vectors | None
    ) -> Iterator[MatchAnswer]:
        """What one piece of evidence rests on: at least one match, one for each text that has the words."""
        score = round(item.score, 4)
        if item.part == "keywords":
            yield from self._words(asked, item, score, loaded, details)
        elif item.part == "text":
            yield self._meaning(asked, item, score, loaded, details)
        else:
            yield _picture(asked, item, score, loaded, details, images)

    def _words(
        self, asked: Asked, item: Evidence, score: float, loaded: Loaded, details: Details
    ) -> Iterator[MatchAnswer]:
        query = asked.words or ""
        own = found_words(self._keywords, query, loaded.post.text)
        best: dict[str, tuple[int, MediaText, list[str]]] = {}
        for row in details.texts:
            terms = found_words(self._keywords, query, row.text)
            if terms and len(terms) > best.get(row.kind, (0,))[0]:
                best[row.kind] = (len(terms), row, terms)
        if own or not best:
            why = f"{_WHERE['keywords']} {', '.join(own)}"
            yield MatchAnswer(part="keywords", query=item.asked, score=score, terms=own, why=why)
        for _, row, terms in best.values():
            yield self._in_media(item, score, loaded, row, terms, f"{_WHERE[_PARTS[row.kind]]} {', '.join(terms)}")

    def _meaning(self, asked: Asked, item: Evidence, score: float, loaded: Loaded, details: Details) -> MatchAnswer:
        row = self._nearest(asked, loaded, details)
        close = _CLOSE_TEXT[asked.what]
        if row is None:
            return MatchAnswer(part="text", query=item.asked, score=score, why=f"its text {close}")
        terms = found_words(self._keywords, asked.words or "", row.text)
        name = "what is said in it" if row.kind == "speech" else "what is written in it"
        return self._in_media(item, score, loaded, row, terms, f"{name} {close}")

    def _nearest(self, asked: Asked, loaded: Loaded, details: Details) -> MediaText | None:
        """The text of a medium that is nearest to what was asked for; None where the post's own is."""
        if not details.texts:
            return None
        own = normalise(loaded.post.text)
        texts = {row: normalise(row.text) for row in details.texts}
        probes = [probe.vector for probe in asked.probes if "text" in probe.parts]
        if len(texts) > self._left or not probes:
            # Too many to compare: without a text of its own, it is the first of its media's that has a word of it.
            found = [row for row in texts if found_words(self._keywords, asked.words or "", row.text)]
            return None if own else (found or list(details.texts))[0]
        self._left -= len(texts)
        vectors = self._encode([text for text in (own, *texts.values()) if text])
        nearness = {text: max(float(vector @ probe) for probe in probes) for text, vector in vectors.items()}
        best = max(texts, key=lambda row: nearness.get(texts[row], -2.0))
        return None if nearness.get(own, -2.0) >= nearness.get(texts[best], -2.0) else best

    def _in_media(
        self, item: Evidence, score: float, loaded: Loaded, row: MediaText, terms: list[str], why: str
    ) -> MatchAnswer:
        quote, box, seconds = row.text, None, row.start_seconds
        if row.kind == "speech":
            seconds = self._said_at(row, terms)
        else:
            quote, box = self._line(row, terms)
        return MatchAnswer(
            part=_PARTS[row.kind], query=item.asked, score=score, terms=terms, quote=quote, box=box, why=why,
            **_place(loaded, row.media_id, seconds),
        )  # fmt: skip

    def _said_at(self, row: MediaText, terms: Sequence[str]) -> float | None:
        """The second at which the first of the words is said; without words, at which the stretch begins."""
        for start, _, word, *_ in (row.detail or {}).get("words", ()) if terms else ():
            if any(self._keywords.matched(term, word) for term in terms):
                return float(start)
        return row.start_seconds

    def _line(self, row: MediaText, terms: Sequence[str]) -> tuple[str, list[tuple[float, float]] | None]:
        """The line of a picture that has most of the words, and its corners; without words the whole text."""
        lines, boxes = row.text.split("\n"), (row.detail or {}).get("boxes", [])
        if len(lines) != len(boxes) or not (terms or len(lines) == 1):
            return row.text, None
        best = max(range(len(lines)), key=lambda n: len(self._keywords.matched(" ".join(terms), lines[n])))
        return lines[best], [(float(x), float(y)) for x, y in boxes[best]]


def _picture(
    asked: Asked, item: Evidence, score: float, loaded: Loaded, details: Details, images: Vectors | None
) -> MatchAnswer:
    found = _best_picture(asked, loaded, details, images)
    name = "an image"
    where: dict[str, object] = {}
    if found is not None:
        index, seconds = found
        name = f"image {index + 1}" if seconds is None else f"second {seconds:g} of video {index + 1}"
        where = _place(loaded, loaded.media[index].id, seconds)
    why = f"{name} {_CLOSE_IMAGE[asked.what]}"
    return MatchAnswer(part="media", query=item.asked, score=score, why=why, **where)


def _best_picture(
    asked: Asked, loaded: Loaded, details: Details, images: Vectors | None
) -> tuple[int, float | None] | None:
    """Place among the post's media, and second, of the picture nearest to what was asked; None while the post is
    being changed."""
    rows: list[tuple[int, float | None]] = []
    for place, medium in enumerate(loaded.media):
        if medium.state == "indexed" and medium.kind == "video":
            rows += [(place, at) for at in (details.seconds or {}).get(medium.id, ())]
        elif medium.state == "indexed" and medium.kind != "audio":
            rows.append((place, None))
    if images is None or len(images) != len(rows):
        return None
    cosines = [images @ probe.vector for probe in asked.probes if "media" in probe.parts]
    return rows[int(np.argmax(np.max(cosines, axis=0)))]


def _place(loaded: Loaded, media_id: UUID, seconds: float | None) -> dict[str, object]:
    index = next((n for n, medium in enumerate(loaded.media) if medium.id == media_id), None)
    if index is None:
        return {}
    frame = None
    if seconds is not None and loaded.media[index].kind == "video":
        frame = f"/v1/posts/{loaded.post.id}/media/{index}/frame?t={seconds:g}"
    return {"media_index": index, "media_id": media_id, "seconds": seconds, "frame": frame}
