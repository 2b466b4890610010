from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from postscope.backend.database import Database
from postscope.backend.heads import definitions, drift
from postscope.backend.tables import HeadDrift
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

HEAD = (
    "INSERT INTO heads (name, task, target, fields, created_by, created_at) "
    "VALUES ('popularity', 'number', 'engagement', '{}', 'me', '2026-01-01')"
)
VERSION = (
    "INSERT INTO head_versions (id, head_id, number, state, space_id, data_hash, code_version, cause, posts, report, "
    "reference, model, judged, trained_on, actor, created_at) "
    "SELECT '00000000-0000-7000-8000-000000000001', id, 1, 'live', 's', '', '0', 'asked', 60, '{}', '{}', '', '', '', "
    "'me', '2026-01-01' FROM heads"
)
DRIFT = (
    "INSERT INTO head_drift (version_id, at, posts, embedding, score, judged, drifted) "
    "SELECT id, '2026-01-02T00:00:00Z', 300, 0.1, 0.4, 0, true FROM head_versions"
)


def test_what_was_measured_stays_and_precision_can_be_known_alone(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0016") as connection:
        for statement in (HEAD, VERSION, DRIFT):
            connection.execute(text(statement))
    upgrade(empty_database_url)
    before = datetime(2026, 1, 2, tzinfo=UTC)
    with database.session() as session:
        head = definitions.get(session, "popularity")
        (kept,) = drift.history(session, head, since=before)
        assert (kept.posts, kept.embedding, kept.score, kept.precision, kept.drifted) == (300, 0.1, 0.4, None, True)
        alone = {"posts": 50, "embedding": None, "score": None, "judged": 40, "precision": 0.5, "drifted": False}
        session.add(HeadDrift(version_id=kept.version_id, at=before + timedelta(days=1), **alone))
    with database.session() as session:
        found = [row.embedding for row in drift.history(session, head, since=before)]
        assert found == [0.1, None]
    database.close()
