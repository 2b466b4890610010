"""Taxonomies: define, read, apply."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from postscope.backend import audit, runs
from postscope.backend.auth import Caller, Role, require
from postscope.backend.errors import TooLarge
from postscope.backend.parameters import Counted
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import Taxonomy, TaxonomyExample, TaxonomyLabel, TaxonomyVersion
from postscope.backend.tagging import ending, reading, taxonomies
from postscope.backend.tagging.definitions import TaxonomyIn, TaxonomyName
from postscope.backend.tagging.going_live import is_stale, live_space
from postscope.backend.tagging.writing import forget_tags

router = APIRouter(prefix="/v1/taxonomies", tags=["taxonomies"])

READERS = (Role.PRODUCT, Role.ANALYST, Role.MODERATOR)
DEFINERS = (Role.PRODUCT, Role.ANALYST)
Reader = Depends(require(*READERS))
Definer = Annotated[Caller, Depends(require(*DEFINERS))]
MAX_FILE_BYTES = 10 * 1024 * 1024


class NewTaxonomy(TaxonomyIn):
    """A taxonomy with its first version."""

    name: TaxonomyName = Field(examples=["news"])

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "news",
                    "labels": [
                        {"name": "sport", "labels": [{"name": "football", "prompts": ["a football match"]}]},
                        {"name": "weather", "prompts": ["a weather forecast", "ein Unwetter"], "threshold": 0.6},
                    ],
                }
            ]
        }
    )


class ExampleOut(BaseModel):
    """An example of a label; ``positive``: the label is said of it."""

    positive: bool
    text: str | None = Field(examples=["What a goal"])
    post_id: UUID | None
    upload_id: UUID | None


class LabelOut(BaseModel):
    """A label with its threshold and where that comes from."""

    path: str = Field(examples=["sport/football"])
    description: str = Field(examples=["Matches, players, results"])
    prompts: list[str] = Field(
        description="empty: its name and description speak for it", examples=[["a football match"]]
    )
    threshold: float
    threshold_from: Literal["default", "given", "fitted"]
    fit: dict[str, Any] | None = Field(None, description="what the calibration found")
    examples: list[ExampleOut]


class VersionOut(BaseModel):
    """A version, without its labels."""

    version: int
    state: Literal["draft", "applying", "live", "old"]
    description: str = Field(examples=["What the desk writes about"])
    exclusive: bool
    open: bool
    background: list[str] = Field(examples=[["an advertisement"]])
    origin: str = Field(examples=["api"])
    based_on: int | None
    calibrated: bool
    created_by: str = Field(examples=["ada"])
    created_at: datetime
    applied_at: datetime | None
    stale: bool = Field(description="its labels were said in a space that is not live any more; it is applied again")

    @classmethod
    def of(cls, version: TaxonomyVersion, space: str | None) -> VersionOut:
        """As the API shows it, beside the space that is live."""
        fields = {name: getattr(version, name) for name in cls.model_fields if hasattr(version, name)}
        return cls(
            **fields, version=version.number, calibrated=version.calibration is not None, stale=is_stale(version, space)
        )


class TaxonomyOut(BaseModel):
    """A taxonomy and its versions, the newest first."""

    name: str = Field(examples=["news"])
    created_by: str = Field(examples=["ada"])
    created_at: datetime
    versions: list[VersionOut]


class TaxonomyList(BaseModel):
    """All taxonomies, by name."""

    taxonomies: list[TaxonomyOut]


class VersionContent(VersionOut):
    """A version with its labels, parents before their children."""

    taxonomy: str = Field(examples=["news"])
    labels: list[LabelOut]


@router.post("", status_code=201, summary="Make a taxonomy")
def create_taxonomy(body: NewTaxonomy, request: Request, caller: Definer) -> VersionContent:
    """Its first version is a draft: it says nothing of posts until it is applied."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        taxonomies.create(session, body.name, body, origin="api", actor=caller.name, now=runtime.clock())
        return _content(session, body.name, 1)


