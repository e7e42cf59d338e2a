"""The requests, checked before anything is sent, each with what receives its reply.

Pure: builds lines, and sends nothing.
"""

import math
from dataclasses import dataclass
from typing import Callable, Dict, Generic, List, Optional, TypeVar, Union

from . import names, replies, wire
from .errors import InvalidRequest
from .replies import Reader
from .shown import for_message, is_session_id
from .values import (
    EPHEMERAL,
    Changes,
    Created,
    Exptime,
    Hello,
    Opened,
    Page,
    Session,
    Snapshot,
    Stat,
)

T = TypeVar("T")

#: What a file holds; a str is sent as UTF-8.
Contents = Union[str, bytes, bytearray, memoryview]


class LineTooLong(InvalidRequest):
    """The names of a request do not fit into its line."""


@dataclass(frozen=True)
class Subject:
    """The file of a request."""

    #: How the line refers to it: by its name or by a descriptor.
    field: bytes
    #: Its name, for errors.
    name: str

    @staticmethod
    def named(name: str) -> "Subject":
        """Returns the file of this name."""
        return Subject(names.name(name), name)

    @staticmethod
    def opened(descriptor: int, name: str) -> "Subject":
        """Returns a file that is open."""
        return Subject(b"@%d" % descriptor, name)


@dataclass(frozen=True)
class Call(Generic[T]):
    """A valid request, and what receives its reply."""

    #: The line, without its end.
    line: bytes
    receive: Callable[[Reader, bytes], T]
    contents: Optional[bytes] = None
    #: The name or the prefix that it is about, for errors.
    file: Optional[str] = None
    #: Whether it changes something, so that a lost reply leaves the outcome unknown.
    changes: bool = False
    #: Whether the connection holds a file after it: an open one, or an ephemeral one.
    holds: bool = False
    #: How long the server may take for it, in seconds.
    seconds: int = 0

    def __str__(self) -> str:
        """For errors: never shows a token, and no secret name in full."""
        verb = self.line.split(b" ", 1)[0].decode()
        return verb if self.file is None else f"{verb} {for_message(self.file)}".rstrip()


def read(file: Subject) -> Call[Snapshot]:
    """``read <file>``"""
    return Call(_line(b"read", file.field), replies.snapshot(file.name), file=file.name)


def write(file: Subject, contents: Contents, exptime: Exptime) -> Call[int]:
    """``write <file> <numbytes> <exptime>``"""
    sent = _bytes(contents)
    line = _line(b"write", file.field, len(sent), _exptime(exptime))
    holds = exptime == EPHEMERAL
    return Call(line, replies.version, sent, file.name, changes=True, holds=holds)


def cas(file: Subject, version: int, contents: Contents, exptime: Exptime) -> Call[int]:
    """``cas <file> <version> <numbytes> <exptime>``"""
    sent = _bytes(contents)
    line = _line(b"cas", file.field, _version(version), len(sent), _exptime(exptime))
    holds = exptime == EPHEMERAL
    return Call(line, replies.version, sent, file.name, changes=True, holds=holds)


def delete(file: Subject, version: Optional[int]) -> Call[None]:
    """``delete <file> [<version>]``"""
    fields = [] if version is None else [_version(version)]
    return Call(_line(b"delete", file.field, *fields), replies.done, file=file.name, changes=True)


def touch(file: Subject, version: int, exptime: Exptime) -> Call[int]:
    """``touch <file> <version> <exptime>``"""
    line = _line(b"touch", file.field, _version(version), _exptime(exptime))
    holds = exptime == EPHEMERAL
    return Call(line, replies.version, file=file.name, changes=True, holds=holds)


def create(prefix: str, contents: Contents, exptime: Exptime) -> Call[Created]:
    """``create <prefix> <numbytes> <exptime>``"""
    sent = _bytes(contents)
    line = _line(b"create", names.created_prefix(prefix), len(sent), _exptime(exptime))
    receive, holds = replies.created(prefix), exptime == EPHEMERAL
    return Call(line, receive, sent, prefix, changes=True, holds=holds)


