"""Structured logs: one line an event, with the id of the request that caused it, and no secrets.

Lines of the standard library's loggers (uvicorn, Celery, SQLAlchemy) take the same way out.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HIDDEN: Final = "***"
_SECRET_NAME: Final = re.compile(
    r"(?:^|[_-])(?:authorization|cookie|key|secret|password|passwd|token|credentials?|dsn)$", re.IGNORECASE
)
_SECRETS_IN_TEXT: Final = (
    (re.compile(r"(?<=://)[^\s/@]*:[^\s/]*@"), f"{_HIDDEN}@"),  # user and password of a URL
    (re.compile(r"\bps_[A-Za-z0-9_-]{43}"), f"ps_{_HIDDEN}"),
    (re.compile(r"(?i)(\bbearer\s+)[^\s\"',]+"), rf"\1{_HIDDEN}"),
)
_DEEPEST: Final = 6
_TALKATIVE: Final = ("httpx", "httpcore", "urllib3", "sqlalchemy.engine", "PIL", "fsspec")


def configure_logging(level: str = "info", style: str = "json") -> None:
    """Send every log line of this process to standard error.

    Args:
        level: debug, info, warning or error.
        style: ``json``, one object a line, or ``console`` for a person.
    """
    before: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = _ToStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                _renderer(style),
            ],
        )
    )
    root = logging.getLogger()
    for earlier in [other for other in root.handlers if isinstance(other, _ToStderr)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class _ToStderr(logging.Handler):
    """Writes to whatever is standard error at that moment: a progress bar on the terminal takes its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide secrets: values under telling names, passwords inside URLs, API keys anywhere."""
    return {name: _clean(name, value, 0) for name, value in event.items()}


def _clean(name: str, value: Any, depth: int) -> Any:
    if _SECRET_NAME.search(name) and value is not None:
        return _HIDDEN
    if isinstance(value, str):
        for pattern, instead in _SECRETS_IN_TEXT:
            value = pattern.sub(instead, value)
        return value
    if depth >= _DEEPEST:
        return value
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner, depth + 1) for inner in value]
    return value


def _renderer(style: str) -> Processor:
    if style == "console":
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)


def sane_request_id(given: str | None) -> str:
    """The id that came with a request if it is harmless in a log, else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else uuid4().hex


@contextmanager
def bind_request_id(request_id: str | None) -> Iterator[None]:
    """Every log line inside carries this request id; None leaves things as they are."""
    if request_id is None:
        yield
        return
    with bound_contextvars(request_id=request_id):
        yield


def current_request_id() -> str | None:
    """Id of the request, or of the request whose post is being worked on."""
    found = get_contextvars().get("request_id")
    return found if isinstance(found, str) else None
