"""Make ``postscope/sample/media``: videos, voice notes, animations and memes out of the sample's own pictures.

Usage: ``python tools/sample/make_media.py``. Needs ``espeak-ng`` (Debian package of that name) for the voices, PyAV and
Pillow. Nothing of it is needed where the sample is used.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

SAMPLE = Path(__file__).parents[2] / "postscope" / "sample"
SIZE = (320, 240)
FPS = 10
SCENE_SECONDS = 4
RATE = 16_000


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture of the sample for ``SCENE_SECONDS``, and a caption across its lower edge."""

    picture: str
    caption: str | None = None


@dataclass(frozen=True, slots=True)
class Video:
    """Scenes one after the other, and what is said meanwhile."""

    codec: str
    scenes: tuple[Scene, ...]
    said: str | None = None
    audio: str = "aac"


@dataclass(frozen=True, slots=True)
class Note:
    """A voice note."""

    codec: str
    said: str


VIDEOS = {
    "zoo-walk.mp4": Video("libx264", (Scene("koala"), Scene("giraffe"), Scene("polar-bear"), Scene("hedgehog"))),
    "kitchen.webm": Video(
        "libvpx-vp9",
        (Scene("loaf"), Scene("coffee"), Scene("tomato")),
        "Fold the dough every thirty minutes, and let it sleep in the refrigerator overnight.",
        "libopus",
    ),
    "bridge-closed.mp4": Video(
        "libx264", (Scene("marathon-map", "FINISH LINE MOVED"), Scene("marathon-medal", "SEE YOU AT THE AQUEDUCT"))
    ),
}
NOTES = {
    "shelter-note.ogg": Note(
        "libopus", "Please leave the valley road now. The shelter in the old library is open all night."
    ),
    "collar-note.m4a": Note("aac", "We found a brown dog behind the bakery. He has a green collar and a silver bell."),
    "platform-note.mp3": Note("libmp3lame", "The replacement bus leaves from platform seven, behind the post office."),
}
MEMES = {
    "espresso-meme.webp": ("coffee", "NOBODY TALKS TO ME", "BEFORE THE THIRD ESPRESSO", 0),
    "spreadsheet-meme.webp": ("owl", "ME CHECKING", "THE SPREADSHEET AT MIDNIGHT", 8),
    "umbrella-meme.webp": ("duck", "FORGOT MY UMBRELLA", "LIVING MY BEST LIFE", -10),
}
ANIMATIONS = {"kitten-bounce.gif": "kitten", "saturn-turns.webp": "saturn", "candle-flicker.png": "candle"}


def picture(name: str) -> Image.Image:
    """One of the sample, cut to the size of a video."""
    with Image.open(SAMPLE / "images" / f"{name}.webp") as image:
        return ImageOps.fit(image.convert("RGB"), SIZE, Image.Resampling.LANCZOS)


def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own."""
    drawn = ImageFont.load_default(size)
    if not isinstance(drawn, ImageFont.FreeTypeFont):
        raise SystemExit("Pillow was built without FreeType")
    return drawn


def caption(image: Image.Image, words: str, height: float, *, largest: int = 30) -> None:
    """White letters with a black edge, centred at ``height`` (a fraction), as large as fits."""
    size = largest
    while font(size).getlength(words) > image.width * 0.9:
        size -= 1
    place = (image.width / 2, image.height * height)
    ImageDraw.Draw(image).text(place, words, "white", font(size), "mm", stroke_width=2, stroke_fill="black")


def frames(scenes: Sequence[Scene]) -> Iterator[Image.Image]:
    """Each scene slowly comes nearer, as a hand-held camera does."""
    for scene in scenes:
        whole = picture(scene.picture)
        for n in range(SCENE_SECONDS * FPS):
            cut = n * 0.4
            frame = whole.resize(
                SIZE, Image.Resampling.BILINEAR, (cut, cut * 0.75, SIZE[0] - cut, SIZE[1] - cut * 0.75)
            )
            if scene.caption:
                caption(frame, scene.caption, 0.86, largest=26)
            yield frame


def voice(words: str) -> npt.NDArray[np.int16]:
    """Mono at ``RATE``, with a little silence around it."""
    made = subprocess.run(
        ["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", words], check=True, capture_output=True
    ).stdout
    with av.open(io.BytesIO(made)) as source:
        resampler = av.AudioResampler("s16", "mono", RATE)
        parts = [out.to_ndarray()[0] for frame in source.decode(audio=0) for out in resampler.resample(frame)]
        parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    silence = np.zeros(RATE // 2, dtype=np.int16)
    return np.concatenate([silence, *parts, silence])


def write(path: Path, video: Video | None, said: str | None, audio: str) -> None:
    """A container with what there is of picture and sound."""
    with av.open(str(path), "w") as container:
        pictures = sound = None
        if video is not None:
            pictures = container.add_stream(video.codec, rate=FPS)
            pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
            pictures.options = {"crf": "36", "b": "0"} if "vp9" in video.codec else {"crf": "30", "preset": "slow"}
        if said is not None:
            sound = container.add_stream(audio, rate=48_000 if audio == "libopus" else RATE, layout="mono")
            sound.bit_rate = 24_000 if audio == "libopus" else 32_000
        if video is not None and pictures is not None:
            for image in frames(video.scenes):
                container.mux(pictures.encode(av.VideoFrame.from_image(image)))
            container.mux(pictures.encode(None))
        if said is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(voice(said)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            resampler = av.AudioResampler(sound.format, "mono", sound.rate, frame_size=sound.frame_size or None)
            for out in (*resampler.resample(frame), *resampler.resample(None)):
                container.mux(sound.encode(out))
            container.mux(sound.encode(None))


def meme(name: str, top: str, bottom: str, angle: int) -> Image.Image:
    """A picture with a line above and one below, turned a little."""
    image = picture(name).resize((480, 360), Image.Resampling.LANCZOS)
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    caption(layer, top, 0.14)
    caption(layer, bottom, 0.86)
    turned = layer.rotate(angle, Image.Resampling.BICUBIC)
    image.paste(turned, (0, 0), turned)
    return image


def animate(path: Path, name: str) -> None:
    """Two seconds of a picture that sways; GIF, WebP or APNG by the name."""
    whole = picture(name).resize((160, 120))
    images = []
    for n in range(10):
        shift = round(6 * float(np.sin(2 * np.pi * n / 10)))
        images.append(whole.rotate(shift, Image.Resampling.BICUBIC, translate=(shift, 0)))
    if path.suffix != ".webp":
        images = [image.quantize(48) for image in images]
    images[0].save(path, save_all=True, append_images=images[1:], duration=200, loop=0)


def main() -> None:
    """Write them all."""
    folder = SAMPLE / "media"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, video in VIDEOS.items():
        write(folder / name, video, video.said, video.audio)
    for name, note in NOTES.items():
        write(folder / name, None, note.said, note.codec)
    for name, (shown, top, bottom, angle) in MEMES.items():
        meme(shown, top, bottom, angle).save(folder / name, quality=80, method=6)
    for name, shown in ANIMATIONS.items():
        animate(folder / name, shown)
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size:8d} {path.name}")


if __name__ == "__main__":
    main()
