"""Files in."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, UploadFile
from pydantic import BaseModel, Field

from postscope.backend.auth import Role, require
from postscope.backend.routes.state import runtime_of
from postscope.backend.uploads import add_upload
from postscope.indexing.media.parts import MediaKind

router = APIRouter(prefix="/v1/media", tags=["media"])


class UploadOut(BaseModel):
    """A kept file; use ``id`` as ``upload_id`` of a post or a search. A video's size is known later."""

    id: UUID
    sha256: str = Field(examples=["3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"])
    kind: MediaKind = Field(examples=["image"])
    mime: str = Field(examples=["image/jpeg"])
    bytes: int = Field(examples=[184_220])
    width: int | None = Field(examples=[1024])
    height: int | None = Field(examples=[768])


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(require(Role.INGEST, Role.PRODUCT, Role.MODERATOR, Role.ANALYST))],
)
def upload_media(request: Request, file: UploadFile) -> UploadOut:
    """Upload an image (JPEG, PNG, WebP, GIF, AVIF, HEIC), a video (MP4, WebM, MOV, MKV) or a sound (MP3, AAC, M4A,
    OGG, Opus, WAV, FLAC). One that no post uses is forgotten after a day."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        upload = add_upload(
            session,
            runtime.blobs,
            file.file,
            max_bytes=runtime.settings.media.max_bytes,
            now=runtime.clock(),
            inspect=runtime.asked_stills.inspect,
        )
    return UploadOut(
        id=upload.id,
        sha256=upload.sha256,
        kind=cast(MediaKind, upload.kind),
        mime=upload.mime,
        bytes=upload.size,
        width=upload.width,
        height=upload.height,
    )
