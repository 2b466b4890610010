"""Banks in the formats of Meta's ``threatexchange`` library, 1.2.17: reading and writing, a line at a time.

``csv``: what ``threatexchange dataset -P --csv`` prints: ``signal_type, signal_str, collab, category, tags``; beside
these our own columns ``severity, source, note, expires_at, thresholds, enabled``, which the library does not look at.

``signals``: a line a signal, ``<type> <signal>``, as its ``local_file`` exchange reads it.

``te``: rows of its ThreatExchange dumps (``simple.<INDICATOR>.te``): indicator, descriptor id, time, labels. The type
of the indicators is in the file's name, so it is told beside.

A cell that a spreadsheet would take for a formula gets an apostrophe before it, which reading takes off again. The
library leaves signs out before it compares texts, so that hashes of both still match.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TextIO

from postscope.backend.banks import cells
from postscope.backend.banks.cells import BadLine
from postscope.backend.banks.entries import NewSignal, signals_of
from postscope.backend.banks.schema import Severity
from postscope.indexing.known.signals import BadSignal, write_vpdq

Format = Literal["csv", "signals", "te"]

COLUMNS: Final = ("signal_type", "signal_str", "collab", "category", "tags")
OWN_COLUMNS: Final = ("severity", "source", "note", "expires_at", "thresholds", "enabled")
MAX_LINE: Final = 2_200_000
"""Characters of the longest line: a long video's vPDQ."""

_TYPES: Final = {
    "pdq": "pdq",
    "hash_pdq": "pdq",
    "vpdq": "vpdq",
    "md5": "md5",
    "video_md5": "md5",
    "hash_md5": "md5",
    "hash_video_md5": "md5",
    "sha256": "sha256",
    "video_sha256": "sha256",
    "hash_sha256": "sha256",
    "hash_video_sha256": "sha256",
    "raw_text": "text",
    "text": "text",
    "text_string": "text",
    "text_hash": "text_hash",
}
_NAMES: Final = {"pdq": "pdq", "vpdq": "vpdq", "md5": "video_md5", "sha256": "video_sha256", "text": "raw_text"}
_INDICATORS: Final = {
    "pdq": "HASH_PDQ",
    "md5": "HASH_VIDEO_MD5",
    "sha256": "HASH_VIDEO_SHA256",
    "text": "TEXT_STRING",
}
_CATEGORIES: Final = ("POSITIVE_CLASS", "INVESTIGATION_SEED", "NEGATIVE_CLASS", "DISPUTED")


@dataclass(frozen=True, slots=True)
class Told:
    """One entry as a file tells it; ``harmless`` is what the file says of it, None where it says nothing."""

    signals: tuple[NewSignal, ...]
    severity: Severity = "medium"
    source: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()
    enabled: bool = True
    expires_at: datetime | None = None
    harmless: bool | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one line of a file: an entry, or the reason why it is none."""

    number: int
    entry: Told | None = None
    problem: str | None = None


def read(file: TextIO, format: Format, *, signal_type: str | None = None) -> Iterator[Line]:
    """The lines of a file, numbered from 1; empty ones are left out.

    Args:
        file: opened as UTF-8 with ``errors="strict"`` and ``newline=""``.
        format: what it is written in.
        signal_type: of ``signals`` and ``te``, the type of all its signals where the lines do not name it.

    Raises:
        BadLine: the whole file is none: a line is too long, a ``csv`` has not even a header, a type is unknown.
    """
    kind = _kind(signal_type) if signal_type else None
    if format == "signals":
        for number, line in enumerate(_lines(file), 1):
            if line.strip():
                yield _line(number, lambda line=line: _of_signal_line(line, kind))
        return
    csv.field_size_limit(MAX_LINE)  # a long video's vPDQ is longer than the limit that csv begins with
    rows = csv.reader(_lines(file), strict=True)
    header: list[str] | None = None
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Line(rows.line_num, problem=f"no CSV: {error}")
            return
        if row is None:
            if format == "csv" and header is None:
                raise BadLine("is empty: there is not even a header in it")
            return
        if not row or not any(cell.strip() for cell in row):
            continue
        if format == "csv" and header is None:
            header = [cell.strip().lower() for cell in row]
            if missing := [name for name in COLUMNS[:2] if name not in header]:
                yield Line(rows.line_num, problem=f"the header lacks {' and '.join(missing)}")
                return
            continue
        if header is not None:
            yield _line(rows.line_num, lambda row=row, header=header: _of_cells(_by_heading(header, row)))
        else:
            yield _line(rows.line_num, lambda row=row: _of_te_row(row, kind))


def write(
    entries: Iterable[tuple[Told, bool]], format: Format, *, collab: str, signal_type: str | None
) -> Iterator[str]:
    """The lines of a file, one signal a line; what a format cannot say (a text known by its hash) is left out.

    Args:
        entries: each with whether its bank is harmless.
        format: what to write.
        collab: the bank's name.
        signal_type: of ``te``, the one type that a file holds.
    """
    if format == "csv":
        yield _row([*COLUMNS, *OWN_COLUMNS])
    wanted = _kind(signal_type) if signal_type else None
    for number, (entry, harmless) in enumerate(entries, 1):
        for signal in entry.signals:
            written = _written(signal)
            if written is None or (wanted is not None and signal.kind != wanted):
                continue
            if format == "signals":
                yield f"{_NAMES[signal.kind]} {' '.join(written.splitlines())}\n"
            elif format == "te":
                yield _row([cells.safe(written), str(number), "", cells.safe(" ".join(entry.tags))])
            else:
                yield _row(_csv_row(signal.kind, written, entry, collab, harmless))


def exportable(signal: NewSignal) -> bool:
    """Whether a hash can be said in these formats."""
    return signal.turn == 0 and _written(signal) is not None


def indicator_of(kind: str) -> str | None:
    """The ThreatExchange name of a kind of hash; None where it has none."""
    return _INDICATORS.get(kind)


def _kind(name: str) -> str:
    kind = _TYPES.get(name.strip().lower())
    if kind is None:
        raise BadLine(f"no signal type {name.strip()[:60]!r}; known are {', '.join(sorted(set(_NAMES.values())))}")
    return kind


def _line(number: int, make: Any) -> Line:
    try:
        return Line(number, make())
    except (BadLine, BadSignal) as error:
        return Line(number, problem=str(error))


def _lines(file: TextIO) -> Iterator[str]:
    """With a limit, so that a file without an end of line takes no memory."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise BadLine(f"a line has more than {MAX_LINE:,} characters")
        yield line


