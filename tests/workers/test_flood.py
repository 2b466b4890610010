"""Videos that are indexed make way for texts: between their pictures, and while pictures are waited for."""

from __future__ import annotations

import threading
from uuid import UUID

from postscope.backend.runtime import Runtime
from postscope.backend.work import Stage
from postscope.indexing.pipeline import Content, MediumPart, Picture
from postscope.workers import stages
from tests.media_files import sound
from tests.workers.conftest import Desk


def test_texts_are_indexed_while_the_pictures_of_a_video_are_decoded(runtime: Runtime) -> None:
    came_between = threading.Event()

    def read() -> bytes:
        assert came_between.wait(20.0), "nothing was done while the picture was waited for"
        return sound("PNG")

    video = Content(UUID(int=1), "", (MediumPart(0, "video", (Picture("slow", read),)),), {})
    (indexed,) = runtime.live.pipeline.index([video], between=came_between.set)
    assert indexed.failures == ()
    assert indexed.point.multi["media"].shape[0] == 1


def test_what_is_done_in_between_is_the_work_of_texts(desk: Desk) -> None:
    (post_id,) = desk.texts("the tide is coming in")
    stages._index_between(desk.runtime)
    assert desk.status(post_id).searchable
    assert desk.work(post_id, Stage.INDEX) is None
