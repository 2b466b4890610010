"""The end of a version: taken away from people, or removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import Conflict
from postscope.backend.tables import Run, TaxonomyVersion
from postscope.backend.tagging import taxonomies


def withdraw(session: Session, name: str, *, actor: str, now: datetime) -> TaxonomyVersion:
    """Nothing of a taxonomy is live any more: new posts get no label of it, and searches know none of it. What the
    version said stays, can be asked for by its number, and can be applied again.

    Raises:
        NotFound: there is no such taxonomy.
        Conflict: ``nothing_live``: no version is live.
    """
    taxonomy = taxonomies.get(session, name)
    live = session.scalar(
        select(TaxonomyVersion)
        .where(TaxonomyVersion.taxonomy_id == taxonomy.id, TaxonomyVersion.state == "live")
        .with_for_update()
    )
    if live is None:
        raise Conflict(f"no version of {name!r} is live", code="nothing_live")
    live.state = "old"
    evidence = {"version": live.number}
    audit.record(
        session, actor=actor, action="taxonomy.withdraw", subject=f"taxonomy:{name}", evidence=evidence, now=now
    )
    return live


def delete_version(
    session: Session, name: str, number: int, *, forget: Callable[[int], None], actor: str, now: datetime
) -> None:
    """Remove a version that is a draft or old, with what it said of posts. Who would apply it meanwhile waits.

    Args:
        session: it is gone when it commits.
        name: of the taxonomy.
        number: of the version.
        forget: removes what a version said, by its id, in transactions of its own.
        actor: who asked.
        now: the time.

    Raises:
        Conflict: ``version_in_use``: it is live, is being applied, or a run has to do with it.
        NotFound: there is no such version.
    """
    version = taxonomies.get_version(session, name, number, lock=True)
    if version.state in ("live", "applying"):
        raise Conflict(f"version {number} of {name!r} is {version.state}", code="version_in_use")
    busy = select(Run.kind).where(
        Run.state.in_(("waiting", "running")),
        Run.kind.in_(("tags.apply", "tags.calibrate")),
        Run.params["version_id"].as_integer() == version.id,
    )
    if (kind := session.scalar(busy.limit(1))) is not None:
        raise Conflict(f"the run {kind} of version {number} of {name!r} has not ended", code="version_in_use")
    forget(version.id)
    session.delete(version)
    evidence = {"version": number}
    audit.record(session, actor=actor, action="taxonomy.delete", subject=f"taxonomy:{name}", evidence=evidence, now=now)
