"""What the golden vectors are of: texts of several languages, and images that come out alike anywhere."""

from __future__ import annotations

import numpy as np
from PIL import Image

ENCODERS = ("bundled", "bundled-en")

TEXTS = (
    "The keeper saved two penalties and the whole stand sang until midnight.",
    "lost cat",
    "",
    "Nuevo récord: el tren llega a la capital en dos horas 🚄",
    "机场今天因为大雪关闭，所有航班取消。",
    "Der Fluss ist über die Ufer getreten #hochwasser",
    "قهوة الصباح مع الأصدقاء",
    "A long walk. " * 60,
)

QUERIES = ("red fox", "ein Schloss am See", "吉他", "#hochwasser", "train")


def images() -> list[Image.Image]:
    """Stripes, rings, a ramp, a chessboard and one pixel, computed in whole numbers."""
    y, x = np.mgrid[0:300, 0:400]
    planes = (
        ((x // 20) % 2 * 255, (x // 40) % 2 * 200, y * 0 + 90),
        (((x - 200) ** 2 + (y - 150) ** 2) // 400 % 2 * 255, y * 0 + 40, x * 255 // 400),
        (x * 255 // 400, y * 255 // 300, (x + y) * 255 // 700),
        ((x // 50 + y // 50) % 2 * 255,) * 3,
    )
    drawn = [Image.fromarray(np.stack(rgb, axis=-1).astype(np.uint8)) for rgb in planes]
    return [*drawn, Image.new("RGB", (1, 1), (180, 30, 60))]
