"""Sounds in banks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KINDS = "kind IN ('pdq', 'vpdq', 'md5', 'sha256', 'text', 'shingles', 'scene', 'look', 'sound', 'sound_track')"


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f("ck_bank_signals_kind"), "bank_signals", type_="check")
    op.create_check_constraint(op.f("ck_bank_signals_kind"), "bank_signals", _KINDS)
    op.drop_index(op.f("ix_bank_signals_kind_value"), table_name="bank_signals")
    op.create_index(
        op.f("ix_bank_signals_kind_value"),
        "bank_signals",
        ["kind", "value"],
        unique=False,
        postgresql_where=sa.text("kind NOT IN ('vpdq', 'look', 'scene', 'sound', 'sound_track')"),
    )
    # Posts with a sound that could not be compared until now are checked again.
    op.execute(
        "INSERT INTO work (post_id, stage, run_after, created_at) "
        "SELECT post_id, 'enrich', now(), now() FROM post_checks "
        'WHERE unchecked @> \'[{"code": "sound_not_compared"}]\' ON CONFLICT DO NOTHING'
    )
