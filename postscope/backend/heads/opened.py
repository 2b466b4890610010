"""Versions of heads that a process holds open."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict

from sqlalchemy import select

from postscope.backend.database import Database
from postscope.backend.tables import HeadVersion
from postscope.indexing.heads.head import TrainedHead

KEPT = 32


class OpenHeads:
    """Versions opened from the database, the ones used last. Versions never change, so nothing goes stale."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._open: OrderedDict[uuid.UUID, TrainedHead] = OrderedDict()

    def get(self, version_id: uuid.UUID) -> TrainedHead:
        """A version, opened on first use.

        Raises:
            HeadUnreadable: its bytes are damaged.
        """
        with self._lock:
            if version_id in self._open:
                self._open.move_to_end(version_id)
                return self._open[version_id]
        with self._database.session() as session:
            data = session.scalars(select(HeadVersion.model).where(HeadVersion.id == version_id)).one()
        head = TrainedHead.loads(data)
        with self._lock:
            self._open[version_id] = head
            while len(self._open) > KEPT:
                self._open.popitem(last=False)
        return head
