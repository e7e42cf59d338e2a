"""All files of a prefix, page by page."""

from typing import Iterator, Optional, Tuple

from .commands import Commands
from .values import Listed, Page


class Listing(Iterator[Listed]):
    """An iterator over files, in byte order of their names: see :meth:`telefile.Client.list`.

    Between two pages files may change: a file that is made before the name that the iterator has come
    to is missed, and a listed file may be deleted by now. A watch from the :attr:`version` reports all
    of that. After an error the iterator goes on from where it was when it is asked again.
    """

    def __init__(self, client: Commands, prefix: str, after: str = "") -> None:
        self._client = client
        self._prefix = prefix
        page = client.list_page(prefix, after=after)
        #: The version of the table at the first page. A watch from there misses nothing: neither what
        #: has changed after the list nor what has changed during it.
        self.version: int = page.version
        self._turn(page)

    def _turn(self, page: Page) -> None:
        self._files: Tuple[Listed, ...] = page.files
        self._taken = 0
        #: The name before the next page; None if there is no such page.
        self._next: Optional[str] = page.files[-1].name if page.more else None

    def __next__(self) -> Listed:
        while self._taken == len(self._files):
            if self._next is None:
                raise StopIteration
            self._turn(self._client.list_page(self._prefix, after=self._next))
        self._taken += 1
        return self._files[self._taken - 1]
