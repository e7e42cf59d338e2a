"""A connection to a server, and how it is made and replaced."""

import copy
from typing import Optional, Tuple, Union

from . import addresses, calls, names
from .address import Address
from .block import Block
from .commands import Commands
from .connection import Connection
from .errors import (
    ConnectionLost,
    Denied,
    InvalidRequest,
    OtherTable,
    WrongToken,
)
from .follow import Follow
from .listing import Listing
from .pipeline import Pipeline
from .values import Hello

#: The default for how long a connection and each reply may take, in seconds.
DEFAULT_TIMEOUT = 30.0

#: The default for the largest contents that a client accepts, in bytes.
DEFAULT_MAX_CONTENTS = 64 << 20


class Client(Block, Commands):
    """A connection to a server. Leaving its ``with`` block ends it.

    Every method sends a request and waits for its reply, so threads that share a client wait for each
    other. A thread that must not wait needs a client of its own: :meth:`reconnect` makes one. A child
    process needs its own too.

    >>> with telefile.Client("127.0.0.1:8080") as client:
    ...     version = client.write("greeting", "hello")
    ...     _ = client.cas("greeting", version, "hello world")
    ...     client.read("greeting").text
    'hello world'

    When the connection is lost, every call raises :class:`~telefile.ConnectionLost`, and no request
    is ever repeated automatically. :class:`~telefile.OutcomeUnknown`, a kind of it, means that a
    change was requested and may have been made. Open files are closed then, and ephemeral files are
    deleted.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: Optional[float] = DEFAULT_TIMEOUT,
        token: Union[str, bytes, None] = None,
        max_contents: int = DEFAULT_MAX_CONTENTS,
        epoch: Optional[str] = None,
    ) -> None:
        """Connects to ``HOST:PORT``, ``[IPV6]:PORT`` or ``unix:PATH``, and sends ``hello``.

        Several addresses, with commas between them, are those of one table. They are tried in turn,
        each for its share of ``timeout``, and the first whose server answers is used.

        ``timeout`` is how long it may take to connect, then to get each reply, each mebibyte of
        contents, and to send each mebibyte of a request; in seconds, and ``None`` is for ever.

        ``token`` is sent if the server requires one, without the white space around it. It is not
        encrypted.

        ``max_contents`` is the largest contents that the client accepts, in bytes. Announced contents
        take no memory before they arrive.

        ``epoch`` is the epoch that the server's table has to have, for a program that keeps versions
        from an earlier connection.

        Raises :class:`~telefile.InvalidRequest` for an invalid address or token,
        :class:`~telefile.ConnectError` if no server answers in time, :class:`~telefile.ProtocolError`
        if the server is not telefile, :class:`~telefile.OtherTable` if its epoch is another,
        :class:`~telefile.WrongToken` and :class:`~telefile.LimitReached` if it rejects the client. If
        none of several addresses answers, a ConnectError has the reason for each; if one of the reasons
        does not pass, such as a wrong token, that is the error.
        """
        if timeout is not None and not timeout > 0:
            raise InvalidRequest(f"a time-out of {timeout} s")
        self._addresses = addresses.parse(address)
        self._timeout = timeout
        self._token = None if token is None else names.token(token)
        self._max_contents = max_contents
        self._connect(0, epoch)

    def _connect(self, first: int, epoch: Optional[str]) -> None:
        """Connects to a table of this epoch, or of any. The address at place ``first`` is the first."""

        def attempt(address: Address, timeout: Optional[float]) -> Tuple[Connection, Hello]:
            try:
                connected = address.connect(timeout)
            except (OSError, UnicodeError, OverflowError) as e:
                raise addresses.no_connection(f"{address}: {e}") from e
            connection = Connection(connected, address, timeout, self._max_contents)
            try:
                hello = self._meet(connection)
                if epoch is not None and epoch != hello.epoch:
                    raise OtherTable
            except BaseException:
                connection.close()
                raise
            return connection, hello

        found = addresses.first_answer(self._addresses, first, self._timeout, attempt)
        self._place, (self.connection, hello) = found
        self.connection.timeout = self._timeout
        self._epoch = hello.epoch
        self._idle_timeout = hello.idle_timeout
        self.connection.set_idle_timeout(hello.idle_timeout)

    def _meet(self, connection: Connection) -> Hello:
        """Sends ``hello``, the first request that a server may require of its clients."""
        try:
            return connection.call(calls.hello(self._token))
        except ConnectionLost as e:
            # The caller has sent no request yet.
            raise addresses.no_connection(e.__cause__ or e) from e
        except Denied:
            # The reply line is the same for both, but here it is about the token.
            raise WrongToken from None

    @property
    def address(self) -> str:
        """The server's address: of several, the one that has answered."""
        return str(self._addresses[self._place])

    @property
    def has_several_addresses(self) -> bool:
        """Whether there is another address to try when the connection is lost."""
        return len(self._addresses) > 1

    @property
    def epoch(self) -> str:
        """The random number of the server's table of files: 16 hex digits.

        Another epoch means another table, and versions of this one have no meaning there. A program
        that keeps a version longer than a connection keeps the epoch with it, and passes it to
        :class:`Client`.
        """
        return self._epoch

    @property
    def idle_timeout(self) -> Optional[float]:
        """How long this client may be silent before the server ends the connection, in seconds.

        0 is for ever, and ``None`` is unknown. A client that has a file open or has made an ephemeral
        one is not silent: see :meth:`keep_alive`.
        """
        return self._idle_timeout

    def latest_version(self) -> int:
        """Returns the version of the table's latest change. A watch from there reports every later
        one.
        """
        return self.connection.call(calls.hello(self._token)).version

    def reconnect(self, *, timeout: Optional[float] = None) -> "Client":
        """Makes another connection to the same server with the same settings.

        For a program that goes on after a lost connection, or needs one more. Of several addresses all
        are tried, the one of this connection last. ``timeout`` lowers the time-out. Whatever was open,
        locked or ephemeral on this connection is not carried over. Known versions keep their meaning:
        :class:`~telefile.OtherTable` if the server has lost its files since. A program that can accept
        that connects as it did first.
        """
        return self._connect_again(self._epoch, timeout)

    def connect_again(self) -> "Client":
        """Makes another connection with the same settings, perhaps to another table."""
        return self._connect_again(None, None)

    def _connect_again(self, epoch: Optional[str], most: Optional[float]) -> "Client":
        timeouts = [timeout for timeout in (self._timeout, most) if timeout is not None]
        again = copy.copy(self)
        again._timeout = min(timeouts, default=None)
        again._connect(self._place + 1, epoch)
        return again

    def keep_alive(self) -> None:
        """Keeps the connection alive from now on, even without requests.

        If the server has an idle time-out, a thread sends a sign of life each half of it, and ends
        with the connection. A client that has opened a file, or made an ephemeral one, does this by
        itself.
        """
        self.connection.keep_alive()

    def wait_lost(self, time: float) -> bool:
        """Waits until the connection has ended, for at most ``time`` seconds; returns whether it has.

        For a program that keeps files open and sends no requests.
        """
        return self.connection.wait_lost(time)

    def list(self, prefix: str = "", after: str = "") -> Listing:
        """Lists the files whose names begin with ``prefix`` and sort after ``after``.

        An iterator, in byte order of the names. It asks for the first page at once, and for each
        further one when it gets there. The empty prefix, or ``*``, matches all files.

        >>> client = telefile.Client("127.0.0.1:8080")
        >>> _ = client.write("svc/a", "up"), client.write("svc/b", "down")
        >>> [(file.name, file.numbytes) for file in client.list("svc/")]
        [('svc/a', 2), ('svc/b', 4)]
        """
        return Listing(self, prefix, after)

    def pipeline(self) -> Pipeline:
        """Collects requests to be sent together: see :class:`~telefile.Pipeline`."""
        return Pipeline(self.connection)

    def follow(self, prefix: str = "", *, reconnect: Optional[float] = None) -> Follow:
        """Follows the files whose names begin with ``prefix``: what exists, and then each change.

        The follower makes a connection of its own, so requests of this client do not wait for it.
        With ``reconnect``, the longest pause in seconds, it outlives a lost connection; so does one of a
        client with several addresses. See :class:`~telefile.Follow`.

        >>> client = telefile.Client("127.0.0.1:8080")
        >>> _ = client.write("config/port", "80")
        >>> with client.follow("config/") as follow:
        ...     for event in follow:
        ...         print(event)
        ...         if isinstance(event, telefile.events.Current):
        ...             break
        Put(name='config/port', version=1, numbytes=2, is_new=True)
        Current(version=1)
        """
        own = self.reconnect()
        try:
            own.keep_alive()
            return Follow(own, prefix, reconnect)
        except BaseException:
            own.close()
            raise

    def close(self) -> None:
        """Ends the connection, also for a thread that waits for a reply.

        The server then closes what this client has open, and deletes its ephemeral files.
        """
        self.connection.close()

    def _end(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.address}>"
