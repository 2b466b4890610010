"""The language of each post's text, told by the text itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("posts", sa.Column("detected_language", sa.Text(), nullable=True))
    op.add_column("posts", sa.Column("language_confidence", sa.Float(), nullable=True))
    op.add_column("media_texts", sa.Column("language_confidence", sa.Float(), nullable=True))
    # Posts that are indexed get theirs: nothing is encoded again for that, as their content is the same.
    op.execute(
        "INSERT INTO work (post_id, stage, run_after, created_at) "
        "SELECT id, 'index', now(), now() FROM posts WHERE indexed_version IS NOT NULL ON CONFLICT DO NOTHING"
    )