@router.post("/import", status_code=201, summary="Import a taxonomy from a file")
def import_taxonomy(
    request: Request,
    caller: Definer,
    file: UploadFile,
    name: Annotated[TaxonomyName, Query()],
    exclusive: Annotated[bool, Query(description="for CSV, which cannot say it")] = False,
) -> VersionContent:
    """YAML, JSON or CSV (`label`, `description`, `prompts`, `threshold`, `positive`, `negative`; several texts in a
    cell are separated by `|`, a label's parents by `/`). A name that is taken gets a new version, a draft."""
    runtime = runtime_of(request)
    data = file.file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge(f"file: larger than {MAX_FILE_BYTES} bytes")
    definition, origin = reading.read_taxonomy(data, file.filename or "", exclusive=exclusive)
    with runtime.database.session() as session:
        version = taxonomies.put(session, name, definition, origin=origin, actor=caller.name, now=runtime.clock())
        return _content(session, name, version.number)


@router.get("", summary="List taxonomies", dependencies=[Reader])
def list_taxonomies(request: Request) -> TaxonomyList:
    """All of them, with their versions."""
    with runtime_of(request).database.session() as session:
        space = live_space(session)
        return TaxonomyList(taxonomies=[_summary(row, versions, space) for row, versions in taxonomies.every(session)])


@router.get("/{name}", summary="Read a taxonomy", dependencies=[Reader])
def read_taxonomy(name: str, request: Request, version: Annotated[Counted | None, Query()] = None) -> VersionContent:
    """The live version, the newest where none is live, or the one asked for."""
    with runtime_of(request).database.session() as session:
        return _content(session, name, version)


@router.post("/{name}/versions", status_code=201, summary="Give a taxonomy a new version")
def add_version(name: str, body: TaxonomyIn, request: Request, caller: Definer) -> VersionContent:
    """A draft with this content. The live version goes on until another one is applied."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        made = taxonomies.add_version(session, name, body, origin="api", actor=caller.name, now=runtime.clock())
        return _content(session, name, made.number)


@router.post("/{name}/versions/{version}/apply", status_code=202, summary="Apply a version to all posts")
def apply_version(name: str, version: Counted, request: Request, caller: Definer) -> RunOut:
    """A run says the labels of every post that is here, by arithmetic on stored vectors; then the version is live at
    once, and the one before is old. An old version applied again is a way back."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        chosen = taxonomies.get_version(session, name, version)
        audit.record(
            session,
            actor=caller.name,
            action="taxonomy.apply",
            subject=f"taxonomy:{name}",
            evidence={"version": version, "state": chosen.state},
            now=runtime.clock(),
        )
        run = runs.start(
            session,
            "tags.apply",
            {"version_id": chosen.id, "taxonomy": name, "version": version},
            actor=caller.name,
            readers=READERS,
            now=runtime.clock(),
            exclusive=f"taxonomy:{chosen.taxonomy_id}",
        )
        return RunOut.of(run)


@router.delete("/{name}/versions/{version}", status_code=204, summary="Delete a draft or an old version")
def delete_version(name: str, version: Counted, request: Request, caller: Definer) -> None:
    """With what it said of posts. The live version cannot be deleted: withdraw it, or apply another one, before."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        ending.delete_version(
            session,
            name,
            version,
            forget=lambda version_id: forget_tags(runtime, version_id),
            actor=caller.name,
            now=runtime.clock(),
        )


@router.post("/{name}/withdraw", summary="Show a taxonomy no more")
def withdraw(name: str, request: Request, caller: Definer) -> VersionContent:
    """Of its live version nothing takes the place: new posts get none of its labels. What it said stays, as of an old
    version; applied again it is live again."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        version = ending.withdraw(session, name, actor=caller.name, now=runtime.clock())
        return _content(session, name, version.number)


def _summary(row: Taxonomy, versions: list[TaxonomyVersion], space: str | None) -> TaxonomyOut:
    return TaxonomyOut(
        name=row.name,
        created_by=row.created_by,
        created_at=row.created_at,
        versions=[VersionOut.of(version, space) for version in versions],
    )


def _content(session: Session, name: str, number: int | None) -> VersionContent:
    version = taxonomies.get_version(session, name, number)
    examples = taxonomies.examples_of(session, version.id)
    labels = [_label(label, examples.get(label.id, [])) for label in taxonomies.labels_of(session, version.id)]
    return VersionContent(**VersionOut.of(version, live_space(session)).model_dump(), taxonomy=name, labels=labels)


def _label(label: TaxonomyLabel, examples: list[TaxonomyExample]) -> LabelOut:
    shown = [ExampleOut.model_validate(example, from_attributes=True) for example in examples]
    fields = {field: getattr(label, field) for field in LabelOut.model_fields if field != "examples"}
    return LabelOut(**fields, examples=shown)
