"""Names as messages show them: escaped, cut, and without the secret that some begin with."""

_ID_DIGITS = 32
_MAX_SHOWN = 64
_SECRET_SHOWN = len("s/") + 8
_HEX = frozenset("0123456789abcdefABCDEF")


def is_session_id(text: str) -> bool:
    """Returns whether a text is the id of a session of folder synchronisation: 32 hex digits."""
    return len(text) == _ID_DIGITS and _HEX.issuperset(text)


def for_message(text: str) -> str:
    r"""Returns a name as messages show it.

    Escaped, cut to 64 characters, and of a secret name at most 8 digits.

    >>> print(for_message("a\u202eb"))
    a\u202eb
    >>> for_message("s/0123456789abcdef0123456789abcdef/e")
    's/01234567...'
    """
    is_secret = text[:2] == "s/" and is_session_id(text[2 : 2 + _ID_DIGITS])
    most = _SECRET_SHOWN if is_secret else _MAX_SHOWN
    return escaped(text[:most]) + ("..." if len(text) > most else "")


def escaped(text: str) -> str:
    """Returns a text with an escape in place of each character that is not printable."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
