"""Groups of settings, a class for each part of Postscope."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


def _checked_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        ipaddress.ip_network(network)
    return value


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Group):
    """PostgreSQL. Without a URL the embedded mode starts its own in the data folder."""

    url: SecretStr | None = Field(None, description="postgresql://user:password@host:port/name")
    pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    statement_timeout_seconds: Annotated[float, Field(gt=0)] = 60.0


class StoreSettings(_Group):
    """Qdrant. Without a URL the embedded mode keeps the vectors in the data folder."""

    url: str | None = Field(None, description="http://host:6333")
    api_key: SecretStr | None = None
    shards: Annotated[int, Field(ge=1)] = 1
    replicas: Annotated[int, Field(ge=1)] = 1
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    index_from: Annotated[int, Field(ge=1_000)] = Field(
        100_000, description="embedded: build an approximate index beside from this many posts on"
    )


class QueueSettings(_Group):
    """Redis, the bell of the workers and the memory of the rate limits. Only the distributed mode has one."""

    url: SecretStr | None = Field(None, description="redis://host:6379/0")


class WorkSettings(_Group):
    """How work is claimed, retried and given up."""

    batch: Annotated[int, Field(ge=1, le=1_000)] = Field(128, description="posts claimed at a time")
    lease_seconds: Annotated[float, Field(gt=0)] = Field(120.0, description="after this a silent worker is dead")
    max_attempts: Annotated[int, Field(ge=1)] = 6
    retry_base_seconds: Annotated[float, Field(gt=0)] = Field(2.0, description="pause after the first failure")
    retry_cap_seconds: Annotated[float, Field(gt=0)] = 900.0
    sweep_seconds: Annotated[float, Field(gt=0)] = Field(2.0, description="how often lost bells are made good")
    threads: Annotated[int, Field(ge=1, le=64)] = Field(2, description="embedded: threads that fetch media")
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        0, description="port of the figures of a worker or runner process; 0: none"
    )
    metrics_host: str = Field("127.0.0.1", description="address that this port listens on; it asks for no key")
    backlog_alarm_seconds: Annotated[float, Field(gt=0)] = Field(
        900.0, description="/readyz answers 503 when the oldest waiting work is older"
    )


WEIGHTS = ("text_weight", "media_weight", "spoken_weight", "written_weight")
"""Settings of an encoder that make other vectors of posts with the same model."""


class EncoderSettings(_Group):
    """The model that makes the space."""

    name: str = Field("bundled", description="bundled, bundled-en, or open_clip:<model>/<pretrained>")
    text_model: str | None = Field(None, description="a sentence-transformers model aligned to the open_clip model")
    device: str = Field("auto", description="auto, cpu or cuda")
    threads: Annotated[int, Field(ge=0)] = Field(0, description="0: one a core")
    text_weight: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of the text in the fused vector")
    media_weight: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of the media in the fused vector")
    spoken_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="weight of what is said in the text vector, against 1 for what the author wrote"
    )
    written_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="weight of what is written in pictures in the text vector, against 1 as well"
    )

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in ("bundled", "bundled-en") or value.startswith("open_clip:"):
            return value
        raise ValueError("must be 'bundled', 'bundled-en' or 'open_clip:<model>/<pretrained>'")


class MediaSettings(_Group):
    """Limits on what is fetched, uploaded and decoded."""

    max_bytes: Annotated[int, Field(ge=1)] = 25 * 1024 * 1024
    max_pixels: Annotated[int, Field(ge=1)] = 50_000_000
    max_per_post: Annotated[int, Field(ge=1, le=100)] = 20
    fetch_timeout_seconds: Annotated[float, Field(gt=0)] = 20.0
    fetch_ports: tuple[int, ...] = (80, 443)
    fetch_allow_networks: tuple[str, ...] = Field(
        (), description="private networks that media may be fetched from, such as an own CDN (CIDR)"
    )
    picture_seconds: Annotated[float, Field(gt=0, le=120)] = Field(
        10.0, description="of computing, for the decoding of one still picture; three times as long by the clock"
    )
    unused_upload_hours: Annotated[float, Field(gt=0)] = 24.0
    max_duration_seconds: Annotated[float, Field(gt=0)] = 3_600.0
    max_frames: Annotated[int, Field(ge=1, le=1_000)] = 48
    frame_every_seconds: Annotated[float, Field(gt=0)] = 4.0
    frame_side: Annotated[int, Field(ge=64, le=1_024)] = 384
    understand_seconds: Annotated[float, Field(ge=10)] = 300.0
    decoder_memory_mb: Annotated[int, Field(ge=256)] = 1_024
    decoder_processes: Annotated[int, Field(ge=1, le=64)] = 1
    decoder_threads: Annotated[int, Field(ge=1, le=64)] = 2

    @field_validator("fetch_allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_networks(value)


class ReadingSettings(_Group):
    """How words in pictures are read."""

    detector: Path | None = Field(None, description="a PP-OCR detection model (ONNX); by default the one of rapidocr")
    recogniser: Path | None = Field(
        None, description="a PP-OCR recognition model (ONNX, its alphabet in its metadata); by default that of rapidocr"
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(0.9, description="of a line, from which it is kept")
    max_side: Annotated[int, Field(ge=64, le=4_096)] = Field(
        640, description="pixels; larger pictures are made so small to find text in them"
    )
    threads: Annotated[int, Field(ge=1, le=64)] = Field(1, description="of one picture")
    seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        20.0, description="of computing, for one picture; three times as long by the clock"
    )


class WebhookSettings(_Group):
    """How events are sent to addresses that asked for them."""

    timeout_seconds: Annotated[float, Field(gt=0)] = Field(10.0, description="time for one delivery")
    ports: tuple[int, ...] = Field((80, 443), description="ports that may be sent to")
    allow_networks: tuple[str, ...] = Field((), description="private networks that may be sent to (CIDR)")
    max_attempts: Annotated[int, Field(ge=1)] = Field(10, description="then a delivery is kept as failed")
    retry_base_seconds: Annotated[float, Field(gt=0)] = Field(5.0, description="pause after the first failure")
    retry_cap_seconds: Annotated[float, Field(gt=0)] = Field(3_600.0, description="the longest pause")
    keep_days: Annotated[float, Field(gt=0)] = Field(30.0, description="what was delivered is forgotten after this")

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_networks(value)


class BankSettings(_Group):
    """Banks of known content. An entry floods when it has many matches, and people reject most of what they judge."""

    flood_matches: Annotated[int, Field(ge=1)] = Field(100, description="matches within the hours below")
    flood_hours: Annotated[float, Field(gt=0)] = 24.0
    flood_decisions: Annotated[int, Field(ge=1)] = Field(5, description="decisions that it takes to judge an entry")
    flood_precision: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="an entry with a smaller share of confirmed matches is quarantined"
    )
    sexual_classifier: bool = Field(False, description="ask open_nsfw of pictures that /api/ml/moderation is shown")


class DuplicateSettings(_Group):
    """When posts count as copies, or as look-alikes, of each other."""

    pdq_radius: Annotated[int, Field(ge=0, le=64)] = Field(
        31, description="bits that the PDQ of two copies may differ in, of 256"
    )
    look_alike_score: Annotated[float, Field(ge=0, le=1)] = Field(
        0.8, description="relevance, as in a search, from which another post is a look-alike"
    )
    check_seconds: Annotated[float, Field(ge=5, le=120)] = Field(
        20.0, description="for a video or sound that is only asked about, while the caller waits"
    )
    check_frames: Annotated[int, Field(ge=3, le=200)] = Field(
        32, description="frames of such a video that are compared; each takes some 50 ms"
    )


class SpeechSettings(_Group):
    """What is done with speech in videos and sounds."""

    model: str = Field("bundled", description="bundled (English), off, a folder with a CTranslate2 model, or a name")
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    min_log_probability: Annotated[float, Field(le=0)] = -0.8
    max_no_speech: Annotated[float, Field(ge=0, le=1)] = 0.4
    min_language_probability: Annotated[float, Field(ge=0, le=1)] = 0.5


class HeadSettings(_Group):
    """How trained heads are watched."""

    watch_hours: Annotated[float, Field(gt=0)] = Field(
        6.0, description="how often drift is measured, and what is due trained again"
    )
    precision_alarm: Annotated[float, Field(ge=0, le=1)] = Field(
        0.6, description="a head that people agree with less often than this is trained again"
    )


class SentimentSettings(_Group):
    """How it is told how posts sound."""

    scorer: str = Field("phrases", description="phrases, lexicon (English), transformers:<model>, or off")

    @field_validator("scorer")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in ("phrases", "lexicon", "off") or value.startswith("transformers:"):
            return value
        raise ValueError("must be 'phrases', 'lexicon', 'transformers:<model>' or 'off'")


class WarningSettings(_Group):
    """Early warning of bursts on the stream."""

    enabled: bool = True
    false_alarms_per_day: Annotated[float, Field(gt=0, le=1_000)] = Field(
        1.0, description="the budget of all detectors: more makes them quicker and more often wrong"
    )
    least_posts: Annotated[int, Field(ge=6, le=1_000)] = Field(
        6, description="distinct posts, of distinct authors, without which a burst is not raised"
    )
    sweep_minutes: Annotated[int, Field(ge=1, le=1_440)] = Field(
        15, description="how often the counts of known topics are tested"
    )


class ApiSettings(_Group):
    """The HTTP service."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8765
    max_body_bytes: Annotated[int, Field(ge=1_024)] = 32 * 1024 * 1024
    requests_per_minute: Annotated[int, Field(ge=1)] = Field(6_000, description="a key's allowance")
    failed_keys_per_minute: Annotated[int, Field(ge=1)] = Field(
        60, description="how often a client address may come without a valid key"
    )
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1",), description="proxies whose X-Forwarded-For tells the client's address (addresses or CIDR)"
    )
    open_docs: bool = Field(False, description="/docs and /openapi.json without a key")
    min_score: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="default of a search's min_score")
    threads: Annotated[int, Field(ge=1, le=200)] = 16

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_networks(value)


class TopicsSettings(_Group):
    """Discovery of topics, and who names them."""

    sample: Annotated[int, Field(ge=1_000, le=1_000_000)] = Field(
        50_000, description="beyond this many posts a discovery clusters a sample and assigns the rest"
    )
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        7_200.0, description="a discovery that computes longer fails"
    )
    namer_url: str | None = Field(
        None, description="an OpenAI-compatible endpoint that names topics, such as http://host:8000/v1; off by default"
    )
    namer_model: str = Field("default", description="the model that is asked there")
    namer_key: SecretStr | None = None
    namer_timeout_seconds: Annotated[float, Field(gt=0)] = 20.0
