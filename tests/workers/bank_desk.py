"""What the tests of banks do, in words of the domain."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.runtime import Runtime
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from tests.conftest import ApiKeyMaker, bearer
from tests.workers.conftest import Desk

ALL = (Stage.EXTRACT, Stage.INDEX, Stage.ENRICH)
SCAM = "Double your money within a single day, just send it to this wallet and wait"


class BankDesk:
    """A moderator at the API, and posts that come in."""

    def __init__(self, runtime: Runtime, desk: Desk, http: TestClient, key: Callable[..., str]) -> None:
        self.runtime = runtime
        self.desk = desk
        self.http = http
        self._key = key
        self._headers: dict[str, dict[str, str]] = {}
        self._count = 0

    def ask(self, method: str, path: str, body: Any = None, *, role: Role = Role.MODERATOR, status: int = 200) -> Any:
        """One call by somebody of a role; the answer has this status."""
        name = role.value
        if name not in self._headers:
            self._headers[name] = bearer(self._key(role, name=name))
        answer = self.http.request(method, path, json=body, headers=self._headers[name])
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def bank(self, name: str = "scams", **more: Any) -> str:
        return str(self.ask("POST", "/v1/banks", {"name": name, **more}, status=201)["id"])

    def entry(self, bank: str, *, status: int = 201, **what: Any) -> Any:
        return self.ask("POST", f"/v1/banks/{bank}/entries", what, status=status)

    def text_entry(self, bank: str, text: str = SCAM, **more: Any) -> Any:
        return self.entry(bank, hashes=[{"kind": "text", "value": text}], **more)

    def upload(self, data: bytes | Image.Image, kind: str = "PNG") -> str:
        if isinstance(data, Image.Image):
            out = io.BytesIO()
            data.save(out, kind)
            data = out.getvalue()
        with self.runtime.database.session() as session:
            made = add_upload(
                session, self.runtime.blobs, io.BytesIO(data), max_bytes=10**7, now=self.runtime.clock()
            )  # fmt: skip
            return str(made.id)

    def post(self, text: str = "", *, uploads: list[str] | None = None, run: bool = True, **more: Any) -> UUID:
        """A post that comes in, and is worked on."""
        self._count += 1
        row: dict[str, Any] = {"external_id": f"n{self._count}", "text": text, **more}
        if uploads:
            row["media"] = [{"upload_id": upload} for upload in uploads]
        [post_id] = self.desk.post(row)
        if run:
            self.desk.run(*ALL)
        return post_id

    def verdict(self, post_id: UUID, role: Role = Role.MODERATOR) -> Any:
        return self.ask("GET", f"/v1/posts/{post_id}/moderation", role=role)

    def audit(self) -> list[str]:
        return [entry["action"] for entry in self.ask("GET", "/v1/audit", role=Role.ADMIN)["entries"]]


@pytest.fixture
def banks(runtime: Runtime, desk: Desk, api_key: ApiKeyMaker) -> Any:
    with TestClient(create_app(runtime)) as http:
        yield BankDesk(runtime, desk, http, api_key)
