"""What a follower reports: see :class:`telefile.Follow`."""

from dataclasses import dataclass
from typing import Union

from .errors import Error


@dataclass(frozen=True)
class Put:
    """A file exists: it was there from the start, or it is new, or it has changed.

    Between two of these the file may have changed several times, or been deleted and made again.
    """

    #: The file's name.
    name: str
    #: The version of its latest change.
    version: int
    #: The length of its contents, as far as it is known without running a type's code.
    numbytes: int
    #: Whether the file was not known to exist before this event.
    is_new: bool


@dataclass(frozen=True)
class Deleted:
    """A file that was reported no longer exists."""

    #: The name that it had.
    name: str
    #: The version that its end has taken. If the server has forgotten that, the version of the list
    #: that the file was missing from, which is later.
    version: int


@dataclass(frozen=True)
class Current:
    """The events so far add up to the state of the table at this version.

    All files that exist then have been reported, and all others that were reported have been reported
    as deleted. Comes after the first list, after each group of changes, and after everything that
    interrupts them.
    """

    version: int


@dataclass(frozen=True)
class Compacted:
    """The server has forgotten deletions. The difference to a new list follows.

    The events up to the next :class:`Current` are what the list shows to be different.
    """


@dataclass(frozen=True)
class Interrupted:
    """The connection is lost, or cannot be made yet, or the server has no room.

    Until the next :class:`Current` the files may have changed without an event. Only if the follower
    reconnects, or its client has several addresses: it tries again after a pause.
    """

    #: Why.
    error: Error


@dataclass(frozen=True)
class OtherTable:
    """The new connection is to another table: the server has lost its files, or has those of a backup.

    The versions of all events before mean nothing there. Until the next :class:`Current` there is a
    :class:`Put` for each file, also for one that looks the same, and a :class:`Deleted` for each file
    that was reported before and does not exist there.
    """

    #: The epoch of the new table.
    epoch: str


#: Any of them.
Event = Union[Put, Deleted, Current, Compacted, Interrupted, OtherTable]
