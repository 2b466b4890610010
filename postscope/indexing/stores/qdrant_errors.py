"""The client's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from postscope.indexing.stores.base import CollectionMissing, StoreError, StoreUnavailable, WrongDimension

_TRY_LATER = frozenset({401, 403, 408, 429})
# A key that is refused is an operator's to mend: work must wait for that, not fail.


@contextmanager
def translated(collection: str = "") -> Iterator[None]:
    """Raise what the client raises as a ``StoreError`` that names the collection, where there is one."""
    try:
        yield
    except UnexpectedResponse as error:
        raise _from_response(error, collection) from error
    except (ResponseHandlingException, ApiException, QdrantException, httpx.HTTPError, OSError) as error:
        raise StoreUnavailable(f"the vector store does not answer: {error}") from error
    except (ValueError, RuntimeError) as error:
        ours = _from_message(str(error), collection)
        if ours is None:
            raise
        raise ours from error


def _from_response(error: UnexpectedResponse, collection: str) -> Exception:
    status = error.status_code or 0
    reason = error.content.decode("utf-8", "replace")[:500]
    if status == 404:
        return CollectionMissing(f"no collection or alias {collection!r}")
    if "dimension error" in reason:
        return WrongDimension(f"collection {collection!r}: {reason}")
    if status >= 500 or status in _TRY_LATER:
        return StoreUnavailable(f"the vector store answers {status}: {reason}")
    return ValueError(f"collection {collection!r}: the vector store answers {status}: {reason}")


def _from_message(message: str, collection: str) -> StoreError | None:
    """The client's local mode has no error types of its own; None: a caller's mistake."""
    if message.startswith("Collection ") and message.endswith(" not found"):
        return CollectionMissing(f"no collection or alias {collection!r}")
    if "dimension error" in message:
        return WrongDimension(f"collection {collection!r}: {message}")
    return None
