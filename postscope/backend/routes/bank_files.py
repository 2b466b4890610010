"""Banks in and out as files, in the formats of Meta's ``threatexchange`` library."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from postscope.backend.auth import Caller, Role, require
from postscope.backend.banks import importing
from postscope.backend.banks.exchange import Format
from postscope.backend.routes.state import runtime_of

router = APIRouter(prefix="/v1/banks", tags=["banks"])

Reader = Annotated[Caller, Depends(require(Role.MODERATOR, Role.ANALYST, Role.PRODUCT))]
_TYPE_HELP = "pdq, vpdq, video_md5, video_sha256 or raw_text; needed for te, and for lines that do not name it"


class BadLineOut(BaseModel):
    """A line that was not taken, and why."""

    field: str = Field(examples=["line 7"])
    reason: str = Field(examples=["a pdq has 64 hexadecimal digits, not 63"])


class ImportOut(BaseModel):
    """What came of an import."""

    import_id: UUID
    entries: int = Field(description="that are new in the bank")
    duplicates: int = Field(description="signals that it had already, or that came twice")
    rejected: int
    problems: list[BadLineOut] = Field(description="the first hundred bad lines")
    note: str | None = Field(description="said where nothing was in the file but its header")


@router.post("/{bank_id}/import", summary="Import entries")
def import_entries(
    bank_id: UUID,
    request: Request,
    caller: Reader,
    file: UploadFile,
    format: Annotated[Format, Form()] = "csv",
    signal_type: Annotated[str | None, Form(max_length=60, description=_TYPE_HELP)] = None,
    skip_bad: Annotated[bool, Form(description="leave bad lines out instead of refusing the file")] = False,
) -> ImportOut:
    """Take in a file: all of it in one go, or, when a line is bad, nothing. 422 names the bad lines."""
    runtime = runtime_of(request)
    done = importing.load(
        runtime.database, bank_id, file.file, format, caller,
        now=runtime.clock(), signal_type=signal_type, skip_bad=skip_bad,
    )  # fmt: skip
    return ImportOut(
        import_id=done.import_id,
        entries=done.entries,
        duplicates=done.duplicates,
        rejected=done.rejected,
        problems=[BadLineOut(field=problem.field, reason=problem.reason) for problem in done.problems],
        note=done.note,
    )


@router.get(
    "/{bank_id}/export",
    summary="Export entries",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": "pdq f8f8f0ce…\n"}}}},
)
def export_entries(
    bank_id: UUID,
    request: Request,
    caller: Reader,
    format: Annotated[Format, Query()] = "csv",
    signal_type: Annotated[str | None, Query(max_length=60, description=_TYPE_HELP)] = None,
) -> StreamingResponse:
    """The whole bank. Texts that are known by their hash alone cannot be said in these formats, and are left out."""
    runtime = runtime_of(request)
    lines = importing.dump(runtime.database, bank_id, format, caller, signal_type=signal_type)
    kind = "text/csv" if format != "signals" else "text/plain"
    # a name of our own choice: one from outside could carry anything into the header
    headers = {
        "Content-Disposition": f'attachment; filename="bank-{bank_id}.{"txt" if format == "signals" else format}"'
    }
    return StreamingResponse(lines, media_type=f"{kind}; charset=utf-8", headers=headers)
