from __future__ import annotations

from sqlalchemy import text

from postscope.backend.database import Database
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

POSTS = (
    "INSERT INTO posts (id, source, external_id, text, tags, metrics, metadata, created_at, received_at, updated_at, "
    "record_hash, content_hash) "
    "SELECT CAST(lpad(n::text, 32, '0') AS uuid), 's', n, 'x', '{}', '{}', '{}', now(), now(), now(), '', '' "
    "FROM generate_series(1, 3) n"
)
CHECKS = (
    "INSERT INTO post_checks (post_id, version, verdict, change, asked, unchecked, checked_at) "
    "SELECT id, 1, 'could_not_check', 0, 0, jsonb_build_array(jsonb_build_object('part', 'media', 'code', "
    "CASE external_id WHEN '3' THEN 'truncated' ELSE 'sound_not_compared' END)), now() FROM posts"
)
BANK = (
    "INSERT INTO banks (id, name, readers, writers, created_by, created_at, updated_at) "
    "SELECT id, 'b', '{}', '{}', 'me', now(), now() FROM posts WHERE external_id = '1'"
)
ENTRY = (
    "INSERT INTO bank_entries (id, bank_id, origin, severity, created_by, created_at, updated_at) "
    "SELECT id, id, 'hash', 'low', 'me', now(), now() FROM banks"
)
SIGNAL = "INSERT INTO bank_signals (entry_id, kind, value) SELECT id, :kind, :value FROM bank_entries"


def test_sounds_that_were_not_compared_are_checked_again_and_tracks_fit_into_the_index(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0011") as connection:
        for statement in (POSTS, CHECKS, BANK, ENTRY):
            connection.execute(text(statement))
        connection.execute(text(SIGNAL), {"kind": "md5", "value": b"m" * 16})
        connection.execute(
            text("INSERT INTO work (post_id, stage, run_after, created_at) SELECT id, 'enrich', now(), now() "
                 "FROM posts WHERE external_id = '2'")
        )  # fmt: skip
    upgrade(empty_database_url)
    with database.session() as session:
        waiting = session.scalars(
            text(
                "SELECT p.external_id FROM work w JOIN posts p ON p.id = w.post_id WHERE w.stage = 'enrich' ORDER BY 1"
            )
        ).all()
        assert waiting == ["1", "2"]
        # an index of such values would refuse them: a row of it has 2.7 kB at most
        session.execute(text(SIGNAL), {"kind": "sound_track", "value": bytes(n * n % 251 for n in range(170_000))})
        session.execute(text(SIGNAL), {"kind": "sound", "value": b"s" * 32})
        kinds = session.scalars(text("SELECT kind FROM bank_signals ORDER BY id")).all()
        assert kinds == ["md5", "sound_track", "sound"]
    database.close()
