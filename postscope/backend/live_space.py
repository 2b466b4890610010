"""Which space is live: its model, looked up again every few seconds, because another process may switch."""

from __future__ import annotations

import threading
import time
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.database import Database
from postscope.backend.errors import NotReady
from postscope.backend.models import Models, SpaceModel
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.tables import SpaceRow
from postscope.indexing.encoders.base import EncoderError

LIVE_SECONDS: Final = 5.0
"""How long a process may go on with a space after another one has switched."""


class LiveSpace:
    """The models of the spaces that are written to and asked. Safe to use from several threads.

    Args:
        database: where the spaces are kept.
        models: opens them.
        default: the encoder as long as there is no space.
    """

    def __init__(self, database: Database, models: Models, default: EncoderSettings) -> None:
        self._database = database
        self._models = models
        self._default = default
        self._lock = threading.RLock()
        self._live: SpaceModel | None = None
        self._look_again = 0.0

    def model(self) -> SpaceModel:
        """The model of the live space.

        Raises:
            NotReady: it cannot be opened, with the reason.
        """
        with self._lock:
            if self._live is None or time.monotonic() >= self._look_again:
                self._live = self._open(self._settings())
                self._look_again = time.monotonic() + LIVE_SECONDS
            return self._live

    def forget(self) -> None:
        """The live space was switched: look it up again on the next use."""
        with self._lock:
            self._live = None

    def written(self, session: Session) -> list[SpaceModel]:
        """The spaces that every change is written to: the live one first, then one that is being built."""
        rows = session.execute(
            select(SpaceRow.state, SpaceRow.encoder).where(SpaceRow.state.in_(("live", "building")))
        ).all()
        chosen = sorted(rows, key=lambda row: row.state != "live")
        return [self._open(EncoderSettings.model_validate(row.encoder)) for row in chosen] or [self.model()]

    def _settings(self) -> EncoderSettings:
        with self._database.session() as session:
            row = session.scalar(select(SpaceRow.encoder).where(SpaceRow.state == "live"))
        return self._default if row is None else EncoderSettings.model_validate(row)

    def _open(self, settings: EncoderSettings) -> SpaceModel:
        try:
            return self._models.get(settings)
        except EncoderError as error:
            raise NotReady(f"the model cannot be opened: {error}", code="model_not_ready") from error
