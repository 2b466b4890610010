"""The start of a process: the live space has a row, a collection of the newest layout, and the alias."""

from __future__ import annotations

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.errors import Conflict
from postscope.backend.runtime import ALIAS, Runtime
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.spaces import index_all_again
from postscope.backend.tables import SpaceRow
from postscope.migrations.collections.layouts import upgrade_collection

log = structlog.get_logger(__name__)

_RUN_ONLY = ("device", "threads")
"""Encoder settings that say where a model runs; the others shape its vectors and belong to the space."""


def ensure_live_space(runtime: Runtime) -> SpaceRow:
    """Make the live space on the first start; later bring its collection and its alias up to date.

    Where the settings name another encoder than the live space's, the live one goes on serving with its own, and
    the log says that a switch is waiting. Several processes may start at once.

    Raises:
        Conflict: ``model_changed``: the model of these settings makes other vectors than those in the collection.
        NotReady: the model or a newer collection's layout cannot be had.
        StoreError: the store does not answer.
    """
    row = _live_row(runtime) or _first(runtime)
    _check_settings(runtime, row)
    space = runtime.live.encoder.space
    if space.id != row.id:
        raise Conflict(
            f"the model {row.encoder['name']!r} now makes vectors of space {space.id}, the live space is {row.id}; "
            "install the version it was made with, or run `postscope space switch`",
            code="model_changed",
        )
    if row.collection not in runtime.store.collections():
        _rebuild(runtime, row)
    else:
        _upgrade_layout(runtime, row)
    # A process killed between the alias and its commit leaves them apart: the row is the truth.
    if runtime.store.resolve(ALIAS) != row.collection:
        runtime.store.set_alias(ALIAS, row.collection)
    return row


def _live_row(runtime: Runtime) -> SpaceRow | None:
    with runtime.database.session() as session:
        return session.scalar(select(SpaceRow).where(SpaceRow.state == "live"))


def _first(runtime: Runtime) -> SpaceRow:
    model = runtime.live
    space = model.encoder.space
    layout = upgrade_collection(runtime.store, model.collection, space.dim)
    now = runtime.clock()
    with runtime.database.session() as session:
        session.execute(
            insert(SpaceRow)
            .values(
                id=space.id,
                encoder=runtime.settings.encoder.model_dump(mode="json"),
                dim=space.dim,
                collection=model.collection,
                layout=layout,
                state="live",
                created_at=now,
                switched_at=now,
            )
            .on_conflict_do_nothing()  # another process was faster
        )
        row = session.scalars(select(SpaceRow).where(SpaceRow.state == "live")).one()
    runtime.forget_live()  # it may be the other's
    return row


def _check_settings(runtime: Runtime, row: SpaceRow) -> None:
    wanted = runtime.settings.encoder
    current = EncoderSettings.model_validate(row.encoder)
    kept = {name: getattr(wanted, name) for name in _RUN_ONLY}
    here = current.model_copy(update=kept)
    if here != wanted:
        log.warning("space_switch_waiting", live=row.id, settings=wanted.name, run="postscope space switch")
    if here != current:
        with runtime.database.session() as session:
            _set(session, row, encoder=here.model_dump(mode="json"))
        runtime.forget_live()


def _upgrade_layout(runtime: Runtime, row: SpaceRow) -> None:
    layout = upgrade_collection(runtime.store, row.collection, row.dim, layout=row.layout)
    if layout != row.layout:
        with runtime.database.session() as session:
            _set(session, row, layout=layout)


def _rebuild(runtime: Runtime, row: SpaceRow) -> None:
    """The vectors are gone (a lost disk, a removed folder) but not the posts: have them all indexed again."""
    layout = upgrade_collection(runtime.store, row.collection, row.dim)
    with runtime.database.session() as session:
        _set(session, row, layout=layout)
        index_all_again(session, now=runtime.clock())
    log.warning("collection_rebuilt", collection=row.collection)


def _set(session: Session, row: SpaceRow, **values: object) -> None:
    session.execute(update(SpaceRow).where(SpaceRow.id == row.id).values(**values))
    for name, value in values.items():
        setattr(row, name, value)
