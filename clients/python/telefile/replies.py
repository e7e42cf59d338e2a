"""Receives each kind of reply, with the lines or the contents that follow it, as a value.

A function gets the first line, and asks a :class:`Reader` for what follows. A reply that does not
answer the request is :class:`~telefile.wire.Malformed`.
"""

from typing import Callable, Dict, List, Protocol, Tuple, TypeVar

from . import wire
from .values import Change, Changes, Created, Hello, Listed, Opened, Page, Session, Snapshot, Stat
from .wire import Malformed

T = TypeVar("T")


class Reader(Protocol):
    """What follows the first line of a reply."""

    def line(self) -> bytes:
        """Reads a line, without its end."""

    def contents(self, numbytes: int, file: str) -> bytes:
        """Reads announced contents, and the line end behind them."""


def snapshot(file: str) -> Callable[[Reader, bytes], Snapshot]:
    """Returns what receives the contents of a file."""

    def receive(reader: Reader, line: bytes) -> Snapshot:
        version, numbytes, exptime = wire.fields(line, b"CONTENTS", least=3, most=3)
        found = wire.number(version), wire.number(numbytes), wire.exptime(exptime)
        return Snapshot(reader.contents(found[1], file), found[0], found[2])

    return receive


def version(_: Reader, line: bytes) -> int:
    """Receives ``OK <version>``."""
    (field,) = wire.fields(line, b"OK", least=1, most=1)
    return wire.number(field)


def done(_: Reader, line: bytes) -> None:
    """Receives ``OK``."""
    wire.fields(line, b"OK", least=0, most=0)


def created(prefix: str) -> Callable[[Reader, bytes], Created]:
    """Returns what receives ``OK <version> <name>``."""

    def receive(_: Reader, line: bytes) -> Created:
        version, name = wire.fields(line, b"OK", least=2, most=2)
        made = Created(wire.number(version), wire.name(name))
        if made.name != f"{prefix}{made.version:020}":
            raise Malformed
        return made

    return receive


def opened(_: Reader, line: bytes) -> Opened:
    """Receives ``FD <fd> <version> <type>``."""
    fd, version, kind = wire.fields(line, b"FD", least=3)
    return Opened(wire.number(fd), wire.number(version), wire.name(kind))


def stat(_: Reader, line: bytes) -> Stat:
    """Receives ``STAT <version> <numbytes> <exptime> <type> <opens>``."""
    version, numbytes, exptime, kind, opens = wire.fields(line, b"STAT", least=5)
    return Stat(
        wire.number(version),
        wire.number(numbytes),
        wire.exptime(exptime),
        wire.name(kind),
        wire.number(opens),
    )


def hello(_: Reader, line: bytes) -> Hello:
    """Receives ``HELLO 1 <epoch> <rev> <idle>``. Older servers do not send the last field."""
    first, epoch, rev = wire.fields(line, b"HELLO", least=3)
    if wire.number(first) != 1:
        raise Malformed
    idle = wire.split(line)[4:5]
    timeout = wire.seconds(idle[0]) if idle else None
    return Hello(wire.epoch(epoch), wire.number(rev), timeout)


def session(_: Reader, line: bytes) -> Session:
    """Receives ``SESSION <id> <epoch> <rev> NEW`` or ``OLD``."""
    id, epoch, rev, state = wire.fields(line, b"SESSION", least=4)
    is_new = wire.flag(state, no=b"OLD", yes=b"NEW")
    return Session(wire.session_id(id), wire.epoch(epoch), wire.number(rev), is_new)


def types(reader: Reader, line: bytes) -> List[str]:
    """Receives the names of types."""
    return _lines(reader, line, b"TYPES", lambda line: wire.name(_only(wire.split(line))))


def stats(reader: Reader, line: bytes) -> Dict[str, str]:
    """Receives names and values."""

    def pair(line: bytes) -> Tuple[str, str]:
        name, value = _exactly(2, wire.split(line))
        return wire.name(name), wire.name(value)

    return dict(_lines(reader, line, b"STATS", pair))


def help(reader: Reader, line: bytes) -> List[str]:
    """Receives lines of text."""
    return _lines(reader, line, b"HELP", _text)


def page(prefix: str, limit: int, after: str) -> Callable[[Reader, bytes], Page]:
    """Returns what receives a page of a list."""
    beginning = "" if prefix == "*" else prefix  # as the server reads it

    def listed(line: bytes) -> Listed:
        version, numbytes, exptime, name = _at_least(4, wire.split(line))
        return Listed(
            wire.name(name), wire.number(version), wire.number(numbytes), wire.exptime(exptime)
        )

    def receive(reader: Reader, line: bytes) -> Page:
        rev, count, more = wire.fields(line, b"LIST", least=3)
        (version, lines) = wire.number(rev), wire.number(count)
        is_more = wire.flag(more, no=b"0", yes=b"1")
        if lines > limit or (is_more and lines == 0):
            raise Malformed
        files = tuple(listed(reader.line()) for _ in range(lines))
        # In order, and those that were asked for. Otherwise a list of several pages might never end.
        # Text compares by code points, and that is the byte order of UTF-8.
        last = after
        for file in files:
            if file.name <= last or not file.name.startswith(beginning):
                raise Malformed
            last = file.name
        return Page(version, files, is_more)

    return receive


def changes(prefix: str) -> Callable[[Reader, bytes], Changes]:
    """Returns what receives the answer to a watch."""
    beginning = "" if prefix == "*" else prefix

    def changed(line: bytes) -> Change:
        state, version, numbytes, name = _at_least(4, wire.split(line))
        is_put = wire.flag(state, no=b"del", yes=b"put")
        bytes_now = wire.number(numbytes)
        change = Change(wire.name(name), wire.number(version), bytes_now if is_put else None)
        if not change.name.startswith(beginning):
            raise Malformed
        return change

    def receive(reader: Reader, line: bytes) -> Changes:
        rev, count = wire.fields(line, b"CHANGES", least=2)
        version, lines = wire.number(rev), wire.number(count)
        if lines > wire.MAX_ITEMS:
            raise Malformed
        return Changes(version, tuple(changed(reader.line()) for _ in range(lines)))

    return receive


def _lines(reader: Reader, line: bytes, word: bytes, parse: Callable[[bytes], T]) -> List[T]:
    """Receives a reply that announces how many lines it has."""
    (count,) = wire.fields(line, word, least=1)
    if wire.number(count) > wire.MAX_ITEMS:
        raise Malformed
    return [parse(reader.line()) for _ in range(wire.number(count))]


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise Malformed from None


def _exactly(count: int, fields: List[bytes]) -> List[bytes]:
    if len(fields) != count:
        raise Malformed
    return fields


def _only(fields: List[bytes]) -> bytes:
    return _exactly(1, fields)[0]


def _at_least(count: int, fields: List[bytes]) -> List[bytes]:
    """Leaves out fields that a later protocol has added."""
    if len(fields) < count:
        raise Malformed
    return fields[:count]
