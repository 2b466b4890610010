"""Taxonomies, tags and labels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _taxonomies()
    _tags()
    _labels()


def _taxonomies() -> None:
    op.create_table(
        "taxonomies",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxonomies")),
        sa.UniqueConstraint("name", name=op.f("uq_taxonomies_name")),
    )
    op.create_table(
        "taxonomy_versions",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("taxonomy_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("exclusive", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("background", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=True),
        sa.Column("calibration", postgresql.JSONB(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'applying', 'live', 'old')", name=op.f("ck_taxonomy_versions_state")),
        sa.ForeignKeyConstraint(
            ["taxonomy_id"], ["taxonomies.id"], name=op.f("fk_taxonomy_versions_taxonomy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxonomy_versions")),
        sa.UniqueConstraint("taxonomy_id", "number", name=op.f("uq_taxonomy_versions_taxonomy_id_number")),
    )
    op.create_index(
        "uq_taxonomy_versions_applying",
        "taxonomy_versions",
        ["taxonomy_id"],
        unique=True,
        postgresql_where=sa.text("state = 'applying'"),
    )
    op.create_index(
        "uq_taxonomy_versions_live",
        "taxonomy_versions",
        ["taxonomy_id"],
        unique=True,
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "taxonomy_labels",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("prompts", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("threshold_from", sa.Text(), nullable=False),
        sa.Column("fit", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "threshold_from IN ('default', 'given', 'fitted')", name=op.f("ck_taxonomy_labels_threshold_from")
        ),
        sa.CheckConstraint("threshold > 0 AND threshold <= 1", name=op.f("ck_taxonomy_labels_threshold")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["taxonomy_versions.id"], name=op.f("fk_taxonomy_labels_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxonomy_labels")),
        sa.UniqueConstraint("version_id", "path", name=op.f("uq_taxonomy_labels_version_id_path")),
    )
    op.create_table(
        "taxonomy_examples",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("positive", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.Column("upload_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("num_nonnulls(text, post_id, upload_id) = 1", name=op.f("ck_taxonomy_examples_one_thing")),
        sa.ForeignKeyConstraint(
            ["label_id"], ["taxonomy_labels.id"], name=op.f("fk_taxonomy_examples_label_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_taxonomy_examples_post_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name=op.f("fk_taxonomy_examples_upload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxonomy_examples")),
    )
    op.create_index(op.f("ix_taxonomy_examples_label_id"), "taxonomy_examples", ["label_id"], unique=False)
    op.create_index(op.f("ix_taxonomy_examples_post_id"), "taxonomy_examples", ["post_id"], unique=False)
    op.create_index(op.f("ix_taxonomy_examples_upload_id"), "taxonomy_examples", ["upload_id"], unique=False)
    op.create_table(
        "taxonomy_vectors",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("arrays", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["taxonomy_versions.id"], name=op.f("fk_taxonomy_vectors_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "space_id", name=op.f("pk_taxonomy_vectors")),
    )
    op.create_table(
        "taxonomy_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data_hash", sa.LargeBinary(), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["taxonomy_versions.id"], name=op.f("fk_taxonomy_reports_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxonomy_reports")),
    )
    op.create_index(
        op.f("ix_taxonomy_reports_version_id_created_at"),
        "taxonomy_reports",
        ["version_id", "created_at"],
        unique=False,
    )


def _tags() -> None:
    op.create_table(
        "post_tags",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["label_id"], ["taxonomy_labels.id"], name=op.f("fk_post_tags_label_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_post_tags_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["taxonomy_versions.id"], name=op.f("fk_post_tags_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "post_id", "label_id", name=op.f("pk_post_tags")),
    )
    op.create_index(op.f("ix_post_tags_label_id_score"), "post_tags", ["label_id", "score"], unique=False)
    op.create_index(op.f("ix_post_tags_post_id"), "post_tags", ["post_id"], unique=False)


def _labels() -> None:
    op.create_table(
        "label_sets",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("taxonomy_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('tags', 'classes', 'number')", name=op.f("ck_label_sets_kind")),
        sa.ForeignKeyConstraint(
            ["taxonomy_id"], ["taxonomies.id"], name=op.f("fk_label_sets_taxonomy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_sets")),
        sa.UniqueConstraint("name", name=op.f("uq_label_sets_name")),
        sa.UniqueConstraint("taxonomy_id", name=op.f("uq_label_sets_taxonomy_id")),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("set_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source IN ('upload', 'asked', 'correction')", name=op.f("ck_labels_source")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_labels_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["set_id"], ["label_sets.id"], name=op.f("fk_labels_set_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("set_id", "post_id", "label", name=op.f("uq_labels_set_id_post_id_label")),
    )
    op.create_index(op.f("ix_labels_post_id"), "labels", ["post_id"], unique=False)
    op.create_index(op.f("ix_labels_set_id_at"), "labels", ["set_id", "at"], unique=False)