def list_page(prefix: str, limit: int, after: str) -> Call[Page]:
    """``list <prefix> <limit> [<after>]``"""
    if not _is_int(limit) or limit < 1:
        raise InvalidRequest(f"a list of at most {limit} files")
    most = min(limit, wire.MAX_ITEMS)
    line = _line(b"list", names.prefix(prefix) or b"*", most, names.prefix(after))
    return Call(line.rstrip(b" "), replies.page(prefix, most, after), file=prefix)


def watch(prefix: str, since: int, time: float) -> Call[Changes]:
    """``watch <prefix> <rev> <seconds>``"""
    seconds = whole_seconds(time, wire.MAX_WATCH_SECONDS)
    line = _line(b"watch", names.prefix(prefix) or b"*", _version(since), seconds)
    return Call(line, replies.changes(prefix), file=prefix, seconds=seconds)


def wait(file: Subject, version: int, time: float) -> Call[int]:
    """``wait <file> <version> <seconds>``"""
    seconds = whole_seconds(time, wire.MAX_WATCH_SECONDS)
    line = _line(b"wait", file.field, _version(version), seconds)
    return Call(line, replies.version, file=file.name, seconds=seconds)


def open(name: str, kind: Optional[str]) -> Call[Opened]:
    """``open <name> [<type>]``"""
    fields = [] if kind is None else [names.name(kind)]
    line = _line(b"open", names.name(name), *fields)
    return Call(line, replies.opened, file=name, changes=True, holds=True)


def close(file: Subject) -> Call[None]:
    """``close @<fd>``"""
    return Call(_line(b"close", file.field), replies.done, file=file.name, changes=True)


def stat(file: Subject) -> Call[Stat]:
    """``stat <file>``"""
    return Call(_line(b"stat", file.field), replies.stat, file=file.name)


def session(id: Optional[str]) -> Call[Session]:
    """``session -`` or ``session <id>``"""
    if id is not None and not is_session_id(id):
        raise InvalidRequest(f"{for_message(id[:8])}... is not a session's id: 32 hex digits")
    return Call(_line(b"session", (id or "-").encode()), replies.session, changes=True)


def hello(token: Optional[bytes]) -> Call[Hello]:
    """``hello [<token>]``"""
    return Call(_line(b"hello", *([] if token is None else [token])), replies.hello)


def types() -> Call[List[str]]:
    """``types``"""
    return Call(b"types", replies.types)


def stats() -> Call[Dict[str, str]]:
    """``stats``"""
    return Call(b"stats", replies.stats)


def help() -> Call[List[str]]:
    """``help``"""
    return Call(b"help", replies.help)


def whole_seconds(time: float, most: int) -> int:
    """Rounds a time up to seconds, like every time on the wire.

    >>> [whole_seconds(time, 9) for time in (0, 0.2, 1, 8.5, float("inf"))]
    [0, 1, 1, 9, 9]
    """
    if not time >= 0:
        raise InvalidRequest(f"{time} is not a time: those are not negative")
    return most if time >= most else math.ceil(time)


def _line(verb: bytes, *fields: Union[bytes, int]) -> bytes:
    encoded = (b"%d" % field if isinstance(field, int) else field for field in fields)
    line = b" ".join([verb, *encoded])
    if len(line) >= wire.MAX_LINE_BYTES:
        raise LineTooLong("the name is too long for a line")
    return line


def _bytes(contents: Contents) -> bytes:
    """Returns contents as bytes of their own, which nothing changes while they are sent."""
    if isinstance(contents, str):
        try:
            return contents.encode()
        except UnicodeEncodeError:
            raise InvalidRequest("the contents cannot be encoded as UTF-8") from None
    if isinstance(contents, (bytes, bytearray, memoryview)):
        return bytes(contents)
    kind = type(contents).__name__
    raise InvalidRequest(f"contents are a str or bytes, and not of type {kind}")


def _exptime(exptime: Exptime) -> bytes:
    if exptime is None:
        return b"0"
    if exptime == EPHEMERAL:
        return b"-1"
    # On the line it would be 0, which is "never".
    if not exptime > 0:
        raise InvalidRequest(f"an exptime of {exptime} seconds; None is never")
    return b"%d" % whole_seconds(exptime, wire.MAX_EXPTIME)


def _version(version: int) -> int:
    if not _is_int(version) or not 0 <= version < 1 << 63:
        raise InvalidRequest(f"{version!r} is not a version: those are from 0 and below 2^63")
    return version


def _is_int(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
