"""The answers to a client's requests, as values.

An ``exptime`` is the remaining lifetime of a file: in seconds, :data:`EPHEMERAL`, or ``None`` for a
file that does not expire.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

#: The version of a file that does not exist. A ``cas`` from it creates the file.
ABSENT = 0

#: The exptime of a file that is deleted when the connection that made it ends.
EPHEMERAL = -1

#: In a request: a lifetime in seconds, which is rounded up, :data:`EPHEMERAL`, or ``None`` for ever.
Exptime = Optional[float]


@dataclass(frozen=True)
class Snapshot:
    """A file at one version. ``str()`` of it is its contents as text."""

    #: The whole contents.
    contents: bytes
    #: The version to pass to ``cas``.
    version: int
    #: The remaining lifetime.
    exptime: Optional[int]

    @property
    def text(self) -> str:
        """The contents as UTF-8 text; a UnicodeDecodeError if they are none."""
        return self.contents.decode()

    def __str__(self) -> str:
        return self.contents.decode(errors="replace")


@dataclass(frozen=True)
class Stat:
    """Everything about a file except its contents."""

    #: The version of the file's latest change.
    version: int
    #: The length of its contents, as far as it is known without running the type's code.
    numbytes: int
    #: The remaining lifetime.
    exptime: Optional[int]
    #: Its type.
    kind: str
    #: How many times it is open, over all clients.
    opens: int


@dataclass(frozen=True)
class Listed:
    """A file of a list."""

    #: Its name.
    name: str
    #: The version of the file's latest change.
    version: int
    #: The length of its contents, as far as it is known without running a type's code.
    numbytes: int
    #: The remaining lifetime.
    exptime: Optional[int]


@dataclass(frozen=True)
class Page:
    """A page of a list: files in byte order of their names, at one version of the table."""

    #: The version of the server's table. With several pages, watch from the first page's.
    version: int
    #: The files.
    files: Tuple[Listed, ...]
    #: Whether there are more, after the name of the last one.
    more: bool


@dataclass(frozen=True)
class Change:
    """The state of a name after its latest change."""

    #: The name.
    name: str
    #: The version of the change.
    version: int
    #: The length of the contents; ``None`` if the name no longer has a file.
    numbytes: Optional[int]


@dataclass(frozen=True)
class Changes:
    """What has changed: the latest state of each name, in the order of versions."""

    #: The version to continue the watch from.
    version: int
    #: The changes. Empty if nothing changed in time.
    changes: Tuple[Change, ...]


@dataclass(frozen=True)
class Created:
    """A file that ``create`` has made."""

    #: Its version, and the number in its name.
    version: int
    #: Its name.
    name: str


@dataclass(frozen=True)
class Session:
    """A session of folder synchronisation: the files below ``s/<id>/``."""

    #: The secret by which clients share it: 32 hex digits.
    id: str
    #: The epoch of the server's table.
    epoch: str
    #: The version of the server's table. A watch from it misses nothing.
    version: int
    #: Whether the server has just made it.
    is_new: bool


@dataclass(frozen=True)
class Hello:
    """The server's reply to ``hello``."""

    #: The epoch of the server's table: 16 hex digits.
    epoch: str
    #: The version of the table's latest change.
    version: int
    #: How long a client may be silent, in seconds. 0 is for ever, and ``None`` is unknown.
    idle_timeout: Optional[float]


@dataclass(frozen=True)
class Opened:
    """The server's reply to ``open``."""

    #: The file's descriptor.
    descriptor: int
    #: The file's version.
    version: int
    #: The file's type.
    kind: str
