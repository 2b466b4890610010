"""The space whose vectors a taxonomy's labels were said by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("taxonomy_versions", sa.Column("applied_space", sa.Text(), nullable=True))
    # What was applied since the last switch was said in the live space; of the rest nobody knows, so it is said again.
    op.execute(
        "UPDATE taxonomy_versions v SET applied_space = s.id FROM spaces s "
        "WHERE s.state = 'live' AND v.applied_at >= COALESCE(s.switched_at, s.created_at)"
    )
