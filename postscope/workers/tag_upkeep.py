"""Keeps what taxonomies say in the live space: after a switch they are applied again, from stored definitions."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Role
from postscope.backend.errors import Conflict
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Run, TaxonomyVersion
from postscope.backend.tagging.going_live import stale

KIND = "tags.apply"
READERS = (Role.PRODUCT, Role.ANALYST, Role.MODERATOR)
ACTOR = "upkeep"
PATIENCE = timedelta(hours=1)
"""A run that failed is not asked for again before: its reason may need a person, or time."""


def start_again(runtime: Runtime, session: Session) -> None:
    """Ask for a run of each live version whose labels come from a space that is not live any more.

    Until it is done people see what was said before, marked as stale; new posts are said in the new space at once.
    """
    now = runtime.clock()
    for name, version in stale(session):
        tried = select(Run.id).where(
            Run.kind == KIND,
            Run.params["version_id"].as_integer() == version.id,
            Run.params["cause"].as_string() == "space",
            Run.created_at > now - PATIENCE,
        )
        if session.scalar(tried.limit(1)) is None:
            _ask(runtime, session, name, version)


def _ask(runtime: Runtime, session: Session, name: str, version: TaxonomyVersion) -> None:
    params = {"version_id": version.id, "taxonomy": name, "version": version.number, "cause": "space"}
    try:
        runs.start(
            session,
            KIND,
            params,
            actor=ACTOR,
            readers=READERS,
            now=runtime.clock(),
            exclusive=f"taxonomy:{version.taxonomy_id}",
        )
    except Conflict:
        return  # one is on its way, and the next sweep looks again
