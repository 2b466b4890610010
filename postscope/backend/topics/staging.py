"""What a discovery found, in temporary tables of one transaction, and the statements that take it over from there."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from postscope.backend.tables import Topic
from postscope.indexing.topics.job import Result


def stage_found(session: Session, ids: Sequence[uuid.UUID], result: Result) -> None:
    """``found``: a row for each post that is still there. Until this transaction ends none of them can be deleted."""
    session.execute(
        text(
            "CREATE TEMPORARY TABLE found (post_id uuid PRIMARY KEY, label int, part int, theme int, strength float8, "
            "x float8, y float8) ON COMMIT DROP"
        )
    )
    themes = np.array([one.parent for one in result.found["topic"]] + [-1], np.int32)[result.labels]
    rows = zip(
        ids, result.labels.tolist(), result.parts.tolist(), themes.tolist(), result.strengths.tolist(),
        *result.places.T.tolist() or ([], []), strict=True,
    )  # fmt: skip
    copy_rows(session, "found (post_id, label, part, theme, strength, x, y)", rows)
    # A post that is being deleted now is waited for and then gone; the others stay until we have written.
    session.execute(
        text(
            "DELETE FROM found WHERE post_id NOT IN "
            "(SELECT id FROM posts WHERE id IN (SELECT post_id FROM found) FOR KEY SHARE)"
        )
    )
    session.execute(text("ANALYZE found"))


def stage_topics(session: Session, topics: Sequence[Topic | None], subtopics: Sequence[Topic | None]) -> None:
    """``found_topics`` and ``found_parts``: the topic of each label, the sub-topic of each part; ``held``, empty."""
    for table, many in (("found_topics", topics), ("found_parts", subtopics)):
        session.execute(text(f"CREATE TEMPORARY TABLE {table} (number int PRIMARY KEY, id uuid) ON COMMIT DROP"))
        copy_rows(session, f"{table} (number, id)", ((n, one.id) for n, one in enumerate(many) if one))
    session.execute(
        text("CREATE TEMPORARY TABLE held (post_id uuid PRIMARY KEY, topic_id uuid, strength float8) ON COMMIT DROP")
    )


def write_members(session: Session, run_id: uuid.UUID, *, read_at: datetime, now: datetime) -> None:
    """Where each post belongs now. What a person said stays, and what was said of it since the posts were read.

    A post that does not belong to a topic, because a person said so, is an outlier until the next one fits.
    """
    session.execute(
        text(
            """
            INSERT INTO topic_members (post_id, topic_id, subtopic_id, strength, run_id, assigned_at)
            SELECT post_id, CASE WHEN NOT excluded THEN topic_id END,
                CASE WHEN NOT excluded AND topic_id = found_topic THEN part_id END,
                CASE WHEN excluded OR topic_id IS NULL THEN 0 ELSE strength END, :run, :now
            FROM (
                SELECT f.post_id, coalesce(h.topic_id, t.id) AS topic_id, t.id AS found_topic, p.id AS part_id,
                    coalesce(h.strength, f.strength) AS strength,
                    EXISTS (SELECT FROM topic_exclusions e
                        WHERE e.post_id = f.post_id AND e.topic_id = coalesce(h.topic_id, t.id)) AS excluded
                FROM found f LEFT JOIN held h USING (post_id) LEFT JOIN found_topics t ON t.number = f.label
                LEFT JOIN found_parts p ON p.number = f.part
            ) AS placed
            ON CONFLICT (post_id) DO UPDATE SET topic_id = excluded.topic_id, subtopic_id = excluded.subtopic_id,
                strength = excluded.strength, run_id = excluded.run_id, assigned_at = excluded.assigned_at
            WHERE topic_members.corrected_by IS NULL
                -- What was said of a post since it was read is newer, but for: it fits nowhere that was known then.
                AND (topic_members.assigned_at <= :read_at OR topic_members.topic_id IS NULL)
            """
        ),
        {"run": run_id, "now": now, "read_at": read_at},
    )


def write_layout(session: Session, run_id: uuid.UUID) -> None:
    """Where each post lies on the map now."""
    session.execute(
        text(
            "INSERT INTO topic_layout (post_id, x, y, run_id) SELECT post_id, x, y, :run FROM found "
            "ON CONFLICT (post_id) DO UPDATE SET x = excluded.x, y = excluded.y, run_id = excluded.run_id"
        ),
        {"run": run_id},
    )


def write_times(session: Session) -> None:
    """First and newest post of every topic that lives, from its lowest layer up."""
    statement = """
        UPDATE topics SET born_at = seen.first, last_seen_at = seen.last FROM
            (SELECT {key} AS id, min(p.created_at) AS first, max(p.created_at) AS last
             FROM topic_members m JOIN posts p ON p.id = m.post_id {join} WHERE {key} IS NOT NULL GROUP BY 1) AS seen
        WHERE topics.id = seen.id AND topics.state IN ('active', 'candidate')
    """
    parent = "JOIN topics child ON child.id = m.topic_id"
    for key, join in (("m.topic_id", ""), ("m.subtopic_id", ""), ("child.parent_id", parent)):
        session.execute(text(statement.format(key=key, join=join)))


def stranded(session: Session) -> list[uuid.UUID]:
    """Posts that belong to a dead topic though the run looked at them: what was said since has to be said anew."""
    return list(
        session.scalars(
            text(
                "SELECT post_id FROM found JOIN topic_members m USING (post_id) JOIN topics t ON t.id = m.topic_id "
                "WHERE t.state IN ('dead', 'merged') AND m.corrected_by IS NULL"
            )
        )
    )


def totals(session: Session) -> dict[str, Any]:
    """Posts that were looked at, and the share of outliers among them, as the members say now."""
    row = session.execute(
        text(
            "SELECT count(*), count(*) FILTER (WHERE m.topic_id IS NULL) "
            "FROM found JOIN topic_members m USING (post_id)"
        )
    ).one()
    return {"posts": row[0], "outliers": row[1], "outlier_share": round(row[1] / row[0], 4) if row[0] else None}


def copy_rows(session: Session, into: str, rows: Any) -> None:
    """COPY rows into a table of this transaction."""
    cursor = session.connection().connection.cursor()
    try:
        with cursor.copy(f"COPY {into} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    finally:
        cursor.close()
