"""A file that a client has open."""

from typing import Union

from . import calls
from .block import Block
from .calls import Contents, Subject
from .connection import Connection
from .errors import InvalidRequest
from .values import Exptime, Opened, Snapshot, Stat


class OpenFile(Block):
    """A file that a client has open. Leaving its ``with`` block closes it.

    It still refers to the same file after the name is deleted, and a file of a type that does not
    stay lives until its last close. A file may be open several times, even at one client: each of its
    ``OpenFile`` objects counts. If the connection ends, the server closes all of them.

    >>> client = telefile.Client("127.0.0.1:8080")
    >>> with client.open("visits", "Counter") as visits:
    ...     _ = visits.write("5")
    ...     visits.read().contents
    b'5\\n'
    """

    def __init__(self, connection: Connection, name: str, opened: Opened) -> None:
        self._connection = connection
        self._is_closed = False
        #: The name by which the file was opened.
        self.name = name
        #: The file's number at the server, the same for all clients that have it open.
        self.descriptor = opened.descriptor
        #: The version that the file had when it was opened.
        self.version = opened.version
        #: The file's type.
        self.kind = opened.kind

    def read(self) -> Snapshot:
        """Returns the contents and their version. A type may refuse that."""
        return self._connection.call(calls.read(self._subject()))

    def write(self, contents: Contents, exptime: Exptime = None) -> int:
        """Writes to the file, and returns its new version. The type decides what a write means."""
        return self._connection.call(calls.write(self._subject(), contents, exptime))

    def cas(self, version: int, contents: Contents, exptime: Exptime = None) -> int:
        """Writes if the file is at ``version``, and returns its new version.

        :class:`~telefile.VersionMismatch` has the file's version if it is another.
        """
        return self._connection.call(calls.cas(self._subject(), version, contents, exptime))

    def wait(self, version: int, time: float) -> int:
        """Waits until the file is no longer at ``version``, for at most ``time`` seconds.

        Returns its version, which is ``version`` itself if the time is over. Deleting the name does
        not end the wait.
        """
        return self._connection.call(calls.wait(self._subject(), version, time))

    def stat(self) -> Stat:
        """Returns everything except the contents."""
        return self._connection.call(calls.stat(self._subject()))

    def close(self) -> None:
        """Closes the file. Does nothing if it is closed.

        It is closed after an error too: if the connection is lost, the server closes the files that
        were open on it.
        """
        if not self._is_closed:
            call = calls.close(self._subject())
            self._is_closed = True
            self._connection.call(call)

    @property
    def closed(self) -> bool:
        """Whether this program has closed it."""
        return self._is_closed

    def _subject(self) -> Subject:
        # Another file may have the descriptor by now.
        if self._is_closed:
            raise InvalidRequest(f"{self.name} is closed")
        return Subject.opened(self.descriptor, self.name)

    def subject_at(self, connection: Connection) -> Subject:
        """Returns how a request on a connection refers to the file.

        Descriptors are the same for all clients, but opens are counted for each connection.
        """
        if connection is not self._connection:
            raise InvalidRequest(f"{self.name} is open at another client")
        return self._subject()

    def _end(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<OpenFile {self.name!r} @{self.descriptor} {self.kind}>"


#: How a call refers to a file: by its name, or by an open file.
Target = Union[str, OpenFile]
