"""Webhooks: signed, retried, each once, and never into the private network."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi.testclient import TestClient

from postscope.backend import webhooks
from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.errors import Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Webhook, WebhookDelivery
from postscope.backend.webhooks import Event
from postscope.workers.deliveries import deliver_due
from tests.conftest import ApiKeyMaker, SetClock, bearer
from tests.workers.conftest import OpenRuntime


@dataclass
class Receiver:
    """A server that remembers what it was sent and answers with these statuses, then with 204."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    messages: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.messages.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.statuses.pop(0) if made.statuses else 204)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def runtime(open_runtime: OpenRuntime, receiver: Receiver) -> Runtime:
    """May send to the receiver, and to nothing else that is private."""
    opened = open_runtime()
    allowed = opened.settings.webhooks.model_copy(
        update={"ports": (receiver.port,), "allow_networks": ("127.0.0.1/32",), "max_attempts": 3}
    )
    opened.settings = opened.settings.model_copy(update={"webhooks": allowed})
    return opened


def subscribe(runtime: Runtime, receiver: Receiver, *events: str) -> Webhook:
    with runtime.database.session() as session:
        return webhooks.create(
            session,
            runtime.messenger,
            f"http://127.0.0.1:{receiver.port}/hook",
            events or (Event.ALERT_RAISED,),
            actor="ada",
            now=runtime.clock(),
        )


def emit(runtime: Runtime, key: str = "1", event: Event = Event.ALERT_RAISED) -> int:
    with runtime.database.session() as session:
        return webhooks.emit(session, event, {"n": 1}, key=key, now=runtime.clock())


def only(runtime: Runtime) -> WebhookDelivery:
    with runtime.database.session() as session:
        return session.query(WebhookDelivery).one()


def test_a_message_arrives_signed(runtime: Runtime, receiver: Receiver, clock: SetClock) -> None:
    hook = subscribe(runtime, receiver)
    assert emit(runtime) == 1
    assert deliver_due(runtime) == 1
    ((headers, body),) = receiver.messages
    told = json.loads(body)
    assert (told["type"], told["data"]) == ("alert.raised", {"n": 1})
    assert headers["webhook-timestamp"] == str(int(clock().timestamp()))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (only(runtime).state, only(runtime).status) == ("delivered", 204)
    assert deliver_due(runtime) == 0


def test_the_same_event_is_sent_once(runtime: Runtime, receiver: Receiver) -> None:
    subscribe(runtime, receiver, "*")
    assert (emit(runtime, "a"), emit(runtime, "a"), emit(runtime, "b")) == (1, 0, 1)
    deliver_due(runtime)
    assert len(receiver.messages) == 2


def test_nobody_hears_what_was_not_asked_for_or_was_rolled_back(runtime: Runtime, receiver: Receiver) -> None:
    subscribe(runtime, receiver)
    assert emit(runtime, event=Event.MODERATION_MATCH) == 0
    with pytest.raises(RuntimeError), runtime.database.session() as session:
        webhooks.emit(session, Event.ALERT_RAISED, {}, key="x", now=runtime.clock())
        raise RuntimeError
    assert deliver_due(runtime) == 0


def test_it_is_tried_again_with_the_same_id_and_body_then_given_up(
    runtime: Runtime, receiver: Receiver, clock: SetClock
) -> None:
    subscribe(runtime, receiver)
    emit(runtime)
    receiver.statuses = [500, 503, 429]
    pauses = []
    for _ in range(2):
        deliver_due(runtime)
        pauses.append((only(runtime).next_attempt_at - clock()).total_seconds())
        assert deliver_due(runtime) == 0
        clock.forward(seconds=pauses[-1])
    deliver_due(runtime)
    assert pauses == [5, 10]
    assert (only(runtime).state, only(runtime).error) == ("failed", "the server answered 429")
    assert len({(headers["webhook-id"], body) for headers, body in receiver.messages}) == 1
    with runtime.database.session() as session:
        webhooks.retry(session, only(runtime).id, now=clock())
    deliver_due(runtime)
    assert only(runtime).state == "delivered"


