"""Errors: a class for each case that a program may want to handle separately.

.. code-block:: text

    Error
      ConnectError          no connection was made, and no request was sent
      ThreadError           a thread could not be started, and no request was sent
      ConnectionLost        the connection is lost
        OutcomeUnknown      and the change that was requested may have been made
      OtherTable            the server has other files now, and other versions
      ProtocolError         the reply does not answer the request
      InvalidRequest        the request cannot be sent; also a ValueError
      ContentsTooLarge      larger than the client accepts
      Refused               the server has refused; a class for each ERR_ reply
"""

from typing import ClassVar, Dict, FrozenSet, Optional

from .shown import for_message


class Error(Exception):
    """Why a client did not get what it asked for: the base of all errors of this package."""

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may be repeated as it is.

        True if the request was not executed, and the cause may pass: no server answered, or it is
        full. False for a lost connection, because the request may have been executed.
        """
        return False


class ConnectError(Error):
    """The connection could not be made, or the server's hello did not come in time.

    No request was sent, so it is safe to try again.
    """

    @property
    def is_retryable(self) -> bool:
        """True."""
        return True


class ThreadError(Error):
    """A thread that the call needs could not be started. No request was sent."""

    @property
    def is_retryable(self) -> bool:
        """True."""
        return True


class ConnectionLost(Error):
    """The connection is lost: it ended, or a reply did not come in time.

    The request changes nothing, or was not sent. No request is ever repeated automatically, and
    every later call of the client and of its open files fails in this way too.
    :meth:`telefile.Client.reconnect` makes another connection.
    """


class OutcomeUnknown(ConnectionLost):
    """The connection was lost while a change was requested, which may have been made or not.

    Reconnect, read the file or its version, and then decide. Only a ``cas`` or a ``delete`` with a
    version may be repeated without that: it is done at most once.

    Its ``__cause__`` is the error of the system, or a :class:`ProtocolError` if something came that
    is no answer.
    """


class OtherTable(Error):
    """The server's table is another one, and known versions mean nothing there.

    It was restarted without its files, or with those of a backup. No request was sent.
    """

    def __str__(self) -> str:
        return "the server has another table now, with other versions"


class ProtocolError(Error):
    """The reply does not answer the request. The connection was closed."""


class InvalidRequest(Error, ValueError):
    """The request cannot be encoded: its name is invalid, for example. Nothing was sent."""


class ContentsTooLarge(Error):
    """The contents are larger than the client accepts. The connection remains usable."""

    def __init__(self, file: str, numbytes: int, maximum: int) -> None:
        super().__init__(file, numbytes, maximum)
        #: The file's name.
        self.file = file
        #: How many bytes the server announced.
        self.numbytes = numbytes
        #: The client's maximum, in bytes.
        self.maximum = maximum

    def __str__(self) -> str:
        file = for_message(self.file)
        return f"{file} has {self.numbytes} bytes, more than the maximum of {self.maximum}"


class Refused(Error):
    """The server has refused. Nothing changed, except perhaps with :class:`InternalError`."""

    #: The first word of the reply.
    word: ClassVar[str] = ""

    def __init__(self, file: Optional[str] = None) -> None:
        super().__init__(file)
        #: The name or the prefix that the request was about, if it was about one.
        self.file = file

    @property
    def closes(self) -> bool:
        """Whether the server ends the connection after this reply."""
        return False

    def _about(self) -> str:
        if self.file is None:
            return "the file"
        return for_message(self.file) or "all files"


class CommandError(Refused):
    """``ERR_CMD_ERR``: the server does not understand the request."""

    word = "ERR_CMD_ERR"

    def __str__(self) -> str:
        return f"{self._about()}: the server does not understand the request"


class FileNotFound(Refused):
    """``ERR_FILE_NOT_FOUND``: no file has this name."""

    word = "ERR_FILE_NOT_FOUND"

    def __str__(self) -> str:
        return f"{self._about()} does not exist"


class VersionMismatch(Refused):
    """``ERR_VERSION``: the file is at another version."""

    word = "ERR_VERSION"

    def __init__(self, file: Optional[str], current: int) -> None:
        super().__init__(file)
        self.args = (file, current)
        #: The file's version; 0 means that there is no file.
        self.current = current

    def __str__(self) -> str:
        if self.current == 0:
            return f"{self._about()} does not exist"
        return f"{self._about()} is at version {self.current}"


class Compacted(Refused):
    """``ERR_COMPACTED``: what has changed since then is not known. List again, and watch from there.

    The server has forgotten deletions, or the version is of another table.
    """

    word = "ERR_COMPACTED"

    def __init__(self, file: Optional[str], version: int) -> None:
        super().__init__(file)
        self.args = (file, version)
        #: The table's version now.
        self.version = version

    def __str__(self) -> str:
        return (
            f"{self._about()}: the changes since that version are not known, or it is of another "
            f"table; the version is {self.version} now, list again"
        )


class BadDescriptor(Refused):
    """``ERR_BAD_FD``: this connection has not opened the file."""

    word = "ERR_BAD_FD"

    def __str__(self) -> str:
        return f"{self._about()} is not open here"


class WrongType(Refused):
    """``ERR_TYPE``: the file is of another type."""

    word = "ERR_TYPE"

    def __init__(self, file: Optional[str], kind: str) -> None:
        super().__init__(file)
        self.args = (file, kind)
        #: The file's type.
        self.kind = kind

    def __str__(self) -> str:
        return f"{self._about()} is of type {for_message(self.kind)}"


class TypeNotFound(Refused):
    """``ERR_TYPE_NOT_FOUND``: the server has no such type."""

    word = "ERR_TYPE_NOT_FOUND"

    def __str__(self) -> str:
        return f"{self._about()}: the server has no such type"


class Denied(Refused):
    """``ERR_DENIED``: the file's type does not permit that, or not with these contents."""

    word = "ERR_DENIED"

    def __str__(self) -> str:
        return f"{self._about()}: the file's type does not permit that"


