"""Every setting of Postscope: one frozen tree, read from the environment (``POSTSCOPE_…``) and an optional file.

A bad value stops the start with a message that names it. ``docs/settings.md`` lists them all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from postscope.backend.errors import BadSettings
from postscope.backend.setting_groups import (
    ApiSettings,
    BankSettings,
    DatabaseSettings,
    DuplicateSettings,
    EncoderSettings,
    HeadSettings,
    MediaSettings,
    QueueSettings,
    ReadingSettings,
    SentimentSettings,
    SpeechSettings,
    StoreSettings,
    TopicsSettings,
    WarningSettings,
    WebhookSettings,
    WorkSettings,
)


class Mode(StrEnum):
    """How Postscope runs: all in one process, or spread over servers."""

    EMBEDDED = "embedded"
    DISTRIBUTED = "distributed"


class Settings(BaseSettings):
    """The whole tree. Nested values are written with two underscores: ``POSTSCOPE_DATABASE__URL``."""

    model_config = SettingsConfigDict(
        env_prefix="POSTSCOPE_", env_nested_delimiter="__", frozen=True, extra="ignore", validate_default=True
    )

    mode: Mode = Mode.EMBEDDED
    data_dir: Path = Field(default_factory=lambda: default_data_dir())
    blob_url: str | None = Field(None, description="fsspec URL of the media store; default: the data folder")
    author_key: SecretStr | None = Field(
        None,
        description="key of the author hash, 32 characters or more; the embedded mode makes and keeps one",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    log_format: str = Field("json", pattern="^(json|console)$")
    database: DatabaseSettings = DatabaseSettings()
    store: StoreSettings = StoreSettings()
    queue: QueueSettings = QueueSettings()
    work: WorkSettings = WorkSettings()
    encoder: EncoderSettings = EncoderSettings()
    media: MediaSettings = MediaSettings()
    banks: BankSettings = BankSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    speech: SpeechSettings = SpeechSettings()
    sentiment: SentimentSettings = SentimentSettings()
    warning: WarningSettings = WarningSettings()
    api: ApiSettings = ApiSettings()
    webhooks: WebhookSettings = WebhookSettings()
    heads: HeadSettings = HeadSettings()
    reading: ReadingSettings = ReadingSettings()
    topics: TopicsSettings = TopicsSettings()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.author_key is not None and len(self.author_key.get_secret_value()) < 32:
            raise ValueError("author_key: must have 32 characters or more")
        if self.mode is Mode.DISTRIBUTED:
            needed = {
                "POSTSCOPE_DATABASE__URL": self.database.url,
                "POSTSCOPE_STORE__URL": self.store.url,
                "POSTSCOPE_QUEUE__URL": self.queue.url,
                "POSTSCOPE_AUTHOR_KEY": self.author_key,
            }
            missing = [name for name, value in needed.items() if value is None]
            if missing:
                raise ValueError(f"the distributed mode needs {', '.join(missing)}")
        return self

    @property
    def model_cache(self) -> Path:
        """Where prepared model files are kept."""
        return self.data_dir / "models"

    @property
    def blobs(self) -> str:
        """The fsspec URL of the media store."""
        return self.blob_url or (self.data_dir / "blobs").absolute().as_uri()


def default_data_dir() -> Path:
    """``$XDG_DATA_HOME/postscope``, by default ``~/.local/share/postscope``."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "postscope"


def unread_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that no setting reads, sorted: a typing mistake, or a setting of another version.

    Only those outside any group: a wrong name within one stops the start.
    """
    prefix, groups = str(Settings.model_config["env_prefix"]).lower(), Settings.model_fields
    return sorted(
        name
        for name in environment
        if name.lower().startswith(prefix) and name.lower().removeprefix(prefix).partition("__")[0] not in groups
    )


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment.

    Raises:
        BadSettings: a value is wrong; the message names each one and the reason, and never prints a secret.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise BadSettings("; ".join(problems)) from None
