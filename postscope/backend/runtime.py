"""What a running process holds: opened once, handed to everything that needs it."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import select

from postscope.backend import work
from postscope.backend.banks.behind import check_again
from postscope.backend.banks.live import LiveBanks
from postscope.backend.blobs import BlobStore, open_blobs
from postscope.backend.database import Clock, Database, utc_now
from postscope.backend.duplicates.opening import MediaOpener
from postscope.backend.errors import BadSettings, NotReady
from postscope.backend.fetching import Fetcher, FetchLimits
from postscope.backend.fingerprinting.indexes import FingerprintIndexes
from postscope.backend.fingerprinting.pictures import Pictures
from postscope.backend.heads.opened import OpenHeads
from postscope.backend.jobs import CeleryBell, Jobs, LocalBell
from postscope.backend.last_used import LastUsed
from postscope.backend.metrics import Metrics
from postscope.backend.models import Models, OpenEncoder, SpaceModel, cores
from postscope.backend.posts import PostIntake
from postscope.backend.sentiment import Scorers
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.settings import Mode, Settings
from postscope.backend.tables import SpaceRow
from postscope.backend.taking_apart import media_opener, open_stills, open_understander, picture_reader
from postscope.indexing.build import open_store
from postscope.indexing.calibration import SpaceCalibration
from postscope.indexing.content_classifier import ContentClassifier, OpenNsfw
from postscope.indexing.copies.scenes import SceneReader, open_scenes
from postscope.indexing.encoders.base import Encoder, EncoderError
from postscope.indexing.frequencies import Frequencies
from postscope.indexing.gate import PriorityGate
from postscope.indexing.keywords import KeywordEncoder
from postscope.indexing.language import LanguageDetector
from postscope.indexing.media.parts import PictureReader
from postscope.indexing.media.understand import Understander
from postscope.indexing.stores.base import StoreError, VectorStore

LIVE_SECONDS = 5.0
"""How long a process may go on with a space after another one has switched."""

ASKED_AT_ONCE = 2
"""Pictures of callers that are opened at the same time."""

ALIAS = "posts"
"""What searches ask: points at the collection of the live space."""


class Runtime:
    """The parts of one process. The store and the models are opened on first use.

    Args:
        settings: the whole tree.
        database: connections to a database whose migrations have run.
        clock: the time; tests hand in their own.
        open_encoder: how to open an encoder; by default by name.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        clock: Clock = utc_now,
        open_encoder: OpenEncoder | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.metrics = Metrics()
        self.gate = PriorityGate()
        self.keywords = KeywordEncoder()
        self.frequencies = Frequencies()
        self.bell = self._open_bell()
        self.jobs = Jobs(self.bell)
        self.heads = OpenHeads(database)
        # What opens the pictures of posts, and those that somebody waits for: work does not delay these, and one of
        # these that hangs delays no work.
        self.stills = open_stills(settings, processes=cores())
        self.asked_stills = open_stills(settings, processes=ASKED_AT_ONCE)
        self.models = Models(
            settings.model_cache,
            self.keywords,
            self.gate,
            stills=self.stills,
            open_with=open_encoder,
        )
        self.taggers = LastUsed[Any]()
        self._lock = threading.RLock()
        self._live: SpaceModel | None = None
        self._look_again = 0.0

    @cached_property
    def store(self) -> VectorStore:
        """The vector store; the embedded one is locked to this process."""
        store = self.settings.store
        return open_store(
            store.url,
            folder=self.settings.data_dir / "vectors",
            api_key=store.api_key.get_secret_value() if store.api_key else None,
            shards=store.shards,
            replicas=store.replicas,
            timeout=store.timeout_seconds,
        )

    @cached_property
    def blobs(self) -> BlobStore:
        """The bytes of media, by their SHA-256."""
        return open_blobs(self.settings.blobs)

    @cached_property
    def fingerprints(self) -> FingerprintIndexes:
        """The fingerprints of all posts, in memory."""
        return FingerprintIndexes(self.database)

    @cached_property
    def banks(self) -> LiveBanks:
        """All banks of known content, in memory."""
        return LiveBanks(self.database, self._check_again)

    def _check_again(self, change: int) -> None:
        """Posts that were checked while entries were being read wait for the enrich stage again."""
        with self.database.session() as session:
            if check_again(session, up_to=change, now=self.clock()):
                self.jobs.after(session, [work.Stage.ENRICH])

    @cached_property
    def pictures(self) -> Pictures:
        """The pictures that were last looked at."""
        return Pictures()

    @cached_property
    def scenes(self) -> SceneReader:
        """Tells what pictures show, to find their edited copies.

        Raises:
            NotReady: its weights cannot be had.
        """
        try:
            return open_scenes(self.settings.model_cache, threads=self.settings.encoder.threads or cores())
        except EncoderError as error:
            raise NotReady(f"the model of scenes cannot be opened: {error}", code="model_not_ready") from error

    @cached_property
    def content_classifier(self) -> ContentClassifier:
        """What is asked of pictures where it is switched on; opened on first use."""
        return OpenNsfw()

    @cached_property
    def fetcher(self) -> Fetcher:
        """The only way out to a URL that somebody gave us."""
        media = self.settings.media
        return Fetcher(
            FetchLimits(
                max_bytes=media.max_bytes,
                total_seconds=media.fetch_timeout_seconds,
                ports=frozenset(media.fetch_ports),
                allow_private=frozenset(media.fetch_allow_networks),
            )
        )

    @cached_property
    def messenger(self) -> Fetcher:
        """The only way out for webhooks."""
        webhooks = self.settings.webhooks
        return Fetcher(
            FetchLimits(
                total_seconds=webhooks.timeout_seconds,
                ports=frozenset(webhooks.ports),
                allow_private=frozenset(webhooks.allow_networks),
            )
        )

    @cached_property
    def reader(self) -> PictureReader:
        """Reads words in pictures.

        Raises:
            NotReady: a model for it is not here.
        """
        try:
            return picture_reader(self.settings)
        except EncoderError as error:
            raise NotReady(f"media cannot be understood: {error}", code="model_not_ready") from error

    @cached_property
    def understander(self) -> Understander:
        """Takes media apart, in processes of their own.

        Raises:
            NotReady: a model for it is not here.
        """
        return open_understander(self.settings, self.stills, self.reader)

    @cached_property
    def opener(self) -> MediaOpener:
        """Takes media apart that are only asked about, in one process of its own."""
        return media_opener(self.settings, self.asked_stills)

    def stop_understanding(self) -> None:
        """End what takes media apart; what is under way is handed back."""
        if "understander" in self.__dict__:
            self.understander.close()

    @cached_property
    def languages(self) -> LanguageDetector:
        """Tells in which language a text is."""
        return LanguageDetector()

    @cached_property
    def author_key(self) -> bytes:
        """Key of the author hash: from the settings, or made once and kept in the data folder."""
        if self.settings.author_key is not None:
            return self.settings.author_key.get_secret_value().encode()
        return kept_secret(self.settings.data_dir / "author.key")

    @cached_property
    def posts(self) -> PostIntake:
        """Takes posts in."""
        return PostIntake(self.jobs, author_key=self.author_key, max_media=self.settings.media.max_per_post)

    @cached_property
    def sentiment(self) -> Scorers:
        """Says how posts sound."""
        return Scorers(self.settings.sentiment)

    @property
    def live(self) -> SpaceModel:
        """The model of the live space. A switch by another process is seen within ``LIVE_SECONDS``.

        Raises:
            NotReady: it cannot be opened, with the reason.
        """
        with self._lock:
            if self._live is None or time.monotonic() >= self._look_again:
                self._live = self._model(self._live_settings())
                self._look_again = time.monotonic() + LIVE_SECONDS
            return self._live

    def forget_live(self) -> None:
        """The live space was switched: look it up again on the next use."""
        with self._lock:
            self._live = None

    @property
    def encoder(self) -> Encoder:
        """The encoder of the live space."""
        return self.live.encoder

    @property
    def calibration(self) -> SpaceCalibration:
        """The calibration of the live space."""
        return self.live.calibration

    def write_models(self) -> list[SpaceModel]:
        """The spaces that every change is written to: the live one first, then one that is being built."""
        with self.database.session() as session:
            rows = session.execute(
                select(SpaceRow.state, SpaceRow.encoder).where(SpaceRow.state.in_(("live", "building")))
            ).all()
        chosen = sorted(rows, key=lambda row: row.state != "live")
        return [self._model(EncoderSettings.model_validate(row.encoder)) for row in chosen] or [self.live]

    def checks(self) -> dict[str, Callable[[], None]]:
        """What must hold for /readyz, by name; each raises ``NotReady`` with its own code."""
        return {
            "database": self.database.ready,
            "store": self._store_ready,
            "model": self._model_ready,
            "backlog": self._backlog_young,
        }

    def close(self) -> None:
        """Give everything back."""
        self.stop_understanding()
        if "opener" in self.__dict__:
            self.opener.close()
        self.models.close()
        self.stills.close()
        self.asked_stills.close()
        if "store" in self.__dict__:
            self.store.close()
        self.database.close()

    def _open_bell(self) -> LocalBell | CeleryBell:
        if self.settings.mode is Mode.EMBEDDED:
            return LocalBell()
        if self.settings.queue.url is None:
            raise BadSettings("the distributed mode needs POSTSCOPE_QUEUE__URL")
        return CeleryBell(self.settings.queue.url.get_secret_value())

    def _live_settings(self) -> EncoderSettings:
        with self.database.session() as session:
            row = session.scalar(select(SpaceRow.encoder).where(SpaceRow.state == "live"))
        return self.settings.encoder if row is None else EncoderSettings.model_validate(row)

    def _model(self, settings: EncoderSettings) -> SpaceModel:
        try:
            return self.models.get(settings)
        except EncoderError as error:
            raise NotReady(f"the model cannot be opened: {error}", code="model_not_ready") from error

    def _model_ready(self) -> None:
        _ = self.live

    def _store_ready(self) -> None:
        try:
            self.store.ready()
        except StoreError as error:
            raise NotReady(f"the vector store does not answer: {error}", code="store_down") from error

    def _backlog_young(self) -> None:
        with self.database.session() as session:
            oldest = min((row.oldest for row in work.backlog(session) if row.oldest), default=None)
        if oldest is None:
            return
        age = (self.clock() - oldest).total_seconds()
        if age > self.settings.work.backlog_alarm_seconds:
            raise NotReady(f"the oldest work waits for {age:.0f} s", code="backlog_old")


def kept_secret(path: Path) -> bytes:
    """Read a secret file, or make it (readable by its owner alone) on first use."""
    try:
        return path.read_bytes().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    fresh = secrets.token_urlsafe(48).encode()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was faster
        return path.read_bytes().strip()
    with os.fdopen(handle, "wb") as out:
        out.write(fresh)
        out.flush()
        os.fsync(out.fileno())
    return fresh
