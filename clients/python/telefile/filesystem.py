"""The interface of the first filesystem server in Python: numbers for open files, and text.

A program that was written for it needs another import and no other change. :class:`telefile.Client`
has everything else that the protocol has.
"""

import warnings
from types import TracebackType
from typing import Optional, Type, Union

from . import calls
from .calls import Contents, Subject
from .client import DEFAULT_TIMEOUT, Client

#: A type of the server: by its name, or as a class of this name, as in :mod:`telefile.filetypes`.
FileClass = Union[str, type, None]


class FileSystemTcpClient:
    """A client whose open files are numbers, and whose contents are text.

    ``open`` returns the same number to every client that has the file open. A file is closed after as
    many closes as opens, and when the connection ends.

    >>> fs = FileSystemTcpClient("127.0.0.1", 8080)
    >>> fd = fs.open("visits", "Counter")
    >>> fs.write(fd, "5")
    >>> fs.read(fd)
    '5\\n'
    >>> fs.close(fd)
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: Optional[float] = DEFAULT_TIMEOUT,
        token: Union[str, bytes, None] = None,
    ) -> None:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        #: The client that sends the requests.
        self.client = Client(address, timeout=timeout, token=token)
        self._connection = self.client.connection

    def open(self, name: str, fileclass: FileClass = None, filemodule: Optional[str] = None) -> int:
        """Opens a file, or makes one of this type, or of type ``File``; returns its descriptor.

        ``filemodule`` is ignored with a warning: the types of a server are compiled in.
        """
        if filemodule is not None:
            text = f"filemodule={filemodule!r} is ignored: the server's types are compiled in"
            warnings.warn(text, stacklevel=2)
        kind = fileclass.__name__ if isinstance(fileclass, type) else fileclass
        return self.client.open(name, kind).descriptor

    def write(self, fd: int, val: Contents) -> None:
        """Writes to an open file. Its type decides what a write means."""
        self._connection.call(calls.write(_file(fd), val, None))

    def read(self, fd: int) -> str:
        """Reads an open file. A UnicodeDecodeError if what it returns is not UTF-8."""
        return self._connection.call(calls.read(_file(fd))).text

    def close(self, fd: int) -> None:
        """Closes a file once."""
        self._connection.call(calls.close(_file(fd)))

    def __enter__(self) -> "FileSystemTcpClient":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.client.close()


def _file(fd: int) -> Subject:
    return Subject.opened(fd, f"@{fd}")
