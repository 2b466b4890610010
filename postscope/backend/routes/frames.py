"""Pictures of moments of a video."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from postscope.backend.auth import Role, require
from postscope.backend.blobs import BlobMissing
from postscope.backend.errors import Conflict
from postscope.backend.frames import nearest_frame
from postscope.backend.routes.state import runtime_of

router = APIRouter(prefix="/v1/posts", tags=["posts"])

READERS = (Role.PRODUCT, Role.MODERATOR, Role.ANALYST, Role.INGEST)


@router.get(
    "/{post_id}/media/{place}/frame",
    dependencies=[Depends(require(*READERS))],
    response_class=Response,
    responses={
        200: {
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
            "headers": {
                "X-Frame-Seconds": {"description": "when it is shown", "schema": {"type": "number"}},
                "X-Frame-Number": {"description": "which of the kept frames, from 0", "schema": {"type": "integer"}},
            },
        }
    },
)
def read_frame(
    request: Request,
    post_id: UUID,
    place: Annotated[int, Path(ge=0, le=1_000, description="which of the post's media, from 0", examples=[0])],
    t: Annotated[float, Query(ge=0, le=1_000_000, description="seconds since the beginning", examples=[12.5])] = 0.0,
) -> Response:
    """The kept frame of a video that is nearest to a second, as a small JPEG."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        frame = nearest_frame(session, post_id, place, t)
    try:
        picture = runtime.blobs.get(frame.sha256)
    except BlobMissing as error:
        raise Conflict("the picture of this frame is gone", code="no_frames") from error
    return Response(
        picture,
        media_type="image/jpeg",
        headers={"X-Frame-Seconds": f"{frame.seconds:.3f}", "X-Frame-Number": str(frame.number)},
    )
