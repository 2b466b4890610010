"""docker-compose.yml and the Dockerfile against the settings and the command line they rely on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from postscope import __version__
from postscope.backend.settings import Mode, load_settings
from postscope.backend.work import Stage
from postscope.cli.main import app
from tests.setting_names import walk

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?:(:[-?])([^}]*))?\}")
STORES = {"postgres", "redis", "qdrant"}
OURS = {"migrate", "api", "worker", "understander", "runner", "beat"}
SECRETS = {"AUTHOR_KEY": "k" * 32, "POSTGRES_PASSWORD": "pg", "REDIS_PASSWORD": "red", "QDRANT_API_KEY": "qd"}

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def filled(value: str) -> str:
    """The value as compose fills it in when only the secrets are set."""
    return VARIABLE.sub(lambda found: SECRETS.get(found[1]) or (found[3] if found[2] == ":-" else ""), value)


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXT)["services"]
    return found


def test_all_services_are_there() -> None:
    assert set(services()) == STORES | OURS


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {name for name, _ in walk()}
    used = {name for service in services().values() for name in service["environment"] if "POSTSCOPE" in name}
    assert used
    assert used <= known


def test_the_settings_accept_what_compose_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services()["api"]["environment"].items():
        monkeypatch.setenv(name, filled(value))
    settings = load_settings()
    assert settings.mode is Mode.DISTRIBUTED
    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == "postgresql://postscope:pg@postgres:5432/postscope"
    assert settings.queue.url is not None
    assert settings.queue.url.get_secret_value() == "redis://:red@redis:6379/0"
    assert settings.store.url == "http://qdrant:6333"
    assert settings.api.host == "0.0.0.0"


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_has_no_default(secret: str) -> None:
    uses = [found for found in VARIABLE.finditer(TEXT) if found[1] == secret]
    assert uses
    assert {found[2] for found in uses} == {":?"}


def test_every_other_variable_has_a_default() -> None:
    assert [found[0] for found in VARIABLE.finditer(TEXT) if found[1] not in SECRETS and found[2] != ":-"] == []


def test_the_example_names_every_variable_with_its_default() -> None:
    example = (ROOT / "deploy" / "example.env").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, flags=re.MULTILINE))
    assert listed == {
        found[1]: "" if found[1] in SECRETS else found[3]
        for found in VARIABLE.finditer(TEXT)
    }  # fmt: skip


def test_images_and_the_open_port_are_variables() -> None:
    for service in services().values():
        assert service["image"].startswith("${IMAGE_")
        for port in service.get("ports", ()):
            assert filled(port) == "127.0.0.1:8765:8765"
            assert "${PORT:-" in port


def test_only_the_api_is_reachable_from_the_host() -> None:
    assert [name for name, service in services().items() if "ports" in service] == ["api"]


def test_nothing_runs_as_root() -> None:
    for service in services().values():
        assert service["user"].split(":")[0] not in ("", "0", "root")
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    last_stage = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER (\S+)$", last_stage, flags=re.MULTILINE)[1] == services()["api"]["user"]  # type: ignore[index]


def test_all_that_stay_have_a_health_check() -> None:
    assert {name for name, service in services().items() if "healthcheck" in service} == (STORES | OURS) - {"migrate"}


def test_what_is_written_lies_on_a_named_volume() -> None:
    declared = set(yaml.safe_load(TEXT)["volumes"])
    used = {volume.split(":")[0] for service in services().values() for volume in service["volumes"]}
    assert used == declared
    assert all(service["volumes"] for service in services().values())


def test_ours_wait_for_the_migration_and_it_for_healthy_stores() -> None:
    found = services()
    for name in OURS - {"migrate"}:
        assert found[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert found["migrate"]["depends_on"] == {name: {"condition": "service_healthy"} for name in STORES}
    assert found["migrate"]["restart"] == "no"


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_command_exists_with_its_options(name: str) -> None:
    program, command, *options = services()[name]["command"]
    assert program == "postscope"
    known = get_command(app).commands[command]  # type: ignore[attr-defined]
    flags = {flag for parameter in known.params for flag in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= flags


def test_every_stage_has_a_worker_and_slow_media_have_one_of_their_own() -> None:
    found = {name: stages(services()[name]["command"]) for name in ("worker", "understander")}
    assert found["understander"] == {"understand"}
    assert found["worker"] == {stage.value for stage in Stage} - {"understand"}


def stages(command: list[str]) -> set[str]:
    return {value for option, value in pairwise(command) if option == "--stages"}


def test_the_image_is_of_this_version() -> None:
    assert filled(services()["api"]["image"]) == f"postscope:{__version__}"


def test_the_image_installs_from_the_locks_and_copies_what_is_there() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    for lock in re.findall(r"requirements/\w+\.lock", dockerfile):
        assert (ROOT / lock).is_file()
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, flags=re.MULTILINE)
        for name in line.split()
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_prometheus_scrapes_the_service_that_listens() -> None:
    job, workers = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    (found,) = workers["dns_sd_configs"]
    for name in found["names"]:
        assert services()[name]["environment"]["POSTSCOPE_WORK__METRICS_PORT"] == str(found["port"])
    environment = services()["api"]["environment"]
    assert job["static_configs"] == [{"targets": [f"api:{environment['POSTSCOPE_API__PORT']}"]}]
    assert job["metrics_path"] == "/metrics"


def test_a_client_reads_it_as_it_is_meant(tmp_path: Path) -> None:
    """With the client that is here; it needs no engine for this."""
    client = compose_client()
    if client is None:
        pytest.skip("there is no docker compose here")
    # The first generation of the client knows no name of the project, and all else that is used here.
    text = TEXT if len(client) > 1 else re.sub(r"(?m)^name:.*$", "", TEXT)
    (tmp_path / "docker-compose.yml").write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [*client, "--file", str(tmp_path / "docker-compose.yml"), "config"],
        env={"PATH": os.environ["PATH"], **SECRETS}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    read = yaml.safe_load(ran.stdout)["services"]
    assert set(read) == set(services())
    for name, service in services().items():
        expected = {key: filled(str(value)) for key, value in (service.get("environment") or {}).items()}
        assert {key: str(value) for key, value in (read[name].get("environment") or {}).items()} == expected, name


def compose_client() -> list[str] | None:
    """How to call it; None where there is none."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None
