"""A video on its way through the embedded service, which is killed while it takes the video apart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import psycopg
import pytest
from PIL import Image

from postscope.backend.postgres import EmbeddedPostgres
from postscope.sample import sample_dir
from tests import av_files
from tests.journeys.processes import Processes, admin_key, listening_port, processes, wait_for, wait_until_up

pytestmark = pytest.mark.slow

SCENES = ("dog.webp", "volcano-eruption.webp", "teacup.webp", "giraffe.webp")
SPEECH = Path(__file__).parents[1] / "speech" / "english.opus"
SCENE_SECONDS = 10


def film() -> bytes:
    """Pictures of the sample, ten seconds each, with somebody who speaks from second 12 on."""
    pictures = [Image.open(sample_dir() / "images" / name).convert("RGB").resize((320, 240)) for name in SCENES]
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        sound: Any = file.add_stream("aac", rate=av_files.SAMPLES, layout="mono")
        for picture in pictures:
            for _ in range(SCENE_SECONDS * 10):
                file.mux(stream.encode(av.VideoFrame.from_image(picture)))
        file.mux(stream.encode())
        with av.open(str(SPEECH)) as speech:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=av_files.SAMPLES)
            said = np.concatenate([
                part.to_ndarray()[0] for frame in speech.decode(audio=0) for part in resampler.resample(frame)
            ])  # fmt: skip
        silence = np.zeros(12 * av_files.SAMPLES, np.int16)
        av_files.write_sound(file, sound, np.concatenate([silence, said, silence]))
    return out.getvalue()


def serve(started: Processes) -> str:
    port, url = listening_port()
    started.start("serve", "serve", "--port", str(port))
    wait_until_up(url, lambda: started.alive("serve"))
    return url


def running(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM work WHERE stage = 'understand' AND state = 'running'"
        ).fetchone()
    return row is not None and row[0] == 1


def test_killed_while_a_video_is_taken_apart(data_dir: Path, tmp_path: Path) -> None:
    settings = {"MODE": "embedded", "DATA_DIR": str(data_dir), "LOG_FORMAT": "json"}
    with EmbeddedPostgres(data_dir) as postgres, processes(tmp_path / "logs", settings) as started:
        url = serve(started)
        key = admin_key(started.output("serve"))
        client = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60)
        upload = client.post(f"{url}/v1/media", files={"file": ("clip.jpg", film(), "image/jpeg")}).json()
        assert (upload["kind"], upload["mime"]) == ("video", "video/mp4")
        post = {
            "source": "chirper",
            "external_id": "1",
            "created_at": "2026-03-02T09:30:00Z",
            "text": "what a week",
            "media": [{"upload_id": upload["id"]}],
        }
        (verdict,) = client.post(f"{url}/v1/posts", json={"posts": [post]}).json()["posts"]
        post_id = verdict["id"]
        wait_for("the video is being taken apart", lambda: running(postgres.url), pause=0.01)
        started.kill("serve")

        url = serve(started)
        wait_for("it is understood", lambda: client.get(f"{url}/v1/posts/{post_id}/status").json()["understood"])
        status = client.get(f"{url}/v1/posts/{post_id}/status").json()
        parts = {part["part"]: part["state"] for part in status["media"][0]["parts"]}
        assert (parts["frames"], parts["speech"]) == ("done", "done")

        frame = client.get(f"{url}/v1/posts/{post_id}/media/0/frame", params={"t": 15})
        assert frame.status_code == 200
        assert float(frame.headers["x-frame-seconds"]) == pytest.approx(15, abs=4)
        assert Image.open(io.BytesIO(frame.content)).size == (320, 240)
        assert client.get(f"{url}/v1/posts/{post_id}/media/7/frame").status_code == 404
        assert client.get(f"{url}/v1/posts/{post_id}/media/0/frame", params={"t": -1}).status_code == 422

        def second(request: dict[str, Any], part: str) -> float:
            (hit,) = client.post(f"{url}/v1/search", json=request).json()["hits"]
            assert hit["id"] == post_id
            return float(next(match["seconds"] for match in hit["matched"] if match["part"] == part))

        assert second({"text": "tide", "mode": "keyword"}, "speech") == pytest.approx(15, abs=2)
        seen = second(
            {"text": "a volcano erupts", "min_score": 0, "mode": "semantic", "filters": {"media": "video"}}, "media"
        )
        assert 10 <= seen < 20
        client.close()
        started.stop("serve")
