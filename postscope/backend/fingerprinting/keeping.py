"""Writes the fingerprints of posts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.arrays import among
from postscope.backend.fingerprinting.making import RECIPE, Made
from postscope.backend.tables import Fingerprinted, FingerprintRow, Media, Post

_TURN = 0x66707273  # the bytes of "fprs"


@dataclass(frozen=True, slots=True)
class Failure:
    """A medium that could not be fingerprinted."""

    media_id: UUID
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class PostFingerprints:
    """All fingerprints of one post."""

    post_id: UUID
    content: bytes
    made: tuple[Made, ...]
    failures: tuple[Failure, ...]


def content_key(post: Post, media: Sequence[Media]) -> bytes:
    """Hash of all that a post's fingerprints are made from."""
    told = [str(RECIPE), post.text, *(_medium_key(medium) for medium in media)]
    return hashlib.sha256("\n".join(told).encode()).digest()


def _medium_key(medium: Media) -> str:
    # The frames of a video are there when it has been taken apart; of a picture only its words come then.
    frames = medium.understood_at if medium.kind in ("video", "audio") else None
    return f"{medium.id} {medium.sha256} {medium.state == 'failed'} {frames}"


def known(session: Session, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Of which content the fingerprints of these posts are; a post without any is left out."""
    rows = session.execute(
        select(Fingerprinted.post_id, Fingerprinted.content).where(among(Fingerprinted.post_id, ids))
    )
    return {row.post_id: row.content for row in rows}


def replace(session: Session, posts: Sequence[PostFingerprints]) -> None:
    """Write these in place of what the posts had before. A post that is gone meanwhile is left out.

    Writers wait for each other from here to their commits: numbers must become visible in their order, or a reader
    that catches up would miss one. Keep the transaction short.
    """
    if not posts:
        return
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _TURN})
    ids = [post.post_id for post in posts]
    held = select(Post.id).where(among(Post.id, ids)).order_by(Post.id)  # in everybody's order
    there = set(session.scalars(held.with_for_update(key_share=True)))
    media = set(session.scalars(select(Media.id).where(among(Media.post_id, there))))
    kept = [post for post in posts if post.post_id in there]
    session.execute(delete(FingerprintRow).where(among(FingerprintRow.post_id, there)))
    rows = [
        {"post_id": post.post_id, **asdict(made)}
        for post in kept
        for made in post.made
        if made.media_id is None or made.media_id in media
    ]
    if rows:
        session.execute(insert(FingerprintRow), rows)
    if kept:
        notes = insert(Fingerprinted)
        told = {"content": notes.excluded.content, "failures": notes.excluded.failures}
        session.execute(
            notes.on_conflict_do_update(index_elements=["post_id"], set_=told), [_note(post) for post in kept]
        )


def failures(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, list[Failure]]:
    """What could not be fingerprinted of these posts."""
    rows = session.execute(
        select(Fingerprinted.post_id, Fingerprinted.failures).where(among(Fingerprinted.post_id, ids))
    )
    return {
        row.post_id: [Failure(UUID(item["media_id"]), item["code"], item["reason"]) for item in row.failures]
        for row in rows
    }


def _note(post: PostFingerprints) -> dict[str, object]:
    told = [{"media_id": str(f.media_id), "code": f.code, "reason": f.reason} for f in post.failures]
    return {"post_id": post.post_id, "content": post.content, "failures": told}
