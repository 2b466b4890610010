"""A version's number is given once, also after the version was deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("taxonomies", sa.Column("newest", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(
        "UPDATE taxonomies t SET newest = (SELECT coalesce(max(v.number), 0) FROM taxonomy_versions v "
        "WHERE v.taxonomy_id = t.id)"
    )
