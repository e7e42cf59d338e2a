"""A queue of contents, filled and emptied by several clients."""

from types import TracebackType
from typing import Callable, Optional, Set, Type, TypeVar

from ..calls import Contents
from ..client import Client
from ..errors import FileNotFound, VersionMismatch
from ..values import EPHEMERAL, Listed, Snapshot
from .acquire import acquire
from .deadline import Deadline
from .guard import Guard
from .waiters import Waiters

T = TypeVar("T")

#: The number of items that one request looks at.
_PAGE = 64


class Taken:
    """An item that was taken and is not done yet.

    Leaving its ``with`` block without an exception deletes the item; with one, the item is available
    again.
    """

    def __init__(self, client: Client, item: str, file: Snapshot, claim: Guard) -> None:
        self._client = client
        self._item = item
        self._version = file.version
        self._claim = claim
        #: The contents that were pushed.
        self.contents = file.contents

    @property
    def token(self) -> int:
        """The fencing token: each later taker of the item gets a greater one."""
        return self._claim.token

    def done(self) -> None:
        """Deletes the item.

        :class:`~telefile.FileNotFound` if somebody else has done it meanwhile, so this claim must have
        been lost. After :class:`~telefile.OutcomeUnknown` the item may be deleted or not.
        """
        with self._claim:
            self._client.delete(self._item, self._version)

    def release(self) -> None:
        """Makes the item available again. Does nothing if it is done or released."""
        self._claim.release()

    def __enter__(self) -> "Taken":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if error is None and not self._claim.is_released:
            self.done()
        else:
            self._claim.__exit__(kind, error, traceback)


class Queue:
    """A first-in-first-out queue.

    An item is a file that stays, made by ``create NAME/item/``. A taker first claims it with an
    ephemeral file, ``cas NAME/claim/n 0 0 -1``. There are two ways to go on:

    - :meth:`pop` deletes the item and then returns it: **at most once**. If the program or its
      connection ends between the two, the item is lost.
    - :meth:`take` returns it, and :meth:`Taken.done` deletes it: **at least once**. If the program or
      its connection ends before, the item is available to the next taker. So it may be worked on
      twice, even at the same time, if a taker goes on after losing its connection: whatever the work
      changes should check the token.

    **Restarted server**: the queue is empty, because its files live in memory. With ``--data`` the
    items are kept, and nobody has claimed them.

    >>> jobs = Queue(telefile.Client("127.0.0.1:8080"), "jobs")
    >>> _ = jobs.push("first"), jobs.push("second")
    >>> jobs.take().release()  # not done: it is available again
    >>> with jobs.take() as job:
    ...     job.contents
    b'first'
    >>> jobs.pop(), jobs.pop()
    (b'second', None)
    """

    def __init__(self, client: Client, name: str) -> None:
        self._items = Waiters(client, f"{name}/item")
        self._claims = f"{name}/claim/"
        self._prefix = f"{name}/"

    def push(self, contents: Contents) -> int:
        """Appends an item; returns its version."""
        return self._items.client.create(self._items.prefix, contents).version

    def pop(self, timeout: float = 0) -> Optional[bytes]:
        """Removes and returns the first item; ``None`` if there is none within this time.

        The time is rounded up to seconds. After :class:`~telefile.OutcomeUnknown` an item may be lost.
        """

        def pop(item: Listed) -> Optional[bytes]:
            # Claimed first, so that nobody else works on the item.
            taken = self._claim(item)
            if taken is None:
                return None
            try:
                taken.done()
            except (FileNotFound, VersionMismatch):
                return None
            return taken.contents

        return self._first(timeout, pop)

    def take(self, timeout: float = 0) -> Optional[Taken]:
        """Takes the first item that nobody has taken yet; ``None`` if there is none within this time.

        The time is rounded up to seconds.
        """
        return self._first(timeout, self._claim)

    def _claim(self, item: Listed) -> Optional[Taken]:
        client, claim = self._items.client, self._claim_of(item)
        made = acquire(client, claim, b"", EPHEMERAL, Deadline.after(0))
        if made is None:
            return None
        guard = Guard(client, claim, made[0])
        try:
            file = client.read(item.name)
        except FileNotFound:
            guard.release()  # The item was done before it was claimed.
            return None
        except BaseException:
            guard.abandon()
            raise
        return Taken(client, item.name, file, guard)

    def _first(self, timeout: float, get: Callable[[Listed], Optional[T]]) -> Optional[T]:
        """Returns the first item that ``get`` accepts."""
        deadline, client = Deadline.after(timeout), self._items.client
        while True:
            as_of: Optional[int] = None
            after, more = "", True
            while more:
                page = client.list_page(self._items.prefix, _PAGE, after)
                as_of = page.version if as_of is None else as_of
                claimed = self._claimed()
                for item in page.files:
                    if not self._items.is_place(item.name) or self._claim_of(item) in claimed:
                        continue
                    got = get(item)
                    if got is not None:
                        return got
                more, after = page.more, page.files[-1].name if page.more else ""
            if deadline.watch(client, self._prefix, as_of or 0)[1] is None:
                return None

    def _claimed(self) -> Set[str]:
        """Returns the names of all claims."""
        return {claim.name for claim in self._items.client.list(self._claims)}

    def _claim_of(self, item: Listed) -> str:
        return self._claims + item.name[len(self._items.prefix) :]