@pytest.mark.parametrize("status", [301, 400, 404, 410])
def test_an_answer_that_will_not_change_is_not_tried_again(runtime: Runtime, receiver: Receiver, status: int) -> None:
    subscribe(runtime, receiver)
    emit(runtime)
    receiver.statuses = [status]
    deliver_due(runtime)
    assert (only(runtime).state, only(runtime).status) == ("failed", status)
    assert len(receiver.messages) == 1


def test_a_sender_that_dies_leaves_it_to_be_sent(runtime: Runtime, receiver: Receiver, clock: SetClock) -> None:
    subscribe(runtime, receiver)
    emit(runtime)
    with runtime.database.session() as session:
        assert webhooks.claim(session, now=clock())
    assert deliver_due(runtime) == 0
    clock.forward(seconds=webhooks.SENDING_SECONDS)
    assert deliver_due(runtime) == 1
    assert only(runtime).state == "delivered"


def test_two_senders_share_what_is_due(runtime: Runtime, receiver: Receiver) -> None:
    subscribe(runtime, receiver)
    for n in range(30):
        emit(runtime, str(n))
    threads = [threading.Thread(target=deliver_due, args=(runtime,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.messages) == len({headers["webhook-id"] for headers, _ in receiver.messages}) == 30


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "http"),
        ("http://user:pw@example.com/", "password"),
        ("http://example.com:22/", "port"),
        ("nothing", "http"),
    ],
)
def test_an_address_that_may_never_be_sent_to_is_refused(
    runtime: Runtime, receiver: Receiver, url: str, reason: str
) -> None:
    with runtime.database.session() as session, pytest.raises(Invalid) as caught:
        webhooks.create(session, runtime.messenger, url, ["*"], actor="ada", now=runtime.clock())
    assert caught.value.problems[0].field == "url"
    assert reason in caught.value.problems[0].reason


def test_a_private_address_is_never_sent_to(runtime: Runtime, receiver: Receiver) -> None:
    with runtime.database.session() as session:
        webhooks.create(
            session,
            runtime.messenger,
            f"http://127.0.0.2:{receiver.port}/",
            ["*"],
            actor="ada",
            now=runtime.clock(),
        )
    emit(runtime)
    deliver_due(runtime)
    assert only(runtime).state == "failed"
    assert receiver.messages == []


def test_the_api_shows_the_secret_once_and_to_admins_alone(
    runtime: Runtime, receiver: Receiver, api_key: ApiKeyMaker
) -> None:
    with TestClient(create_app(runtime)) as client:
        admin = bearer(api_key(Role.ADMIN))
        wanted = {"url": f"http://127.0.0.1:{receiver.port}/", "events": ["*"]}
        made = client.post("/v1/webhooks", json=wanted, headers=admin).json()
        assert made["secret"].startswith("whsec_")
        assert "secret" not in client.get("/v1/webhooks", headers=admin).text
        assert client.post(f"/v1/webhooks/{made['id']}/ping", headers=admin).status_code == 202
        deliver_due(runtime)
        (delivery,) = client.get(f"/v1/webhooks/{made['id']}/deliveries", headers=admin).json()["deliveries"]
        assert (delivery["event"], delivery["state"]) == ("webhook.ping", "delivered")
        again = client.post(f"/v1/webhooks/deliveries/{delivery['id']}/retry", headers=admin)
        assert (again.status_code, again.json()["code"]) == (409, "delivery_open")
        for name in ("No Event", "bank.match"):  # the second could be one, but is never told
            bad = client.post("/v1/webhooks", json={**wanted, "events": ["*", name]}, headers=admin)
            assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "events")
            assert "moderation.match" in bad.json()["detail"], "the reason says what there is"
        analyst = bearer(api_key(Role.ANALYST))
        assert client.get("/v1/webhooks", headers=analyst).status_code == 403
        assert client.delete(f"/v1/webhooks/{made['id']}", headers=admin).status_code == 204
        assert client.get("/v1/webhooks", headers=admin).json() == {"webhooks": []}
