"""What is to be reviewed, by its post and by its entry: whoever removes either has it looked up once for each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for column in ("entry_id", "post_id"):
        op.create_index(
            f"ix_review_items_{column}", "review_items", [column], postgresql_where=sa.text(f"{column} IS NOT NULL")
        )
