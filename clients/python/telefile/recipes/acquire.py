"""Makes a file that does not exist, as locks and leases do."""

import logging
import time
from typing import Optional, Tuple

from ..calls import Contents
from ..client import Client
from ..errors import FileNotFound, VersionMismatch
from ..values import ABSENT, Exptime
from .deadline import Deadline

#: How long to wait before checking whether the file is a lock at all, in seconds.
_MOMENT = 1.0

_log = logging.getLogger("telefile")


def acquire(
    client: Client, name: str, contents: Contents, exptime: Exptime, deadline: Deadline
) -> Optional[Tuple[int, float]]:
    """Makes a file that does not exist; returns its version, and a time before the server made it.

    Waits until the file is deleted, if necessary; ``None`` if the time is over. After a moment, logs a
    warning about a file that does not end by itself.
    """
    while True:
        before = time.monotonic()
        try:
            return client.cas(name, ABSENT, contents, exptime), before
        except VersionMismatch as e:
            held = e.current
        if deadline.within(_MOMENT).wait(client, name, held):
            continue
        if deadline.left() > 0 and _stays(client, name, held):
            _log.warning(
                "%s is not a lock but a file that stays: it is free when somebody deletes it", name
            )
        if not deadline.wait(client, name, held):
            return None


def _stays(client: Client, name: str, version: int) -> bool:
    """Returns whether the file at this version ends neither with a time nor with a connection."""
    try:
        stat = client.stat(name)
    except FileNotFound:
        return False
    return stat.version == version and stat.exptime is None
