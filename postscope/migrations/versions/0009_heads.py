"""Trained heads and their registry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _heads()
    _head_versions()
    _head_scores()
    _head_drift()


def _heads() -> None:
    op.create_table(
        "heads",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("set_id", sa.Integer(), nullable=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("window_days", sa.Float(), nullable=True),
        sa.Column("retrain_days", sa.Float(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("task IN ('tags', 'classes', 'number')", name=op.f("ck_heads_task")),
        sa.CheckConstraint("(set_id IS NULL) <> (target IS NULL)", name=op.f("ck_heads_one_source")),
        sa.ForeignKeyConstraint(["set_id"], ["label_sets.id"], name=op.f("fk_heads_set_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heads")),
        sa.UniqueConstraint("name", name=op.f("uq_heads_name")),
    )


def _head_versions() -> None:
    op.create_table(
        "head_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("head_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'candidate'"), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("data_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("window_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=False),
        sa.Column("reference", postgresql.JSONB(), nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.Column("judged", sa.LargeBinary(), nullable=False),
        sa.Column("trained_on", sa.LargeBinary(), nullable=False),
        sa.Column("share", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("served", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("live_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('candidate', 'shadow', 'live', 'retired')", name=op.f("ck_head_versions_state")),
        sa.CheckConstraint("share >= 0 AND share <= 1", name=op.f("ck_head_versions_share")),
        sa.ForeignKeyConstraint(["head_id"], ["heads.id"], name=op.f("fk_head_versions_head_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head_versions")),
        sa.UniqueConstraint("head_id", "number", name=op.f("uq_head_versions_head_id_number")),
    )
    op.create_index(
        "uq_head_versions_live", "head_versions", ["head_id"], unique=True, postgresql_where=sa.text("state = 'live'")
    )
    op.create_index(
        "uq_head_versions_shadow",
        "head_versions",
        ["head_id"],
        unique=True,
        postgresql_where=sa.text("state = 'shadow'"),
    )


def _head_scores() -> None:
    op.create_table(
        "head_scores",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("values", postgresql.ARRAY(sa.Float()), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_head_scores_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["head_versions.id"], name=op.f("fk_head_scores_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "post_id", name=op.f("pk_head_scores")),
    )
    op.create_index(op.f("ix_head_scores_post_id"), "head_scores", ["post_id"], unique=False)
    op.create_index(op.f("ix_head_scores_version_id_at"), "head_scores", ["version_id", "at"], unique=False)


def _head_drift() -> None:
    op.create_table(
        "head_drift",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.Float(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("precision", sa.Float(), nullable=True),
        sa.Column("drifted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["head_versions.id"], name=op.f("fk_head_drift_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "at", name=op.f("pk_head_drift")),
    )
