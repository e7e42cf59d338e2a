"""A client of telefile: versioned files shared over a plain-text protocol.

>>> ann = telefile.Client("127.0.0.1:8080")
>>> first = ann.write("greeting", "hello")
>>> bob = telefile.Client("127.0.0.1:8080")
>>> seen = bob.read("greeting")
>>> second = bob.cas("greeting", seen.version, seen.contents + b" world")
>>> ann.cas("greeting", first, "goodbye")
Traceback (most recent call last):
telefile.errors.VersionMismatch: greeting is at version 2

:class:`Client` sends requests, an :class:`OpenFile` keeps a file open, a :class:`Pipeline` sends many
requests at once, a :class:`Follow` reports what becomes of files, and :mod:`telefile.recipes` has
locks, leases, semaphores, elections, barriers and queues. Every error is an :class:`Error`.

The package has no dependencies and uses blocking sockets; a thread that must not wait for another one
takes a client of its own.
"""

from . import events, recipes
from .client import DEFAULT_MAX_CONTENTS, DEFAULT_TIMEOUT, Client
from .errors import (
    BadDescriptor,
    CommandError,
    Compacted,
    ConnectError,
    ConnectionLost,
    ContentsTooLarge,
    Denied,
    Error,
    FileNotFound,
    InternalError,
    InvalidRequest,
    LimitReached,
    OtherTable,
    OutcomeUnknown,
    ProtocolError,
    Refused,
    ThreadError,
    TypeNotFound,
    VersionMismatch,
    WrongToken,
    WrongType,
)
from .follow import Follow
from .listing import Listing
from .open_file import OpenFile
from .pipeline import Pipeline
from .values import (
    ABSENT,
    EPHEMERAL,
    Change,
    Changes,
    Created,
    Listed,
    Page,
    Session,
    Snapshot,
    Stat,
)

__version__ = "0.1.0"

__all__ = [
    "ABSENT",
    "DEFAULT_MAX_CONTENTS",
    "DEFAULT_TIMEOUT",
    "EPHEMERAL",
    "BadDescriptor",
    "Change",
    "Changes",
    "Client",
    "CommandError",
    "Compacted",
    "ConnectError",
    "ConnectionLost",
    "ContentsTooLarge",
    "Created",
    "Denied",
    "Error",
    "FileNotFound",
    "Follow",
    "InternalError",
    "InvalidRequest",
    "LimitReached",
    "Listed",
    "Listing",
    "OpenFile",
    "OtherTable",
    "OutcomeUnknown",
    "Page",
    "Pipeline",
    "ProtocolError",
    "Refused",
    "Session",
    "Snapshot",
    "Stat",
    "ThreadError",
    "TypeNotFound",
    "VersionMismatch",
    "WrongToken",
    "WrongType",
    "events",
    "recipes",
]
