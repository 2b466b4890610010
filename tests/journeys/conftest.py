from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared models, shared by the journeys: preparing them takes longer than a journey."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def data_dir(tmp_path: Path, models: Path) -> Path:
    """A fresh data folder, but for the models."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "models").symlink_to(models, target_is_directory=True)
    return folder
