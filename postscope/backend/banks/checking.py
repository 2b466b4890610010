"""Checks posts against the banks, and says of each what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.banks import probing, verdicts
from postscope.backend.banks.behind import ask_for, check_again
from postscope.backend.banks.judging import Judged, judge
from postscope.backend.blobs import BlobError
from postscope.backend.duplicates.asking import picture_in
from postscope.backend.fingerprinting import keeping
from postscope.backend.fingerprinting.pictures import Picture
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, Post
from postscope.backend.work import Stage
from postscope.indexing.known.index import KnownIndex
from postscope.indexing.known.matching import Found, find
from postscope.indexing.media.errors import MediaError
from postscope.indexing.stores.base import Stored


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What came of candidates.

    Attributes:
        copies: the matches of each that has some, best first.
        lost: may be an edited copy for all that anybody can say: the file of its picture cannot be read any more.
        late: its fingerprints are not those of its content, and are being made anew.
    """

    copies: dict[UUID, list[Found]] = field(default_factory=dict)
    lost: set[UUID] = field(default_factory=set)
    late: set[UUID] = field(default_factory=set)


def check(
    runtime: Runtime,
    model: SpaceModel,
    posts: Sequence[Post],
    media: Mapping[UUID, Sequence[Media]],
    points: Mapping[UUID, Stored],
    *,
    run_id: UUID | None = None,
) -> int:
    """Judge these posts and keep the verdicts.

    Args:
        runtime: of this process.
        model: whose vectors the points have.
        posts: as they are in the database.
        media: of each post that has some, in order.
        points: of each post that is in the store, with its vectors.
        run_id: the sweep that looks; None for new posts.

    Returns:
        How many matches are new.
    """
    known = runtime.banks.fresh(model.encoder.space.id)
    pictures = _stills(runtime) if known.index.count("scene") else None
    with runtime.database.session() as session:
        contents = probing.of_posts(session, posts, media, points, pictures)
    now, kept = runtime.clock(), probing.KeptSignals(runtime.database)
    judged: dict[UUID, Judged] = {
        post.id: judge(known, contents[post.id], now=now, model=model, kept=kept) for post in posts
    }
    with runtime.database.session() as session:
        written = verdicts.keep(session, posts, judged, runtime.settings.banks, now=now, run_id=run_id)
        # who is behind would be overtaken again and again; what others have said meanwhile stands
        if written.overtaken and not known.behind and ask_for(session, written.overtaken, now=now):
            runtime.jobs.after(session, [Stage.ENRICH])
    if known.behind:
        _ask_again(runtime)
    return written.fresh


def _ask_again(runtime: Runtime) -> None:
    """What was being read may have come between our look and our verdicts, and nobody else would notice them."""
    change = runtime.banks.read_up_to
    with runtime.database.session() as session:
        if check_again(session, up_to=change, now=runtime.clock()):
            runtime.jobs.after(session, [Stage.ENRICH])


def confirm(runtime: Runtime, index: KnownIndex, ids: Sequence[UUID], pictures: Collection[UUID]) -> Confirmed:
    """Which of these posts are copies of entries, each looked at as a new post is, but with these entries alone.

    Args:
        runtime: of this process.
        index: the entries.
        ids: of posts that could match; those that are gone are left out.
        pictures: of which media it is to be looked at whether they are edited copies: the others have no candidate.
    """
    stills, lost = _stills(runtime), set[UUID]()

    def look(medium: Media) -> Picture | None:
        picture = stills(medium) if medium.id in pictures else None
        if picture is None and medium.id in pictures:
            lost.add(medium.post_id)
        return picture

    with runtime.database.session() as session:
        posts, media = _load(session, ids)
        ready = _ready(session, posts, media)
        contents = probing.of_posts(session, ready, media, {}, look)
    now, kept = runtime.clock().timestamp(), probing.KeptSignals(runtime.database)
    found = {post.id: find(index, contents[post.id].probes, now=now, kept=kept) for post in ready}
    copies = {post_id: matches for post_id, matches in found.items() if matches}
    return Confirmed(copies, lost - copies.keys(), {post.id for post in posts} - {post.id for post in ready})


def recheck(runtime: Runtime, ids: Sequence[UUID], *, run_id: UUID | None = None) -> int:
    """Check posts again that were checked before, whatever has changed since.

    One whose fingerprints are being made anew keeps its verdict until they are there: it is checked with them.

    Returns:
        How many matches are new.
    """
    with runtime.database.session() as session:
        posts, media = _load(session, ids)
        posts = _ready(session, posts, media)
    if not posts:
        return 0
    model = runtime.live
    points = {point.id: point for point in runtime.store.retrieve(model.collection, [post.id for post in posts])}
    return check(runtime, model, posts, media, points, run_id=run_id)


def _load(session: Session, ids: Sequence[UUID]) -> tuple[list[Post], dict[UUID, list[Media]]]:
    """Posts in the order of their ids, and the media of each, in order."""
    posts = list(session.scalars(select(Post).where(Post.id.in_(ids)).order_by(Post.id)))
    media: dict[UUID, list[Media]] = {}
    for row in session.scalars(select(Media).where(Media.post_id.in_(ids)).order_by(Media.post_id, Media.position)):
        media.setdefault(row.post_id, []).append(row)
    return posts, media


def _ready(session: Session, posts: Sequence[Post], media: Mapping[UUID, Sequence[Media]]) -> list[Post]:
    """Those whose fingerprints are of their present content."""
    known = keeping.known(session, [post.id for post in posts])
    return [post for post in posts if known.get(post.id) == keeping.content_key(post, media.get(post.id, ()))]


def _stills(runtime: Runtime) -> probing.Pictures:
    def read(medium: Media) -> Picture | None:
        sha256 = medium.sha256 or ""
        try:
            return picture_in(runtime, sha256, partial(runtime.blobs.get, sha256))
        except (BlobError, MediaError):  # said to be unchecked by whoever made its fingerprints
            return None

    return read
