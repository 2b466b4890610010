"""From a draft to what people see: applied, live, and stale once the space of its labels is not live any more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import NotFound
from postscope.backend.tables import SpaceRow, Taxonomy, TaxonomyVersion


def begin_applying(session: Session, version_id: int) -> TaxonomyVersion:
    """From here on new posts get its labels too. One that is live stays live.

    Raises:
        NotFound: it was deleted.
    """
    version = session.get(TaxonomyVersion, version_id, with_for_update=True)
    if version is None:
        raise NotFound("the version was deleted")
    if version.state != "live":
        session.execute(
            update(TaxonomyVersion)
            .where(
                TaxonomyVersion.taxonomy_id == version.taxonomy_id,
                TaxonomyVersion.state == "applying",
                TaxonomyVersion.id != version_id,
            )
            .values(state=case((TaxonomyVersion.applied_at.is_(None), "draft"), else_="old"))
        )
        version.state = "applying"
    return version


def make_live(
    session: Session, version_id: int, *, space: str, actor: str, evidence: dict[str, Any], now: datetime
) -> None:
    """The version that was applied is what people see, from the commit on; the one before is old.

    Args:
        session: it is live when it commits.
        version_id: of the version.
        space: whose vectors its labels were said by.
        actor: who asked.
        evidence: for the audit log.
        now: the time.

    Raises:
        NotFound: it was deleted.
    """
    version = session.get(TaxonomyVersion, version_id, with_for_update=True)
    if version is None:
        raise NotFound("the version was deleted")
    name = session.scalars(select(Taxonomy.name).where(Taxonomy.id == version.taxonomy_id)).one()
    before = session.scalar(
        select(TaxonomyVersion.number).where(
            TaxonomyVersion.taxonomy_id == version.taxonomy_id, TaxonomyVersion.state == "live"
        )
    )
    session.execute(
        update(TaxonomyVersion)
        .where(
            TaxonomyVersion.taxonomy_id == version.taxonomy_id,
            TaxonomyVersion.state == "live",
            TaxonomyVersion.id != version_id,
        )
        .values(state="old")
    )
    version.state, version.applied_at, version.applied_space = "live", now, space
    audit.record(
        session,
        actor=actor,
        action="taxonomy.live",
        subject=f"taxonomy:{name}",
        evidence={"version": version.number, "before": before, **evidence},
        now=now,
    )


def live_space(session: Session) -> str | None:
    """The id of the space that is live; None before the first start."""
    return session.scalar(select(SpaceRow.id).where(SpaceRow.state == "live"))


def is_stale(version: TaxonomyVersion, space: str | None) -> bool:
    """Whether people see labels that were said in a space that is not live any more."""
    return version.state == "live" and version.applied_space != space


def stale(session: Session) -> list[tuple[str, TaxonomyVersion]]:
    """The versions that are to be applied again, with the names of their taxonomies, in the order of these."""
    space = live_space(session)
    rows = session.execute(
        select(Taxonomy.name, TaxonomyVersion)
        .join(TaxonomyVersion, TaxonomyVersion.taxonomy_id == Taxonomy.id)
        .where(TaxonomyVersion.state == "live")
        .order_by(Taxonomy.name)
    )
    return [(name, version) for name, version in rows if is_stale(version, space)]