class WrongToken(Denied):
    """``ERR_DENIED`` to ``hello``: the server requires a token, and did not get the right one."""

    @property
    def closes(self) -> bool:
        """True."""
        return True

    def __str__(self) -> str:
        return "the server requires a token, and did not get the right one"


class LimitReached(Refused):
    """``ERR_LIMIT``: the request is over a limit of the server.

    ``limit`` is ``"contents"`` (bytes of one file), ``"memory"`` (bytes of all), ``"data"`` (bytes on
    disk), ``"connections"`` or ``"descriptors"`` (opens of one connection).
    """

    word = "ERR_LIMIT"

    _MESSAGES: ClassVar[Dict[str, str]] = {
        "contents": "{file}: the server takes at most {maximum} bytes for a file",
        "memory": "{file}: the server's {maximum} bytes of memory for that are in use",
        "data": "{file}: the server's disk or etcd is full, or {maximum} bytes of it are in use",
        "connections": "the server has {maximum} connections and takes no more",
        "descriptors": "{file}: {maximum} files are open here, which is the most",
    }

    def __init__(self, file: Optional[str], limit: str, maximum: int) -> None:
        super().__init__(file)
        self.args = (file, limit, maximum)
        #: What the limit applies to.
        self.limit = limit
        #: The greatest value that the server allows.
        self.maximum = maximum

    @classmethod
    def limits(cls) -> FrozenSet[str]:
        """Returns everything that a limit applies to."""
        return frozenset(cls._MESSAGES)

    @property
    def closes(self) -> bool:
        """True for the limit of connections."""
        return self.limit == "connections"

    @property
    def is_retryable(self) -> bool:
        """True, except for the limit of one file's contents, which does not pass."""
        return self.limit != "contents"

    def __str__(self) -> str:
        return self._MESSAGES[self.limit].format(file=self._about(), maximum=self.maximum)


class InternalError(Refused):
    """``ERR_INTERNAL``: the server or a file type has failed. **The file may have changed.**"""

    word = "ERR_INTERNAL"

    def __str__(self) -> str:
        return f"{self._about()}: the server failed, and its log says why"
