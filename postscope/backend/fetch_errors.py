"""What can go wrong while a URL is fetched.

FetchError         each carries a stable ``code``, a reason that a person can read, and ``retryable``
├── Refused        refused_url, refused_scheme, refused_userinfo, refused_port, refused_address; never so
├── FetchTimeout   fetch_timeout: too slow as a whole, or in one of its parts; retryable
├── FetchTooLarge  fetch_too_large: more bytes than the limit, announced or sent; never retryable
└── FetchFailed    fetch_dns, fetch_connect, fetch_tls, fetch_status, fetch_redirects, fetch_protocol,
                   fetch_encoding; retryable when another time may differ: no connection, 408, 425, 429, 5xx

The reasons name no address that a name was resolved to: they reach whoever posted the URL, who could map a
private network with them.
"""

from __future__ import annotations

_RETRYABLE_STATUSES = frozenset({408, 425, 429})


class FetchError(Exception):
    """Root of the tree.

    Attributes:
        code: stable, for machines.
        reason: one sentence, for a person.
        retryable: whether the same URL may well work another time.
    """

    def __init__(self, reason: str, *, code: str, retryable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.retryable = retryable


class Refused(FetchError):
    """The URL, or one that it redirects to, must not be fetched; nothing was sent to it."""

    def __init__(self, reason: str, *, what: str) -> None:
        super().__init__(reason, code=f"refused_{what}")


class FetchTimeout(FetchError):
    """The answer took too long."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="fetch_timeout", retryable=True)


class FetchTooLarge(FetchError):
    """The answer has more bytes than the limit."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="fetch_too_large")


class FetchFailed(FetchError):
    """The other side cannot be reached, or does not give the file.

    Attributes:
        status: the HTTP status it answered, when it did answer.
    """

    def __init__(self, reason: str, *, what: str, retryable: bool = False, status: int | None = None) -> None:
        super().__init__(reason, code=f"fetch_{what}", retryable=retryable)
        self.status = status

    @classmethod
    def of_status(cls, status: int) -> FetchFailed:
        """An answer that is neither the file nor a redirect."""
        retryable = status >= 500 or status in _RETRYABLE_STATUSES
        return cls(f"the server answered {status}", what="status", retryable=retryable, status=status)
