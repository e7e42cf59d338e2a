"""The addresses of one table: the first one whose server answers is used."""

import time
from typing import Callable, List, Optional, Sequence, Tuple, TypeVar

from .address import Address
from .errors import ConnectError, Error, InvalidRequest

T = TypeVar("T")

_NO_CONNECTION = "no connection: "


def parse(text: str) -> List[Address]:
    """Parses addresses with commas between them. Looks nothing up.

    >>> [str(address) for address in parse("localhost:8080,unix:/run/telefile.sock")]
    ['localhost:8080', 'unix:/run/telefile.sock']
    >>> parse("localhost:8080,")
    Traceback (most recent call last):
    telefile.errors.InvalidRequest: 'localhost:8080,': address 2 of 2 is empty
    """
    parts = text.split(",") if isinstance(text, str) else [text]
    if len(parts) == 1:
        return [Address.parse(text)]
    parsed = []
    for number, part in enumerate(parts, 1):
        place = f"{text!r}: address {number} of {len(parts)} is"
        if not part:
            raise InvalidRequest(f"{place} empty")
        try:
            parsed.append(Address.parse(part))
        except InvalidRequest as e:
            raise InvalidRequest(f"{place} wrong: {e}") from None
    return parsed


def first_answer(
    addresses: Sequence[Address],
    first: int,
    timeout: Optional[float],
    attempt: Callable[[Address, Optional[float]], T],
) -> Tuple[int, T]:
    """Calls ``attempt`` with one address after another, from place ``first`` on, until one succeeds.

    Returns its place and the result. Each attempt gets its share of ``timeout``: what those before it
    have left of the time, divided by the addresses that are left. If all fail, an error that does not
    pass is raised as it is, and otherwise one with the reason for each address.
    """
    failures: List[Tuple[Address, Error]] = []
    left = timeout
    for n in range(len(addresses)):
        place = (first + n) % len(addresses)
        share = None if left is None else left / (len(addresses) - n)
        start = time.monotonic()
        try:
            return place, attempt(addresses[place], share)
        except Error as e:
            failures.append((addresses[place], e))
        if left is not None and share is not None:
            # A name that takes long to look up takes nothing away from the others.
            left -= min(time.monotonic() - start, share)
    raise _of_all(failures)


def _of_all(failures: List[Tuple[Address, Error]]) -> Error:
    lasting = [e for _, e in failures if not e.is_retryable]
    if lasting:
        return lasting[0]
    if len(failures) == 1 or not any(isinstance(e, ConnectError) for _, e in failures):
        return failures[0][1]
    reasons = [
        str(e)[len(_NO_CONNECTION) :] if isinstance(e, ConnectError) else f"{address}: {e}"
        for address, e in failures
    ]
    return ConnectError(_NO_CONNECTION + "; ".join(reasons))


def no_connection(why: object) -> ConnectError:
    """Returns the error for a reason that begins with the address."""
    return ConnectError(f"{_NO_CONNECTION}{why}")
