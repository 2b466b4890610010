"""What a running process holds: opened once, handed to everything that needs it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.orm import Session

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
from postscope.backend.live_space import LiveSpace
from postscope.backend.metrics import Metrics
from postscope.backend.models import Models, OpenEncoder, SpaceModel, cores
from postscope.backend.once import once
from postscope.backend.posts import PostIntake
from postscope.backend.secret_files import kept_secret
from postscope.backend.sentiment import Scorers
from postscope.backend.settings import Mode, Settings
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
from postscope.indexing.stores.base import VectorStore

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
        self._space = LiveSpace(database, self.models, settings.encoder)

    @once
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

    @once
    def blobs(self) -> BlobStore:
        """The bytes of media, by their SHA-256."""
        return open_blobs(self.settings.blobs)

    @once
    def fingerprints(self) -> FingerprintIndexes:
        """The fingerprints of all posts, in memory."""
        return FingerprintIndexes(self.database)

    @once
    def banks(self) -> LiveBanks:
        """All banks of known content, in memory."""
        return LiveBanks(self.database, self._check_again)

    def _check_again(self, change: int) -> None:
        """Posts that were checked while entries were being read wait for the enrich stage again."""
        with self.database.session() as session:
            if check_again(session, up_to=change, now=self.clock()):
                self.jobs.after(session, [work.Stage.ENRICH])

    @once
    def pictures(self) -> Pictures:
        """The pictures that were last looked at."""
        return Pictures()

    @once
    def scenes(self) -> SceneReader:
        """Tells what pictures show, to find their edited copies.

        Raises:
            NotReady: its weights cannot be had.
        """
        try:
            return open_scenes(self.settings.model_cache, threads=self.settings.encoder.threads or cores())
        except EncoderError as error:
            raise NotReady(f"the model of scenes cannot be opened: {error}", code="model_not_ready") from error

    @once
    def content_classifier(self) -> ContentClassifier:
        """What is asked of pictures where it is switched on; opened on first use."""
        return OpenNsfw()

    @once
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

    @once
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

    @once
    def reader(self) -> PictureReader:
        """Reads words in pictures.

        Raises:
            NotReady: a model for it is not here.
        """
        try:
            return picture_reader(self.settings)
        except EncoderError as error:
            raise NotReady(f"media cannot be understood: {error}", code="model_not_ready") from error

    @once
    def understander(self) -> Understander:
        """Takes media apart, in processes of their own.

        Raises:
            NotReady: a model for it is not here.
        """
        return open_understander(self.settings, self.stills, self.reader)

    @once
    def opener(self) -> MediaOpener:
        """Takes media apart that are only asked about, in one process of its own."""
        return media_opener(self.settings, self.asked_stills)

    def stop_understanding(self) -> None:
        """End what takes media apart; what is under way is handed back."""
        if "understander" in self.__dict__:
            self.understander.close()

    @once
    def languages(self) -> LanguageDetector:
        """Tells in which language a text is."""
        return LanguageDetector()

    @once
    def author_key(self) -> bytes:
        """Key of the author hash: from the settings, or made once and kept in the data folder."""
        if self.settings.author_key is not None:
            return self.settings.author_key.get_secret_value().encode()
        return kept_secret(self.settings.data_dir / "author.key")

    @once
    def posts(self) -> PostIntake:
        """Takes posts in."""
        return PostIntake(self.jobs, author_key=self.author_key, max_media=self.settings.media.max_per_post)

    @once
    def sentiment(self) -> Scorers:
        """Says how posts sound."""
        return Scorers(self.settings.sentiment, self.settings.model_cache)

    @property
    def live(self) -> SpaceModel:
        """The model of the live space. A switch by another process is seen within ``live_space.LIVE_SECONDS``.

        Raises:
            NotReady: it cannot be opened, with the reason.
        """
        return self._space.model()

    def forget_live(self) -> None:
        """The live space was switched: look it up again on the next use."""
        self._space.forget()

    @property
    def encoder(self) -> Encoder:
        """The encoder of the live space."""
        return self.live.encoder

    @property
    def calibration(self) -> SpaceCalibration:
        """The calibration of the live space."""
        return self.live.calibration

    def write_models(self, session: Session | None = None) -> list[SpaceModel]:
        """The spaces that every change is written to: the live one first, then one that is being built; read with
        ``session`` where there is one."""
        if session is not None:
            return self._space.written(session)
        with self.database.session() as own:
            return self._space.written(own)

    @once
    def beside(self) -> ThreadPoolExecutor:
        """Threads for what a request does while it waits for something else. What they do asks for none of these."""
        return ThreadPoolExecutor(cores(), "beside")

    def close(self) -> None:
        """Give everything back."""
        if "beside" in self.__dict__:
            self.beside.shutdown()
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
