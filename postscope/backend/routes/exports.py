"""Answers that can also be had as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import Request, Response
from pydantic import BaseModel

from postscope.backend.trends.exports import MIME, Row, chosen_format, to_csv, to_parquet
from postscope.backend.trends.requests import Format

TABLES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {MIME["csv"].split(";")[0]: {}, MIME["parquet"]: {}}, "description": "JSON, CSV or Parquet"}
}
"""What a route that answers with tables too says in the document."""


def answered(
    request: Request, asked: Format | None, out: BaseModel, rows: Callable[[], Sequence[Row]], name: str
) -> Any:
    """The answer in the format that ``format`` or ``Accept`` asks for.

    Args:
        request: for its ``Accept``.
        asked: the ``format`` of the query.
        out: the answer.
        rows: the same as a table.
        name: of the file, without extension.
    """
    chosen = chosen_format(asked, request.headers.get("accept", ""))
    if chosen == "json":
        return out
    body = to_csv(rows()) if chosen == "csv" else to_parquet(rows())
    headers = {"Content-Disposition": f'attachment; filename="{name}.{chosen}"', "Vary": "Accept"}
    return Response(body, media_type=MIME[chosen], headers=headers)
