"""Weights of a live space are changed in place: every post is indexed again with them."""

from __future__ import annotations

import io

import numpy as np
import pytest

from postscope.backend.errors import Conflict
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.fusion import FusionWeights, fuse
from postscope.migrations.collections.live import ensure_live_space
from postscope.workers.respace import begin, spaces_of
from tests.media_files import sound
from tests.workers.conftest import Desk
from tests.workers.small_encoder import SmallEncoder


def test_other_weights_take_effect_on_posts_that_are_there(desk: Desk, encoder: SmallEncoder) -> None:
    runtime = desk.runtime
    with runtime.database.session() as session:
        upload = add_upload(session, runtime.blobs, io.BytesIO(sound("PNG")), max_bytes=10**6, now=runtime.clock())
        media = [{"upload_id": str(upload.id)}]
    ensure_live_space(runtime)
    (post_id,) = desk.post({"external_id": "1", "text": "a gull", "media": media})
    desk.run(Stage.INDEX)
    (before,) = desk.points([post_id])
    live, settings = runtime.live, runtime.settings.encoder.model_copy(update={"media_weight": 3.0})

    assert spaces_of(runtime).reweigh(settings) == 1
    runtime.forget_live()
    desk.run(Stage.INDEX)
    (after,) = desk.points([post_id])
    expected = fuse(after.dense["text"], after.multi["media"], FusionWeights(1.0, 3.0))
    np.testing.assert_allclose(after.dense["post"], expected, atol=1e-5)
    assert not np.allclose(after.dense["post"], before.dense["post"], atol=1e-2)
    assert runtime.live.encoder is live.encoder, "the model is not loaded twice"

    assert spaces_of(runtime).reweigh(settings) is None, "nothing is new"
    with pytest.raises(Conflict, match="is live already"):
        begin(runtime, settings)


def test_another_model_is_no_matter_of_weights(desk: Desk) -> None:
    ensure_live_space(desk.runtime)
    other = desk.runtime.settings.encoder.model_copy(update={"name": "bundled-en", "media_weight": 3.0})
    assert spaces_of(desk.runtime).reweigh(other) is None
