"""What the versions in use say of posts: the live one, and a shadow whose word is seen by a share of the posts."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadVersion
from postscope.indexing.heads.features import Floats, PostFeatures
from postscope.indexing.heads.head import TrainedHead


@dataclass(frozen=True, slots=True)
class InUse:
    """A version that scores posts now."""

    id: uuid.UUID
    head_id: int
    head: str
    number: int
    state: str
    share: float
    fields: tuple[str, ...]


def in_use(runtime: Runtime, name: str | None = None, *, space: str | None = None) -> list[InUse]:
    """Live and shadow versions of a space (by default the live one), live ones first; of one head, or of all."""
    wanted = space or runtime.live.encoder.space.id
    query = (
        select(
            HeadVersion.id, HeadVersion.head_id, Head.name, HeadVersion.number, HeadVersion.state, HeadVersion.share,
            Head.fields,
        )
        .join(Head, Head.id == HeadVersion.head_id)
        .where(HeadVersion.state.in_(("live", "shadow")), HeadVersion.space_id == wanted)
        .order_by(HeadVersion.state, Head.name)
    )  # fmt: skip
    if name is not None:
        query = query.where(Head.name == name)
    with runtime.database.session() as session:
        rows = session.execute(query).all()
    return [InUse(row.id, row.head_id, row.name, row.number, row.state, row.share, tuple(row.fields)) for row in rows]


def shown_shadow(head_id: int, post_id: uuid.UUID, share: float) -> bool:
    """Whether this post is among the ``share`` that sees the shadow; the same at every process and time."""
    drawn = hashlib.blake2b(f"{head_id}:{post_id}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big") / 2**64 < share


def choose(versions: Sequence[InUse], post_id: uuid.UUID) -> InUse | None:
    """Of one head's versions in use, the one whose word on this post is shown."""
    live = next((version for version in versions if version.state == "live"), None)
    trial = next((version for version in versions if version.state == "shadow"), None)
    if trial is not None and shown_shadow(trial.head_id, post_id, trial.share):
        return trial
    return live


def say(runtime: Runtime, version: InUse, posts: PostFeatures) -> tuple[TrainedHead, Floats]:
    """The head and what it predicts of these posts; see ``TrainedHead.predict``."""
    head = runtime.heads.get(version.id)
    return head, head.predict(posts)
