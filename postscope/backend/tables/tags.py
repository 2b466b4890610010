"""Taxonomies, what they say of posts, and what people say of posts."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Float, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class Taxonomy(Base):
    """A set of labels under a name. What it holds is in its versions.

    Attributes:
        newest: the highest number that a version was given, whether that is still there or not: audit log, reports
            and people's queries name versions by their numbers.
    """

    __tablename__ = "taxonomies"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    newest: Mapped[int] = mapped_column(server_default=sql("0"))
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class TaxonomyVersion(Base):
    """One version of a taxonomy. ``state``: draft, applying, live, old. It does not change once it was applied.

    Attributes:
        number: counted from 1 within the taxonomy.
        exclusive: a post has one label at most.
        open: "none of these" is an answer.
        background: prompts of what is none of the labels, beside the reference posts of the space.
        origin: ``api``, ``yaml``, ``csv``, ``json`` or ``calibration``.
        based_on: the number of the version that it was made from.
        calibration: what turns logits into probabilities, None until it was fitted.
        applied_space: id of the space whose vectors its labels were said by when it went live.
    """

    __tablename__ = "taxonomy_versions"
    __table_args__ = (
        UniqueConstraint("taxonomy_id", "number"),
        CheckConstraint("state IN ('draft', 'applying', 'live', 'old')", name="state"),
        Index("uq_taxonomy_versions_live", "taxonomy_id", unique=True, postgresql_where=sql("state = 'live'")),
        Index("uq_taxonomy_versions_applying", "taxonomy_id", unique=True, postgresql_where=sql("state = 'applying'")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id", ondelete="CASCADE"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=sql("'draft'"))
    description: Mapped[str] = mapped_column(server_default=sql("''"))
    exclusive: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    open: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    background: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))
    origin: Mapped[str]
    based_on: Mapped[int | None]
    calibration: Mapped[dict[str, Any] | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    applied_space: Mapped[str | None]


class TaxonomyLabel(Base):
    """A label of a version.

    Attributes:
        path: names from the root down, with slashes: ``sport/football``. A label says its parents too.
        position: in the order they were given; parents come before their children.
        threshold: the probability from which on a post has the label.
        threshold_from: ``default``, ``given`` or ``fitted``.
        fit: where the threshold comes from, as the calibration has it.
    """

    __tablename__ = "taxonomy_labels"
    __table_args__ = (
        UniqueConstraint("version_id", "path"),
        CheckConstraint("threshold > 0 AND threshold <= 1", name="threshold"),
        CheckConstraint("threshold_from IN ('default', 'given', 'fitted')", name="threshold_from"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("taxonomy_versions.id", ondelete="CASCADE"))
    path: Mapped[str]
    position: Mapped[int]
    description: Mapped[str] = mapped_column(server_default=sql("''"))
    prompts: Mapped[list[str]]
    threshold: Mapped[float] = mapped_column(Float)
    threshold_from: Mapped[str]
    fit: Mapped[dict[str, Any] | None]


class TaxonomyExample(Base):
    """Something that a label is said of (``positive``), or is not said of though it looks like it."""

    __tablename__ = "taxonomy_examples"
    __table_args__ = (
        CheckConstraint("num_nonnulls(text, post_id, upload_id) = 1", name="one_thing"),
        Index(None, "label_id"),
        Index(None, "post_id"),
        Index(None, "upload_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("taxonomy_labels.id", ondelete="CASCADE"))
    positive: Mapped[bool] = mapped_column(Boolean)
    text: Mapped[str | None]
    post_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    upload_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("uploads.id"))


class TaxonomyVectors(Base):
    """What the labels of a version are in a space: arrays as ``.npz`` without pickles, made once and kept."""

    __tablename__ = "taxonomy_vectors"

    version_id: Mapped[int] = mapped_column(ForeignKey("taxonomy_versions.id", ondelete="CASCADE"), primary_key=True)
    space_id: Mapped[str] = mapped_column(primary_key=True)
    arrays: Mapped[bytes]
    created_at: Mapped[datetime]


class PostTag(Base):
    """A label that a post has in a version, and its probability. The store's payload is made from these rows."""

    __tablename__ = "post_tags"
    __table_args__ = (Index(None, "label_id", "score"), Index(None, "post_id"))

    version_id: Mapped[int] = mapped_column(ForeignKey("taxonomy_versions.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("taxonomy_labels.id", ondelete="CASCADE"), primary_key=True)
    score: Mapped[float] = mapped_column(Float)


class TaxonomyReport(Base):
    """What a calibration found. ``data_hash`` is the SHA-256 of the judgements it was made from."""

    __tablename__ = "taxonomy_reports"
    __table_args__ = (Index(None, "version_id", "created_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("taxonomy_versions.id", ondelete="CASCADE"))
    actor: Mapped[str]
    created_at: Mapped[datetime]
    data_hash: Mapped[bytes]
    report: Mapped[dict[str, Any]]


class LabelSet(Base):
    """A set of judgements by people. A taxonomy has one, for all its versions; other sets stand alone.

    ``kind`` says what a judgement's ``label`` and ``value`` are:

    - ``tags``: any number of labels a post; value 1: has it, 0: has it not.
    - ``classes``: one label a post; value 1.
    - ``number``: label is empty; value is the number.
    """

    __tablename__ = "label_sets"
    __table_args__ = (CheckConstraint("kind IN ('tags', 'classes', 'number')", name="kind"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    taxonomy_id: Mapped[int | None] = mapped_column(ForeignKey("taxonomies.id", ondelete="CASCADE"), unique=True)
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class Label(Base):
    """What a person says of a post. The newest word on a post and label counts, and replaces the one before.

    Attributes:
        label: a taxonomy's path, a class, or empty for a number. ``*`` with value 0, in a set of tags: every
            label that is not named was looked at, and the post has none of them.
        value: see ``LabelSet``.
        source: ``upload`` (a file), ``asked`` (a post that was shown to be labelled) or ``correction`` (somebody saw
            what was said of the post and said otherwise, or that it is right).
        score: the probability that was shown when the person judged; None where none was.
    """

    __tablename__ = "labels"
    __table_args__ = (
        UniqueConstraint("set_id", "post_id", "label"),
        CheckConstraint("source IN ('upload', 'asked', 'correction')", name="source"),
        Index(None, "set_id", "at"),
        Index(None, "post_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("label_sets.id", ondelete="CASCADE"))
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(server_default=sql("''"))
    value: Mapped[float] = mapped_column(Float)
    source: Mapped[str]
    score: Mapped[float | None] = mapped_column(Float)
    actor: Mapped[str]
    at: Mapped[datetime]
