"""Labels as people name them, and as the store knows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.errors import FieldProblem
from postscope.backend.tables import Taxonomy, TaxonomyLabel, TaxonomyVersion
from postscope.backend.tagging.definitions import invalid

LabelRef = Annotated[str, StringConstraints(min_length=3, max_length=1_000, pattern=r"^[^/]+/.+")]
"""How people name a label: ``taxonomy/label`` or ``taxonomy@2/label``."""

_REFERENCE: Final = re.compile(r"(?P<taxonomy>[^/@]+)(?:@(?P<number>[0-9]{1,9}))?/(?P<path>.+)")


def payload_name(taxonomy: str, number: int, path: str) -> str:
    """How the store knows a label. The version is in it, so that a switch is at once: nobody rewrites a million
    payloads, searches ask for another version."""
    return f"{taxonomy}@{number}/{path}"


@dataclass(frozen=True, slots=True)
class Named:
    """A label that somebody named: the id of its row, and how the store knows it."""

    label_id: int
    stored: str


def look_up(session: Session, named: Mapping[str, str]) -> dict[str, Named]:
    """The labels that people name: ``taxonomy/label`` of the live version, ``taxonomy@2/label`` of another one.

    Args:
        session: to read with.
        named: the label by the field that names it.

    Raises:
        Invalid: there is no such taxonomy, label or version, or the version was not applied.
    """
    found: dict[str, Named] = {}
    problems = []
    for field, name in named.items():
        label = _look_up(session, name)
        if isinstance(label, _Unknown):
            problems.append(FieldProblem(field, label.reason))
        else:
            found[name] = label
    if problems:
        raise invalid(problems)
    return found


@dataclass(frozen=True, slots=True)
class _Unknown:
    reason: str


def _look_up(session: Session, name: str) -> Named | _Unknown:
    match = _REFERENCE.fullmatch(name)
    if match is None:
        return _Unknown("is no label: write taxonomy/label, or taxonomy@2/label for a version")
    taxonomy, number, path = match["taxonomy"], match["number"], match["path"]
    query = (
        select(TaxonomyVersion.id, TaxonomyVersion.number)
        .join(Taxonomy, Taxonomy.id == TaxonomyVersion.taxonomy_id)
        .where(Taxonomy.name == taxonomy)
    )
    if number is None:
        query = query.where(TaxonomyVersion.state == "live")
        missing = f"the taxonomy {taxonomy!r} has no live version"
    else:
        query = query.where(TaxonomyVersion.number == int(number), TaxonomyVersion.applied_at.is_not(None))
        missing = f"the taxonomy {taxonomy!r} has no version {number} that was applied"
    version = session.execute(query).first()
    if version is None:
        return _Unknown(missing)
    there = select(TaxonomyLabel.id).where(TaxonomyLabel.version_id == version.id, TaxonomyLabel.path == path)
    label_id = session.scalar(there)
    if label_id is None:
        return _Unknown(f"the taxonomy {taxonomy!r} has no label {path!r} in version {version.number}")
    return Named(label_id, payload_name(taxonomy, version.number, path))


def live_names(session: Session) -> dict[str, str]:
    """What people call each label of a live version, by how the store knows it."""
    rows = session.execute(
        select(Taxonomy.name, TaxonomyVersion.number, TaxonomyLabel.path)
        .join(TaxonomyVersion, TaxonomyVersion.taxonomy_id == Taxonomy.id)
        .join(TaxonomyLabel, TaxonomyLabel.version_id == TaxonomyVersion.id)
        .where(TaxonomyVersion.state == "live")
    )
    return {payload_name(row.name, row.number, row.path): f"{row.name}/{row.path}" for row in rows}
