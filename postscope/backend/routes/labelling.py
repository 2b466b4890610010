"""What people say of posts, and what thresholds follow from it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from postscope.backend import audit, runs
from postscope.backend.auth import Caller, Role, require
from postscope.backend.errors import TooLarge
from postscope.backend.parameters import Counted
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import TaxonomyVersion
from postscope.backend.tagging import asking, calibrating, judged_files, judgements, taxonomies
from postscope.backend.tagging.judgements import Judgement
from postscope.backend.tagging.report_page import report_page

router = APIRouter(prefix="/v1/taxonomies", tags=["taxonomies"])

READERS = (Role.PRODUCT, Role.ANALYST, Role.MODERATOR)
Reader = Depends(require(*READERS))
Judge = Annotated[Caller, Depends(require(*READERS))]
Definer = Annotated[Caller, Depends(require(Role.PRODUCT, Role.ANALYST))]
Version = Annotated[Counted | None, Query(description="by default the live version, or the newest")]
MAX_FILE_BYTES = 32 * 1024 * 1024


class PostLabels(BaseModel):
    """All labels that a post has; none: none of these."""

    post_id: UUID
    labels: Annotated[list[str], Field(max_length=100)] = Field(examples=[["sport/football"]])

    model_config = ConfigDict(extra="forbid")


class JudgementsIn(BaseModel):
    """What somebody says of posts."""

    posts: Annotated[list[PostLabels], Field(min_length=1, max_length=1_000)]
    source: Literal["asked", "correction"] = Field(
        "asked", description="the post was shown to be labelled, or somebody corrects or confirms what was said of it"
    )

    model_config = ConfigDict(extra="forbid")


class KeptOut(BaseModel):
    """How many posts were judged; and rows that were passed over, since their posts are not here."""

    posts: int
    skipped: int


class GuessOut(BaseModel):
    """A label and its probability."""

    label: str = Field(examples=["sport"])
    score: float = Field(examples=[0.48])


class ToLabelOut(BaseModel):
    """A post to be labelled."""

    post_id: UUID
    uncertainty: float = Field(description="1: a label lies on its threshold; towards 0: far from all", examples=[0.92])
    guesses: list[GuessOut]


class ToLabelList(BaseModel):
    """The most informative first."""

    posts: list[ToLabelOut]


class ReportOut(BaseModel):
    """What a calibration found."""

    taxonomy: str = Field(examples=["news"])
    version: int
    actor: str = Field(examples=["ada"])
    created_at: datetime
    data_hash: str = Field(description="SHA-256 of the judgements", examples=["9f86d081884c7d65"])
    report: dict[str, Any] = Field(
        description="labels with precision, recall, F0.5 and its interval; calibration; slices",
        examples=[{"posts": 400, "weighted_f05": {"before": 0.41, "after": 0.72}}],
    )


class CalibrationIn(BaseModel):
    """Which version, and the seed of folds and resampling."""

    version: Counted | None = Field(None, description="by default the live version, or the newest")
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0

    model_config = ConfigDict(extra="forbid")


@router.get("/{name}/to-label", summary="Posts to label next", dependencies=[Reader])
def read_to_label(
    name: str,
    request: Request,
    version: Version = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    seed: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> ToLabelList:
    """Of posts that nobody has labelled those that would teach most: near a threshold, and unlike each other."""
    found = asking.posts_to_label(runtime_of(request), name, version, limit=limit, seed=seed)
    return ToLabelList(posts=[ToLabelOut.model_validate(post, from_attributes=True) for post in found])


@router.post("/{name}/labels", status_code=201, summary="Say what posts are")
def add_labels(name: str, body: JudgementsIn, request: Request, caller: Judge) -> KeptOut:
    """All labels of each post: those that are not named it has not. The newest word counts."""
    runtime = runtime_of(request)
    said = [
        Judgement(
            f"posts.{n}", item.post_id, None, tuple(item.labels),
            post_field=f"posts.{n}.post_id", labels_field=f"posts.{n}.labels",
        )
        for n, item in enumerate(body.posts)
    ]  # fmt: skip
    with runtime.database.session() as session:
        kept = judgements.keep(session, name, said, source=body.source, actor=caller.name, now=runtime.clock())
    return KeptOut.model_validate(kept, from_attributes=True)


@router.post("/{name}/labels/import", status_code=201, summary="Import what people said of posts")
def import_labels(
    name: str,
    request: Request,
    caller: Definer,
    file: UploadFile,
    unknown: Annotated[
        Literal["refuse", "skip"], Query(description="what becomes of rows whose post is not here")
    ] = "refuse",
) -> KeptOut:
    """JSONL or CSV: `post_id`, or `source` and `external_id`; and `labels` (all that the post has; in CSV separated by
    `|`), or `label` and `value` for one alone. A file with a wrong line is refused as a whole."""
    runtime = runtime_of(request)
    data = file.file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge(f"file: larger than {MAX_FILE_BYTES} bytes")
    said = judged_files.read_judgements(data, file.filename or "")
    with runtime.database.session() as session:
        kept = judgements.keep(
            session,
            name,
            said,
            source="upload",
            actor=caller.name,
            now=runtime.clock(),
            skip_unknown=unknown == "skip",
        )
    return KeptOut.model_validate(kept, from_attributes=True)


@router.post("/{name}/calibrate", status_code=202, summary="Fit thresholds to what people said")
def calibrate(name: str, body: CalibrationIn, request: Request, caller: Definer) -> RunOut:
    """A run fits probabilities and thresholds (F0.5) and reports what they do to posts that were not learned from. A
    draft is changed itself; of a version that was applied a new draft is made. Labels with fewer than ten posts on
    either side keep their threshold, and the report says so."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        version = taxonomies.get_version(session, name, body.version)
        audit.record(
            session,
            actor=caller.name,
            action="taxonomy.calibrate_asked",
            subject=f"taxonomy:{name}",
            evidence={"version": version.number, "seed": body.seed},
            now=runtime.clock(),
        )
        run = runs.start(
            session,
            "tags.calibrate",
            {"version_id": version.id, "taxonomy": name, "version": version.number, "seed": body.seed},
            actor=caller.name,
            readers=READERS,
            now=runtime.clock(),
            exclusive=f"taxonomy:{version.taxonomy_id}",
        )
        return RunOut.of(run)


@router.get("/{name}/report", summary="How good a taxonomy is", dependencies=[Reader])
def read_report(name: str, request: Request, version: Annotated[Counted | None, Query()] = None) -> ReportOut:
    """The newest calibration report, of any version or of the one asked for."""
    return _report(request, name, version)


@router.get(
    "/{name}/report.html",
    summary="How good a taxonomy is, as a page",
    dependencies=[Reader],
    response_class=HTMLResponse,
)
def read_report_page(name: str, request: Request, version: Annotated[Counted | None, Query()] = None) -> HTMLResponse:
    """The same for people, with reliability diagrams."""
    found = _report(request, name, version)
    page = report_page(found.taxonomy, found.version, found.report)
    return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})


def _report(request: Request, name: str, number: int | None) -> ReportOut:
    with runtime_of(request).database.session() as session:
        found = calibrating.report_of(session, name, number)
        version = session.get_one(TaxonomyVersion, found.version_id)
        return ReportOut(
            taxonomy=name,
            version=version.number,
            actor=found.actor,
            created_at=found.created_at,
            data_hash=found.data_hash.hex(),
            report=found.report,
        )
