"""How recipes wait: up to a deadline, with requests short enough to notice a lost server."""

import math
import time
from typing import Optional, Tuple

from ..client import Client
from ..errors import Compacted, InvalidRequest
from ..values import Change

#: The longest wait of one request, in seconds: its reply is a sign of life from the server.
_SLICE = 30.0


class Deadline:
    """A time of ``time.monotonic()`` until which a recipe waits."""

    def __init__(self, at: float) -> None:
        self._at = at

    @classmethod
    def after(cls, seconds: Optional[float]) -> "Deadline":
        """Returns the deadline this long from now; ``None`` is never.

        Rounded up to seconds as in a watch: otherwise a short time would be over before the first one.
        """
        if seconds is None:
            return cls(math.inf)
        if not seconds >= 0:
            raise InvalidRequest(f"{seconds} is not a time: those are not negative")
        return cls(time.monotonic() + (seconds if math.isinf(seconds) else math.ceil(seconds)))

    def within(self, seconds: float) -> "Deadline":
        """Returns this deadline, or one this long from now if that is earlier."""
        return Deadline(min(self._at, time.monotonic() + seconds))

    def left(self) -> float:
        """Returns how long one request may wait; 0 if the time is over."""
        return min(max(self._at - time.monotonic(), 0), _SLICE)

    def watch(
        self, client: Client, prefix: str, since: int
    ) -> Tuple[int, Optional[Tuple[Change, ...]]]:
        """Waits for a change after ``since`` among the names that begin with ``prefix``.

        Returns the version to watch on from, and the changes: ``None`` if the time is over, and none
        if they are no longer known. List then.
        """
        while True:
            left = self.left()
            if left == 0:
                return since, None
            try:
                news = client.watch(prefix, since, left)
            except Compacted as e:
                return e.version, ()
            since = news.version
            if news.changes:
                return since, news.changes

    def wait(self, client: Client, name: str, version: int) -> bool:
        """Waits until a file is no longer at ``version``; returns False if the time is over.

        Only that file ends the wait, however busy other files are whose names begin the same.
        """
        while True:
            left = self.left()
            if left == 0:
                return False
            if client.wait(name, version, left) != version:
                return True
