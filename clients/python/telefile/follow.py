"""Following files: the present state first, then each change, for as long as wanted."""

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Deque, Dict, Iterator, Optional

from . import errors, events
from .backoff import Backoff
from .block import Block
from .errors import ConnectionLost, Error, InvalidRequest
from .events import Event
from .known import Known

if TYPE_CHECKING:
    from .client import Client

#: The longest time of one watch, in seconds: its reply is a sign of life from the server.
_SLICE = 30.0

#: The longest pause between attempts to connect, unless the program has set it; in seconds.
_LONGEST_PAUSE = 10.0

#: An answer with fewer changes has all of them; one with more may be a part.
_WHOLE = 64


class Follow(Block, Iterator[Event]):
    """An iterator over the files that exist and what becomes of them: see
    :meth:`telefile.Client.follow`.

    - **Complete.** Nothing is missed between the list and the changes, or between two changes. At
      each :class:`~telefile.events.Current` the events so far add up to the exact state of the table
      at one version.
    - **States, not steps.** A file that changes twice before the follower asks is reported once.
      Contents are not sent: read them, on :attr:`client` for instance, and expect that the file has
      changed again by then.
    - **In order.** Changes come in the order of their versions. The files of a list come in byte order
      of their names, after those that the list shows to be deleted.
    - **Nothing is hidden.** If the server has forgotten deletions, or the connection is lost, or
      another table is in place of the first, an event says so, and the events behind it are the
      difference.

    Without ``reconnect`` an error is raised, and the iterator ends. With it the follower outlives
    errors that may pass: a lost connection, a server that cannot be reached, is full, or has another
    table. Each failed attempt is an :class:`~telefile.events.Interrupted`. The next one is made after a
    pause, which is twice as long each time, up to ``reconnect`` seconds.

    A follower of a client with several addresses does the same without ``reconnect``, with pauses of at
    most 10 s, but to it another table is an error.

    Leaving its ``with`` block ends its connection.
    """

    def __init__(self, client: "Client", prefix: str, reconnect: Optional[float]) -> None:
        if reconnect is not None and not reconnect >= 0:
            raise InvalidRequest(f"a longest pause of {reconnect} s")
        #: The client with the follower's own connection, to read a file that an event is about.
        #: After a lost connection this is another client.
        self.client = client
        self._prefix = prefix
        self._known = Known()
        #: Those not returned yet.
        self._events: Deque[Event] = deque()
        #: The name behind which to go on with the list; None if the list is done.
        self._after: Optional[str] = ""
        #: The version to watch from: during a list that of its first page.
        self._since: Optional[int] = None
        #: Whether the events so far add up to a state. If not, a watch answers at once.
        self._is_current = False
        #: Whether the connection has to be replaced.
        self._is_lost = False
        self._accepts_other_table = reconnect is not None
        if reconnect is None and client.has_several_addresses:
            reconnect = _LONGEST_PAUSE
        self._backoff = None if reconnect is None else Backoff(reconnect)
        #: Whether an error was raised, after which the iterator has no more events.
        self._has_ended = False
        self._is_closed = False

    def __next__(self) -> Event:
        while not self._has_ended:
            event = self.next_within(math.inf)
            if event is not None:
                return event
        raise StopIteration

    def next_within(self, seconds: float) -> Optional[Event]:
        """Returns the next event, but waits for at most this long, which is rounded up to seconds.

        ``None`` if there is none by then. A reply that is late, or a new connection, may take the
        client's time-out in addition.
        """
        deadline = time.monotonic() + (seconds if math.isinf(seconds) else math.ceil(seconds))
        while True:
            if self._events:
                return self._events.popleft()
            left = max(deadline - time.monotonic(), 0)
            try:
                self._advance(min(left, _SLICE))
            except Error:
                self._has_ended = True
                if self._is_closed:
                    return None
                raise
            if not self._events and left == 0:
                return None

    @property
    def files(self) -> Dict[str, int]:
        """The names and versions of the files that were reported and not deleted since.

        After a :class:`~telefile.events.Current` they are all files at that version. Events are
        reported in groups, and this is ahead of those of a group that are not taken yet.
        """
        return dict(self._known.files)

    def close(self) -> None:
        """Ends the follower's connection."""
        self._has_ended = self._is_closed = True
        self.client.close()

    def _advance(self, seconds: float) -> None:
        """Asks the server once, and waits for a change no longer than this."""
        if self._backoff is None:
            return self._ask(seconds)
        if not self._backoff.wait(seconds):
            return None
        try:
            self._ask(seconds)
        except Error as e:
            if self._is_closed or not (isinstance(e, ConnectionLost) or e.is_retryable):
                raise
            self._backoff.failed()
            self._is_lost = self._is_lost or isinstance(e, ConnectionLost)
            self._is_current = False
            self._events.append(events.Interrupted(e))
        else:
            self._backoff.succeeded()

    def _ask(self, seconds: float) -> None:
        if self._is_lost:
            self._replace_client()
        if self._after is not None:
            self._list(self._after)
        else:
            self._watch(seconds)

    def _list(self, after: str) -> None:
        page = self.client.list_page(self._prefix, after=after)
        self._events += self._known.list(after, page)
        if self._since is None:
            self._since = page.version
        self._after = page.files[-1].name if page.more else None
        if self._after is None:
            # Pages of several versions add up to none of them, until what has changed meanwhile is
            # added.
            self._is_current = page.version == self._since
            if self._is_current:
                self._events.append(events.Current(self._since))

    def _watch(self, seconds: float) -> None:
        since = self._since or 0
        try:
            news = self.client.watch(self._prefix, since, seconds if self._is_current else 0)
        except errors.Compacted:
            self._events.append(events.Compacted())
            self._list_again()
            return
        changes = news.changes
        is_part = len(changes) >= _WHOLE and changes[-1].version == news.version
        is_news = bool(changes) or not self._is_current
        self._events += self._known.change(changes)
        if is_news and not is_part:
            self._events.append(events.Current(news.version))
        self._since, self._is_current = news.version, not is_part

    def _list_again(self) -> None:
        self._after, self._since, self._is_current = "", None, False

    def _replace_client(self) -> None:
        try:
            client = self.client.reconnect()
        except errors.OtherTable:
            if not self._accepts_other_table:
                raise
            client = self.client.connect_again()
        try:
            client.keep_alive()
        except BaseException:
            client.close()
            raise
        self.client.close()
        if client.epoch != self.client.epoch:
            self._events.append(events.OtherTable(client.epoch))
            self._known.forget_versions()
            self._list_again()
        self.client, self._is_lost = client, False

    def _end(self) -> None:
        self.close()
