"""The lines that a server sends, as fields and values.

Pure: bytes in, values out. A line that is not exactly what the protocol says is :class:`Malformed`.
``tutorial/reference/protocol.md`` describes the grammar.
"""

import re
from typing import Dict, List, Optional, Type

from . import errors, names
from .shown import is_session_id
from .values import EPHEMERAL

#: A client's line has fewer bytes than this, without its end.
MAX_LINE_BYTES = 500

#: So has a server's line.
MAX_REPLY_LINE_BYTES = 600

#: The most lines of a list and of changes. Other replies of many lines have fewer.
MAX_ITEMS = 10_000

#: The longest time of a watch or a wait, in seconds: a day. A longer one is cut to this.
MAX_WATCH_SECONDS = 86_400

#: 100 years. A greater exptime is cut to this.
MAX_EXPTIME = 3_155_760_000

_SECONDS = re.compile(rb"[0-9]{1,19}(\.[0-9]{1,9})?")
_EPOCH = re.compile(rb"[0-9a-f]{16}")


#: The refusals without fields, by their words.
_PLAIN: Dict[bytes, Type[errors.Refused]] = {
    refused.word.encode(): refused
    for refused in (
        errors.CommandError,
        errors.FileNotFound,
        errors.InternalError,
        errors.BadDescriptor,
        errors.TypeNotFound,
        errors.Denied,
    )
}
_NEVER_GROWING = (errors.CommandError, errors.FileNotFound, errors.InternalError)


class Malformed(Exception):
    """A line that is no answer."""


def fields(line: bytes, word: bytes, *, least: int, most: Optional[int] = None) -> List[bytes]:
    """Returns the fields behind the first word of a line.

    There are ``least`` at least. A reply that never grows has ``most`` at most; where that is absent,
    fields of a later protocol may follow, and are left out.

    >>> fields(b"STATS 3 later", b"STATS", least=1)
    [b'3']
    """
    first, *rest = split(line) or [b""]
    if first != word or len(rest) < least or (most is not None and len(rest) > most):
        raise Malformed
    return rest[: most if most is not None else least]


def split(line: bytes) -> List[bytes]:
    """Returns the parts between spaces. A tab is an ordinary byte."""
    return [field for field in line.split(b" ") if field]


def number(field: bytes) -> int:
    """Parses digits only, without a sign, below 2^63; leading zeros are allowed."""
    # bytes.isdigit() accepts ASCII digits alone.
    if not field.isdigit() or int(field) >= 1 << 63:
        raise Malformed
    return int(field)


def exptime(field: bytes) -> Optional[int]:
    """Parses a remaining lifetime: a number, or exactly ``-1``."""
    return EPHEMERAL if field == b"-1" else number(field) or None


def name(field: bytes) -> str:
    """Parses a name, of a file or of a type."""
    try:
        text = field.decode()
    except UnicodeDecodeError:
        raise Malformed from None
    if names.why_no_name(text):
        raise Malformed
    return text


def epoch(field: bytes) -> str:
    """Parses 16 hex digits."""
    if not _EPOCH.fullmatch(field):
        raise Malformed
    return field.decode()


def session_id(field: bytes) -> str:
    """Parses 32 hex digits."""
    text = field.decode("latin-1")
    if not is_session_id(text):
        raise Malformed
    return text


def seconds(field: bytes) -> float:
    """Parses a time: a number, optionally with a dot and up to nine digits of a fraction."""
    if not _SECONDS.fullmatch(field):
        raise Malformed
    return float(field)


def flag(field: bytes, no: bytes, yes: bytes) -> bool:
    """Parses one of two words."""
    if field not in (no, yes):
        raise Malformed
    return field == yes


def refusal(line: bytes, file: Optional[str]) -> Optional[errors.Refused]:
    """Returns the refusal that a line is; ``None`` if it is none.

    >>> refusal(b"ERR_VERSION 8", "lock/db")
    VersionMismatch('lock/db', 8)
    """
    word = line.split(b" ", 1)[0]
    if not word.startswith(b"ERR_"):
        return None
    if word == b"ERR_VERSION":
        (current,) = fields(line, word, least=1, most=1)
        return errors.VersionMismatch(file, number(current))
    if word == b"ERR_COMPACTED":
        (rev,) = fields(line, word, least=1)
        return errors.Compacted(file, number(rev))
    if word == b"ERR_TYPE":
        (kind,) = fields(line, word, least=1)
        return errors.WrongType(file, name(kind))
    if word == b"ERR_LIMIT":
        limit, maximum = fields(line, word, least=2)
        if limit.decode("latin-1") not in errors.LimitReached.limits():
            raise Malformed
        return errors.LimitReached(file, limit.decode(), number(maximum))
    refused = _PLAIN.get(word)
    if refused is None:
        raise Malformed
    most = 0 if refused in _NEVER_GROWING else None
    fields(line, word, least=0, most=most)
    return refused(file)
