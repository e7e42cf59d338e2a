"""Many requests at once: one round trip for a batch instead of one for each request."""

from collections import deque
from typing import Any, Deque, Iterator, List, Optional, Union

from . import calls
from .calls import Call, Contents, Subject
from .connection import Connection
from .errors import ContentsTooLarge, Refused
from .open_file import OpenFile, Target
from .values import Exptime, Snapshot, Stat

#: The most bytes of requests that are sent before their replies are read, unless one request is
#: larger. The kernel buffers them all, so the two ends never wait for each other to read.
_MAX_BATCH_BYTES = 32 << 10
_MAX_BATCH = 512
_FIRST_BATCH = 16

#: The target size of replies that are held until they are taken.
_AIM_BYTES = 4 << 20

#: An answer: to a read, to a write, cas or touch, to a stat, to a delete, or why there is none.
Answer = Union[Snapshot, int, Stat, None, Refused, ContentsTooLarge]


class Pipeline:
    """Requests to be sent together, about files that the program names.

    Nothing is sent before the answers of :meth:`send` are taken. A refused request has its
    :class:`~telefile.Refused` as the answer, and those behind it are still answered. A lost connection
    raises.

    >>> client = telefile.Client("127.0.0.1:8080")
    >>> pipeline = client.pipeline()
    >>> _ = pipeline.write("a", "one").write("b", "two").read("a").delete("nothing")
    >>> for answer in pipeline.send():
    ...     print(repr(answer))
    1
    2
    Snapshot(contents=b'one', version=1, exptime=None)
    FileNotFound('nothing')
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._calls: Deque[Call[Any]] = deque()

    def read(self, file: Target) -> "Pipeline":
        """Adds a read; its answer is a :class:`~telefile.Snapshot`."""
        return self._add(calls.read(self._subject(file)))

    def write(self, file: Target, contents: Contents, exptime: Exptime = None) -> "Pipeline":
        """Adds a write; its answer is the new version."""
        return self._add(calls.write(self._subject(file), contents, exptime))

    def cas(
        self, file: Target, version: int, contents: Contents, exptime: Exptime = None
    ) -> "Pipeline":
        """Adds a write if the file is at ``version`` then; its answer is the new version."""
        return self._add(calls.cas(self._subject(file), version, contents, exptime))

    def touch(self, file: Target, version: int, exptime: Exptime) -> "Pipeline":
        """Adds a touch, to renew one of many leases for example; its answer is the version."""
        return self._add(calls.touch(self._subject(file), version, exptime))

    def delete(self, file: Target, version: Optional[int] = None) -> "Pipeline":
        """Adds a delete; its answer is ``None``."""
        return self._add(calls.delete(self._subject(file), version))

    def stat(self, file: Target) -> "Pipeline":
        """Adds a stat; its answer is a :class:`~telefile.Stat`."""
        return self._add(calls.stat(self._subject(file)))

    def send(self) -> Iterator[Answer]:
        """Returns the answers, in the order of the requests.

        Requests are sent in batches, each when all answers of the one before have been taken. So at
        most one batch of replies waits in memory, and between two answers the client may be used for
        anything else. Whoever stops taking answers discards the requests that are not sent yet.
        """
        batch = _FIRST_BATCH
        while self._calls:
            sent = self._next_batch(batch)
            answers, error = self._connection.exchange(sent)
            taken = sum(len(a.contents) for a in answers if isinstance(a, Snapshot))
            batch = max(batch // 2, 1) if taken > _AIM_BYTES else min(batch * 2, _MAX_BATCH)
            yield from answers
            if error is not None:
                self._calls.clear()
                raise error from error.__cause__

    def _next_batch(self, most: int) -> List[Call[Any]]:
        batch: List[Call[Any]] = []
        numbytes = 0
        while self._calls and len(batch) < most:
            call = self._calls[0]
            numbytes += len(call.line) + len(call.contents or b"") + len(b"\r\n\r\n")
            if batch and numbytes > _MAX_BATCH_BYTES:
                break
            batch.append(self._calls.popleft())
        return batch

    def _add(self, call: Call[Any]) -> "Pipeline":
        self._calls.append(call)
        return self

    def _subject(self, file: Target) -> Subject:
        if isinstance(file, OpenFile):
            return file.subject_at(self._connection)
        return Subject.named(file)
