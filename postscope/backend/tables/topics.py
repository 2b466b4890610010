"""Topics, who belongs to them, how they came about, and what people decided about them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Float, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class Topic(Base):
    """Something that people talk about. Its id stays the same from run to run.

    Attributes:
        space: id of the space that ``centroid`` belongs to.
        layer: ``theme`` (its topics have it as parent), ``topic`` (posts belong to these) or ``subtopic`` (its parent
            is a topic).
        kind: ``discovered`` by a run, ``watch`` (a person said what to look for), ``split`` (a person took it out of
            another), ``burst`` (found on the stream).
        state: ``candidate`` (a burst that no run has confirmed yet; posts are assigned to it all the same),
            ``active``, ``dead`` (no run found it again; one may revive it), ``merged`` (into ``merged_into``).
        named_by: who named it; None where the name is the machine's.
        keywords: ``[{"word", "weight", "language", "seen"}]``, the most telling first; language is None for any; seen
            (absent: false) where nobody wrote it, but pictures show it.
        summary: ``{"text", "post_ids", "media_ids"}``: posts and images that stand for it.
        parent_id: the theme of a topic, the topic of a sub-topic.
        absorbs: a person merged others into it, so runs put clusters that are mostly its own into it.
        centroid: float32, unit length: the mean of its members' ``post`` vectors.
        reach: a post whose cosine with the centroid is at least this may belong to it.
        floor: a post whose cosine with the centroid is less than this does not, whatever its neighbours say; None
            where no discovery has measured how far the topic spreads.
        seed: of a watch topic: ``{"words", "post_ids"}``.
        born_at: time of its first post.
        last_seen_at: time of its newest post.
    """

    __tablename__ = "topics"
    __table_args__ = (
        CheckConstraint("layer IN ('theme', 'topic', 'subtopic')", name="layer"),
        CheckConstraint("kind IN ('discovered', 'watch', 'split', 'burst')", name="kind"),
        CheckConstraint("state IN ('candidate', 'active', 'dead', 'merged')", name="state"),
        CheckConstraint("(state = 'merged') = (merged_into IS NOT NULL)", name="merged"),
        Index(None, "state", "layer"),
        Index(None, "parent_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    space: Mapped[str]
    layer: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    name: Mapped[str]
    named_by: Mapped[str | None]
    keywords: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=sql("'[]'"))
    summary: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'"))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("topics.id"))
    hidden: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    pinned: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    absorbs: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    merged_into: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("topics.id"))
    centroid: Mapped[bytes]
    reach: Mapped[float] = mapped_column(Float)
    floor: Mapped[float | None] = mapped_column(Float)
    seed: Mapped[dict[str, Any] | None]
    run_id: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    born_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]


class TopicMember(Base):
    """Where a post belongs. A row without ``topic_id`` is an outlier; a post without a row was not looked at yet.

    Attributes:
        strength: how firmly, 0 to 1.
        run_id: of the discovery that said so; None where the post was assigned when it came in.
        corrected_by: the person who said so; runs leave it as it is.
        told_topic_id: the topic that the vector store was last told, for filters; None also where it was told none.
        told_subtopic_id: the same of the sub-topic.
    """

    __tablename__ = "topic_members"
    __table_args__ = (
        Index(None, "topic_id", "post_id"),
        Index(None, "subtopic_id"),
        Index(None, "assigned_at"),
        Index(
            "ix_topic_members_due",
            "post_id",
            postgresql_where=sql(
                "topic_id IS DISTINCT FROM told_topic_id OR subtopic_id IS DISTINCT FROM told_subtopic_id"
            ),
        ),
    )

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("topics.id"))
    subtopic_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("topics.id"))
    strength: Mapped[float] = mapped_column(Float)
    run_id: Mapped[uuid.UUID | None]
    corrected_by: Mapped[str | None]
    assigned_at: Mapped[datetime]
    told_topic_id: Mapped[uuid.UUID | None]
    told_subtopic_id: Mapped[uuid.UUID | None]


class TopicLineage(Base):
    """What became of topics, by a run or by a person's edit.

    ``kind``: ``birth`` (to), ``continue`` (from and to are the same), ``revive`` (the same, after it was dead),
    ``merge`` (most of from's members are in to now), ``split`` (many of from's members are in to now, which is new),
    ``death`` (from).

    Attributes:
        overlap: share of the posts of from, as far as they were looked at again, that are in to now.
        similarity: cosine of the two centroids.
    """

    __tablename__ = "topic_lineage"
    __table_args__ = (
        CheckConstraint("kind IN ('birth', 'continue', 'revive', 'merge', 'split', 'death')", name="kind"),
        Index(None, "from_id"),
        Index(None, "to_id"),
        Index(None, "run_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    run_id: Mapped[uuid.UUID | None]
    edit_id: Mapped[uuid.UUID | None]
    kind: Mapped[str]
    from_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("topics.id"))
    to_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("topics.id"))
    overlap: Mapped[float | None] = mapped_column(Float)
    similarity: Mapped[float | None] = mapped_column(Float)


class TopicEdit(Base):
    """What a person changed, with all that it takes to undo it. The audit log has an entry for each.

    Attributes:
        touched: every topic that it changed.
        before: columns of each touched topic as they were, by its id.
    """

    __tablename__ = "topic_edits"
    __table_args__ = (Index(None, "touched", postgresql_using="gin"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    touched: Mapped[list[uuid.UUID]]
    params: Mapped[dict[str, Any]]
    before: Mapped[dict[str, Any]]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]


class TopicEditPost(Base):
    """Where a post belonged before an edit moved it."""

    __tablename__ = "topic_edit_posts"
    __table_args__ = (Index(None, "post_id"),)

    edit_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("topic_edits.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[uuid.UUID | None]
    subtopic_id: Mapped[uuid.UUID | None]
    strength: Mapped[float] = mapped_column(Float)
    corrected_by: Mapped[str | None]


class TopicExclusion(Base):
    """A person said that a post does not belong to a topic; nothing puts it there again."""

    __tablename__ = "topic_exclusions"

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    topic_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("topics.id"), primary_key=True)
    edit_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("topic_edits.id", ondelete="CASCADE"))


class TopicLanguage(Base):
    """What a language does to vectors, whatever is said in it, as the last discovery of all posts of a window saw it.

    Attributes:
        offset: float32, (dim,): what is taken off a unit vector.
    """

    __tablename__ = "topic_languages"

    space: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    offset: Mapped[bytes]
    run_id: Mapped[uuid.UUID]


class TopicLayout(Base):
    """Where a post lies on the map; from run to run it stays near."""

    __tablename__ = "topic_layout"

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    x: Mapped[float] = mapped_column(Float)
    y: Mapped[float] = mapped_column(Float)
    run_id: Mapped[uuid.UUID]
