"""The files that a follower has reported, and the events that lead from them to others.

Text compares by code points, and that is the byte order of UTF-8.
"""

from collections import deque
from typing import Deque, Dict, Iterable, List

from .events import Deleted, Event, Put
from .values import ABSENT, Change, Page


class Known:
    """The reported files, each at the version that was reported last."""

    def __init__(self) -> None:
        self.files: Dict[str, int] = {}
        #: Those that the pages of a list have not come to yet, in byte order.
        self._unlisted: Deque[str] = deque()

    def forget_versions(self) -> None:
        """Makes every file differ from what a list shows: those are versions of another table."""
        for name in self.files:
            self.files[name] = ABSENT

    def list(self, after: str, page: Page) -> List[Event]:
        """Returns the events that a page of a list leads to.

        The pages of a list come in order, the first one with an empty ``after``. A page has all files
        behind the name ``after``, up to its own last one if there are more.
        """
        if not after:
            self._unlisted = deque(sorted(self.files))
        last = page.files[-1].name if page.more else None
        listed = {file.name for file in page.files}
        events: List[Event] = []
        while self._unlisted and (last is None or self._unlisted[0] <= last):
            name = self._unlisted.popleft()
            if name not in listed:
                events += self._delete(name, page.version)
        for file in page.files:
            events += self._put(file.name, file.version, file.numbytes)
        return events

    def change(self, changes: Iterable[Change]) -> List[Event]:
        """Returns the events that changes lead to.

        After a list of several pages they begin with some that the list has shown already.
        """
        events: List[Event] = []
        for change in changes:
            if change.numbytes is None:
                events += self._delete(change.name, change.version)
            else:
                events += self._put(change.name, change.version, change.numbytes)
        return events

    def _put(self, name: str, version: int, numbytes: int) -> List[Event]:
        known = self.files.get(name)
        if known is not None and known >= version:
            return []
        self.files[name] = version
        return [Put(name, version, numbytes, is_new=known is None)]

    def _delete(self, name: str, version: int) -> List[Event]:
        return [] if self.files.pop(name, None) is None else [Deleted(name, version)]
