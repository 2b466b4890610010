from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from postscope.backend.auth import Role
from postscope.backend.inventory import download_models, models_in_use
from postscope.backend.settings import load_settings
from postscope.cli.main import app
from postscope.indexing.encoders import weights
from postscope.indexing.encoders.weights import BUNDLED, WeightsFile
from tests.conftest import ApiKeyMaker, bearer


def test_every_bundled_model_is_here_and_is_the_pinned_one() -> None:
    found = models_in_use(load_settings())
    assert {model.state for model in found} == {"ok"}
    assert {"meaning of texts", "meaning of images", "speech", "words in pictures", "language of a text"} == {
        model.purpose for model in found
    }
    assert all(model.size and model.version and model.licence and model.sha256 for model in found)


def test_every_file_of_a_bundled_encoder_is_listed_under_its_setting() -> None:
    listed = {
        model.file
        for name in ("bundled", "bundled-en")
        for model in models_in_use(load_settings(encoder={"name": name}))
    }
    assert {file.path for file in BUNDLED} <= listed


def test_a_changed_file_says_so_with_both_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    other: WeightsFile = replace(weights.LANGUAGES, sha256="0" * 64)
    monkeypatch.setattr(weights, "LANGUAGES", other)
    (changed,) = [model for model in models_in_use(load_settings()) if model.state != "ok"]
    assert changed.state == "changed"
    assert changed.sha256 != other.sha256
    assert changed.reason is not None
    assert other.sha256 in changed.reason


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "LANGUAGES", replace(weights.LANGUAGES, distribution="no-such-package"))
    (missing,) = [model for model in models_in_use(load_settings()) if model.state != "ok"]
    assert missing.state == "missing"
    assert missing.reason is not None
    assert "pip install no-such-package" in missing.reason


def test_a_model_of_a_setting_is_hashed_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "larger.onnx"
    file.write_bytes(b"weights")
    found = models_in_use(load_settings(reading={"recogniser": str(file), "detector": str(tmp_path / "none.onnx")}))
    states = {model.file: model for model in found if model.purpose == "words in pictures"}
    assert states[str(file)].sha256 == hashlib.sha256(b"weights").hexdigest()
    assert states[str(file)].state == "unpinned"
    assert states[str(tmp_path / "none.onnx")].state == "missing"


def test_speech_that_is_off_has_no_model() -> None:
    assert not [model for model in models_in_use(load_settings(speech={"model": "off"})) if model.purpose == "speech"]


def test_a_speech_model_by_name_is_missing_until_it_was_downloaded(tmp_path: Path) -> None:
    settings = load_settings(speech={"model": "small"}, data_dir=tmp_path)
    (missing,) = [model for model in models_in_use(settings) if model.state == "missing"]
    assert missing.reason is not None
    assert "--download" in missing.reason


def test_nothing_is_downloaded_for_what_comes_with_the_package() -> None:
    told: list[str] = []
    download_models(load_settings(), tell=told.append)
    assert told == []


def test_the_command_lists_them_and_fails_where_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    whole = runner.invoke(app, ["models"])
    assert whole.exit_code == 0, whole.output
    assert weights.OCR_DETECTOR.sha256 in whole.output
    monkeypatch.setenv("POSTSCOPE_READING__DETECTOR", "/no/such/model.onnx")
    broken = runner.invoke(app, ["models"])
    assert broken.exit_code == 1
    assert "there is no such file" in broken.output


def test_only_admins_see_them(client: TestClient, api_key: ApiKeyMaker) -> None:
    answer = client.get("/v1/models", headers=bearer(api_key(Role.ADMIN)))
    assert answer.status_code == 200
    assert {model["state"] for model in answer.json()["models"]} == {"ok"}
    assert client.get("/v1/models", headers=bearer(api_key(Role.ANALYST))).status_code == 403
