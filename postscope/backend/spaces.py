"""The way from one space to another: build beside, backfill, audit, switch at once, keep the old one for a while.

    (none) -> building -> live -> previous -> retired
                 |          ^--------'
                 '-> retired (cancelled)

From ``begin`` on, workers write every change to both collections, so the backfill has only to pass once over the
posts, in the order of their ids. Its cursor is in the row: a kill costs one batch. The rows are the truth; the alias
follows them, and the next start sets it right where a kill left the two apart.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.database import Clock, Database
from postscope.backend.errors import Conflict, NotFound
from postscope.backend.setting_groups import WEIGHTS, EncoderSettings
from postscope.backend.space_audit import AuditReport, audit_collection
from postscope.backend.tables import Post, SpaceRow
from postscope.backend.work import Stage
from postscope.indexing.stores.base import VectorStore
from postscope.indexing.types import Space

IndexInto = Callable[[Sequence[uuid.UUID]], None]
"""Writes the points of these posts, as they are now, into the collection that is being built."""

SWITCH = "space.switch"
ROLLBACK = "space.rollback"
DROP = "space.drop_previous"
"""Kinds of the runs that embed every post anew, go back, and give up the way back. Of all these one at a time, for
which ``SWITCH`` is their common claim."""


def index_all_again(session: Session, *, now: datetime) -> int:
    """Have every post indexed again, whatever its vectors are; how many they are."""
    session.execute(text("UPDATE posts SET indexed_content = NULL, indexed_version = NULL, indexed_at = NULL"))
    session.execute(
        text(
            f"""
            INSERT INTO work (post_id, stage, run_after, created_at)
            SELECT id, 'index', :now, :now FROM posts ORDER BY id
            {work.ASKED_AGAIN}
            """  # noqa: S608 - what is put in is a constant
        ),
        {"now": now},
    )
    return session.scalar(select(func.count()).select_from(Post)) or 0


class Spaces:
    """Reads and moves the rows of spaces, together with their collections and the alias."""

    def __init__(self, database: Database, store: VectorStore, *, alias: str, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._alias = alias
        self._clock = clock

    def begin(self, space: Space, encoder: EncoderSettings, *, collection: str, layout: int) -> SpaceRow:
        """Start to build a space, or go on with it. From the commit on, workers write to its collection too.

        Args:
            space: the fingerprint of the new encoder.
            encoder: the settings that open it.
            collection: exists already; workers may write to it at any moment.
            layout: the collection's layout.

        Raises:
            Conflict: the space is live already, or another one is being built.
        """
        with self._database.session() as session:
            rows = {row.id: row for row in session.scalars(select(SpaceRow).with_for_update())}
            other = next((row for row in rows.values() if row.state == "building" and row.id != space.id), None)
            if other is not None:
                raise Conflict(f"the space {other.id} is being built; finish or cancel it first")
            row = rows.get(space.id)
            if row is None:
                row = SpaceRow(id=space.id, dim=space.dim, created_at=self._clock(), backfill_done=0)
                session.add(row)
            elif row.state == "live":
                raise Conflict(f"the space {space.id} is live already")
            elif row.state == "building":
                return row
            row.encoder, row.collection, row.layout = encoder.model_dump(mode="json"), collection, layout
            row.state, row.switched_at, row.audit = "building", None, None
            row.backfill_after, row.backfill_done, row.backfill_finished_at = None, 0, None
            return row

    def reweigh(self, encoder: EncoderSettings) -> int | None:
        """Give the live space other weights: its posts are to be indexed again where they are.

        Returns:
            How many posts; None where these settings are not those of the live space but for the weights, or say
            nothing new.
        """
        with self._database.session() as session:
            row = session.scalar(select(SpaceRow).where(SpaceRow.state == "live").with_for_update())
            if row is None:
                return None
            current = EncoderSettings.model_validate(row.encoder)
            weighed = current.model_copy(update={name: getattr(encoder, name) for name in WEIGHTS})
            if weighed == current or (weighed.name, weighed.text_model) != (encoder.name, encoder.text_model):
                return None
            row.encoder = weighed.model_dump(mode="json")
            return index_all_again(session, now=self._clock())

    def backfill_step(self, space_id: str, index_into: IndexInto, *, batch: int) -> int:
        """Index the next batch of posts into the space that is being built.

        A kill in between repeats the batch, which is harmless.

        Returns:
            How many posts it was; 0 when every post has been visited.

        Raises:
            Conflict: the space is not being built (any more).
        """
        with self._database.session() as session:
            row = _locked(session, space_id, "building")
            after = row.backfill_after
            query = select(Post.id).order_by(Post.id).limit(batch)
            ids = list(session.scalars(query if after is None else query.where(Post.id > after)))
            if not ids:
                row.backfill_finished_at = row.backfill_finished_at or self._clock()
                return 0
        index_into(ids)
        with self._database.session() as session:
            # Two that work on it at once: only the one that finds the cursor where it was moves it.
            session.execute(
                update(SpaceRow)
                .where(
                    SpaceRow.id == space_id,
                    SpaceRow.state == "building",
                    SpaceRow.backfill_after.is_not_distinct_from(after),
                )
                .values(backfill_after=ids[-1], backfill_done=SpaceRow.backfill_done + len(ids))
            )
        return len(ids)

    def audit(self, space_id: str, *, sample: int = 200) -> AuditReport:
        """Check the collection that was built and keep the report; ``finish`` asks for one that passed.

        Raises:
            Conflict: the space is not being built, or its backfill has not come to its end.
        """
        with self._database.session() as session:
            row = _locked(session, space_id, "building")
            if row.backfill_finished_at is None:
                raise Conflict(f"the backfill of the space {space_id} has not come to its end")
            live = session.scalar(select(SpaceRow.collection).where(SpaceRow.state == "live"))
        report = audit_collection(self._database, self._store, row.collection, live=live, sample=sample)
        with self._database.session() as session:
            _locked(session, space_id, "building").audit = report.as_json() | {"at": self._clock().isoformat()}
        return report

    def restart_backfill(self, space_id: str) -> None:
        """Let the backfill pass over every post again, to fill what an audit found missing."""
        with self._database.session() as session:
            row = _locked(session, space_id, "building")
            row.backfill_after, row.backfill_done, row.backfill_finished_at = None, 0, None

    def finish(self, space_id: str) -> None:
        """Make the built space the live one, at once for every reader; the old one is kept as ``previous``.

        Raises:
            Conflict: it is not being built, not backfilled, or its audit did not pass.
        """
        with self._database.session() as session:
            row = _locked(session, space_id, "building")
            if row.backfill_finished_at is None:
                raise Conflict(f"the backfill of the space {space_id} has not come to its end")
            if not (row.audit or {}).get("passed"):
                raise Conflict(f"the audit of the space {space_id} has not passed", code="audit_failed")
            self._make_live(session, row)

    def rollback(self) -> SpaceRow:
        """Make the previous space live again, at once.

        What was indexed since the switch is not in its collection as it is now: those posts are queued, and are
        indexed again in the order of the queue. Deleted posts are in no collection.

        Returns:
            The space that is live now.

        Raises:
            NotFound: there is no previous space.
            Conflict: its collection is gone.
        """
        with self._database.session() as session:
            row = session.scalars(
                select(SpaceRow).where(SpaceRow.state == "previous").order_by(SpaceRow.switched_at.desc())
                .limit(1).with_for_update()
            ).first()  # fmt: skip
            if row is None:
                raise NotFound("there is no previous space to go back to")
            if row.collection not in self._store.collections():
                raise Conflict(f"the collection {row.collection} of the space {row.id} is gone")
            since = session.scalar(select(SpaceRow.switched_at).where(SpaceRow.state == "live"))
            self._queue_since(session, since)
            self._make_live(session, row)
            return row

    def cancel(self, space_id: str) -> None:
        """Give up a space that is being built, and remove its collection."""
        with self._database.session() as session:
            _locked(session, space_id, "building").state = "retired"
        self._drop_retired()

    def drop_previous(self) -> list[str]:
        """Remove what was kept for a rollback. Killed in between, the next call ends it.

        Returns:
            The collections that were removed.
        """
        with self._database.session() as session:
            session.execute(update(SpaceRow).where(SpaceRow.state == "previous").values(state="retired"))
        return self._drop_retired()

    def _drop_retired(self) -> list[str]:
        with self._database.session() as session:
            retired = set(session.scalars(select(SpaceRow.collection).where(SpaceRow.state == "retired")))
        dropped = sorted(retired & set(self._store.collections()))
        for collection in dropped:
            self._store.drop(collection)
        return dropped

    def _make_live(self, session: Session, row: SpaceRow) -> None:
        session.execute(update(SpaceRow).where(SpaceRow.state == "live").values(state="previous"))
        row.state, row.switched_at = "live", self._clock()
        session.flush()
        before = self._store.resolve(self._alias)
        # Last before the commit, so that a refusal of either leaves both as they were.
        self._store.set_alias(self._alias, row.collection)
        try:
            session.commit()
        except BaseException:
            if before is not None:
                self._store.set_alias(self._alias, before)
            raise

    def _queue_since(self, session: Session, since: datetime | None) -> None:
        changed = text(
            "SELECT id FROM posts WHERE indexed_version IS DISTINCT FROM version "
            "OR indexed_at >= CAST(:since AS timestamptz)"
        )
        ids = list(session.scalars(changed, {"since": since}))
        # Without this the index stage would take the vectors of the other space for up to date.
        forget = text("UPDATE posts SET indexed_content = NULL WHERE id = ANY(CAST(:ids AS uuid[]))")
        session.execute(forget, {"ids": ids})
        work.add(session, Stage.INDEX, ids, now=self._clock(), request_id=None)


def _locked(session: Session, space_id: str, state: str) -> SpaceRow:
    row = session.get(SpaceRow, space_id, with_for_update=True)
    if row is None:
        raise NotFound(f"there is no space {space_id}")
    if row.state != state:
        raise Conflict(f"the space {space_id} is {row.state}, not {state}")
    return row
