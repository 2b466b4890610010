"""deploy/kubernetes.yml against the settings and the commands it relies on."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from typer.main import get_command

from postscope import __version__
from postscope.backend.work import Stage
from postscope.cli.main import app
from tests.setting_names import walk

TEXT = (Path(__file__).resolve().parents[2] / "deploy" / "kubernetes.yml").read_text(encoding="utf-8")
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(TEXT))
PODS = [document["spec"]["template"]["spec"] for document in DOCUMENTS if "template" in document.get("spec", {})]


def test_every_variable_is_a_setting() -> None:
    assert set(re.findall(r"POSTSCOPE_[A-Z_]+", TEXT)) <= {name for name, _ in walk()}


def test_all_processes_are_there_and_their_commands_exist() -> None:
    commands = [pod["containers"][0]["command"] for pod in PODS]
    names = sorted(command[1] for command in commands)
    assert names == ["beat", "migrate", "runner", "serve", "worker", "worker"]
    assert {command[0] for command in commands} == {"postscope"}
    known: Any = get_command(app)
    assert set(names) <= set(known.commands)


def test_every_stage_has_a_worker_and_slow_media_have_one_of_their_own() -> None:
    found = sorted(
        {value for option, value in pairwise(pod["containers"][0]["command"]) if option == "--stages"}
        for pod in PODS
        if pod["containers"][0]["command"][1] == "worker"
    )
    assert sorted(map(sorted, found)) == sorted([["understand"], sorted({*map(str, Stage)} - {"understand"})])


def test_nothing_runs_as_root_or_writes_to_its_image() -> None:
    for pod in PODS:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["image"] == f"postscope:{__version__}"


def test_beat_is_never_there_twice() -> None:
    (beat,) = [document for document in DOCUMENTS if document["metadata"]["name"] == "postscope-beat"]
    assert beat["spec"]["replicas"] == 1
    assert beat["spec"]["strategy"] == {"type": "Recreate"}


def test_the_service_leads_to_the_api() -> None:
    (service,) = [document for document in DOCUMENTS if document["kind"] == "Service"]
    (api,) = [document for document in DOCUMENTS if document["metadata"]["name"] == "postscope-api"]
    assert service["spec"]["selector"] == api["spec"]["template"]["metadata"]["labels"]
    assert api["spec"]["template"]["spec"]["containers"][0]["ports"][0]["name"] == "http"
