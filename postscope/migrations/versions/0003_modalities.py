"""Every modality: video, audio, words in pictures, language."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _kinds()
    _parts()
    _understand_what_is_there()


def _kinds() -> None:
    op.add_column("media", sa.Column("kind", sa.Text(), nullable=True))
    op.add_column("media", sa.Column("duration_seconds", sa.Float(), nullable=True))
    op.add_column("media", sa.Column("understood_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("media", sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE media SET kind = 'image' WHERE sha256 IS NOT NULL")
    op.create_check_constraint(op.f("ck_media_kind"), "media", "kind IN ('image', 'video', 'audio')")
    op.add_column("uploads", sa.Column("kind", sa.Text(), server_default="image", nullable=False))
    op.alter_column("uploads", "kind", server_default=None)
    op.create_check_constraint(op.f("ck_uploads_kind"), "uploads", "kind IN ('image', 'video', 'audio')")


def _parts() -> None:
    op.create_table(
        "media_parts",
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("part IN ('frames', 'speech', 'words')", name=op.f("ck_media_parts_part")),
        sa.CheckConstraint("state IN ('done', 'partial', 'empty', 'failed')", name=op.f("ck_media_parts_state")),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_media_parts_media_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("media_id", "part", name=op.f("pk_media_parts")),
    )
    op.add_column("media_frames", sa.Column("sha256", sa.Text(), nullable=False))
    op.create_index(op.f("ix_media_frames_sha256"), "media_frames", ["sha256"], unique=False)
    op.create_table(
        "loose_blobs",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_loose_blobs")),
    )


def _understand_what_is_there() -> None:
    # Posts that came in before get what new ones get: animations their frames, pictures their words.
    op.execute(
        "INSERT INTO work (post_id, stage, run_after, created_at) "
        "SELECT DISTINCT post_id, 'understand', now(), now() FROM media WHERE state IN ('ready', 'indexed')"
    )
