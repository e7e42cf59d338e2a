"""What is a name, a prefix and a token.

Pure: sends nothing. All of them are checked before a request is sent, so that no name can smuggle a
second request into the line.
"""

import unicodedata
from typing import Union

from .errors import InvalidRequest
from .shown import for_message

#: The most bytes of a name that ``create`` makes.
MAX_CREATED_BYTES = 430

#: How many digits ``create`` appends to its prefix.
CREATED_DIGITS = 20

_MAX_TOKEN_BYTES = 400
_ASCII_BLANK = b" \t\n\x0c\r"


def name(text: str) -> bytes:
    """Returns a name as the bytes of a field.

    A name is not empty, and has no white space and no control character. ``@`` followed by digits
    alone is a descriptor and not a name.

    >>> name("lock/db")
    b'lock/db'
    >>> name("two words")
    Traceback (most recent call last):
    telefile.errors.InvalidRequest: 'two words' is not a name: it has white space or a control character
    """
    why = why_no_name(text)
    if why:
        raise InvalidRequest(f"{text!r} is not a name: {why}")
    return text.encode()


def why_no_name(text: object) -> str:
    """Returns why a text is not a name; nothing if it is one."""
    if not isinstance(text, str):
        return "it is not a str"
    if not text:
        return "it is empty"
    if any(c.isspace() or unicodedata.category(c) == "Cc" for c in text):
        return "it has white space or a control character"
    if is_descriptor(text):
        return "@ and digits are a descriptor"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "it cannot be encoded as UTF-8"
    return ""


def is_descriptor(text: str) -> bool:
    """Returns whether a text is ``@`` followed by digits alone."""
    return text[:1] == "@" and text[1:].isascii() and text[1:].isdigit()


def prefix(text: str) -> bytes:
    """Returns the beginning of names, which may be empty, as the bytes of a field."""
    if not isinstance(text, str):
        raise InvalidRequest(f"{text!r} is not a str")
    if any(c in text for c in " \r\n"):
        raise InvalidRequest(f"{text!r} has a space or a line end, and a name has none")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{text!r} cannot be encoded as UTF-8") from None


def created_prefix(text: str) -> bytes:
    """Returns the prefix of a name that ``create`` makes, as the bytes of a field."""
    if text == "@":
        raise InvalidRequest("'@' and 20 digits are a descriptor, and not a name")
    encoded = name(text)
    if len(encoded) + CREATED_DIGITS > MAX_CREATED_BYTES:
        shown = for_message(text)
        raise InvalidRequest(f"{shown} and 20 digits are not a name of at most 430 bytes")
    return encoded


def token(text: Union[str, bytes]) -> bytes:
    """Returns a token without the white space around it, such as a final line end.

    The error never shows it.
    """
    raw = text.encode() if isinstance(text, str) else bytes(text)
    token = raw.strip(_ASCII_BLANK)
    if not token:
        raise InvalidRequest("the token is empty")
    if len(token) > _MAX_TOKEN_BYTES:
        raise InvalidRequest(f"the token is longer than {_MAX_TOKEN_BYTES} bytes")
    if any(byte <= 32 or byte == 127 for byte in token):
        raise InvalidRequest("the token has a space or control character in it")
    return token