def _of_signal_line(line: str, kind: str | None) -> Told:
    name, _, rest = line.strip().partition(" ")
    if kind is None:
        return Told(tuple(signals_of(_kind(name), rest.strip())))
    return Told(tuple(signals_of(kind, line.strip())))


def _of_te_row(row: list[str], kind: str | None) -> Told:
    if kind is None:
        raise BadLine("the type of the signals must be told beside a te file")
    if len(row) < 4:
        raise BadLine(f"a row has indicator, descriptor id, time and labels, not {len(row)} cells")
    return Told(tuple(signals_of(kind, cells.plain(row[0]))), tags=cells.tags(row[3]))


def _by_heading(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) > len(header):
        raise BadLine(f"{len(row)} cells under {len(header)} headings")
    return dict(zip(header, (cells.plain(cell) for cell in row), strict=False))


def _of_cells(told: dict[str, str]) -> Told:
    kind = _kind(told.get("signal_type", ""))
    category = told.get("category", "").strip().upper()
    if category and category not in _CATEGORIES:
        raise BadLine(f"no category {category[:60]!r}; known are {', '.join(_CATEGORIES)}")
    return Told(
        tuple(signals_of(kind, told.get("signal_str", ""))),
        severity=cells.severity(told.get("severity", "")),
        source=cells.text_of(told, "source") or cells.text_of(told, "collab"),
        note=cells.text_of(told, "note"),
        tags=cells.tags(told.get("tags", "")),
        thresholds=cells.thresholds(told.get("thresholds", "")),
        enabled=cells.enabled(told.get("enabled", "")),
        expires_at=cells.expiry(told.get("expires_at", "")),
        harmless=category == "NEGATIVE_CLASS" if category else None,
    )


def _written(signal: NewSignal) -> str | None:
    if signal.kind in ("shingles", "scene", "look", "sound", "sound_track") or signal.turn:
        return None
    if signal.kind == "text":
        return signal.text
    return write_vpdq(signal.value) if signal.kind == "vpdq" else signal.value.hex()


def _csv_row(kind: str, written: str, entry: Told, collab: str, harmless: bool) -> list[str]:
    told = [
        _NAMES[kind],
        written,
        collab,
        "NEGATIVE_CLASS" if harmless else "POSITIVE_CLASS",
        " ".join(entry.tags),
        entry.severity,
        entry.source,
        entry.note,
        entry.expires_at.isoformat() if entry.expires_at else "",
        json.dumps(dict(entry.thresholds)) if entry.thresholds else "",
        str(entry.enabled).lower(),
    ]
    return [cells.safe(cell) for cell in told]


def _row(row: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(row)
    return out.getvalue()
