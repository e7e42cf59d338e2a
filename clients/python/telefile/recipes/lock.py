"""A lock: one file, held by the client that made it."""

from typing import Optional, TypeVar

from ..block import Acquired
from ..calls import Contents
from ..client import Client
from ..values import EPHEMERAL
from .acquire import acquire
from .deadline import Deadline
from .guard import Guard

T = TypeVar("T")


class Lock(Acquired[Guard]):
    """A lock that is free again as soon as its holder's connection ends.

    It is an ephemeral file: ``cas NAME 0`` makes it or fails, its version is the token, ``delete``
    releases the lock, and waiters learn of that by ``wait``. Any of them may be the next holder; a
    :class:`FairLock` keeps the order. ``holder`` is what the file contains meanwhile, for people to
    read.

    - **Lost connection**: the server frees the lock when it sees the end of the connection: at once if
      the process ended, after about a minute if the network was cut. :meth:`Guard.check` fails from
      then on.
    - **Paused holder**: a suspended holder keeps the lock, because its connection stays open. If the
      connection was cut meanwhile, the holder does not know that it has lost the lock: send the token
      along with every access to what the lock protects.
    - **Restarted server**: all locks are free, even with ``--data``. Every guard's ``check`` fails.

    >>> ann, bob = telefile.Client("127.0.0.1:8080"), telefile.Client("127.0.0.1:8080")
    >>> with Lock(ann, "lock/db") as held:
    ...     # ... write to the database, with held.token ...
    ...     first = held.token
    ...     print(Lock(bob, "lock/db").try_acquire())
    None
    >>> with Lock(bob, "lock/db") as held:
    ...     held.token > first
    True
    """

    def __init__(self, client: Client, name: str, *, holder: Contents = "") -> None:
        super().__init__()
        self._client = client
        self._name = name
        self._holder = holder

    def acquire(self) -> Guard:
        """Acquires the lock. Waits for as long as necessary."""
        return required(self._acquire(Deadline.after(None)))

    def try_acquire(self, timeout: float = 0) -> Optional[Guard]:
        """Acquires the lock if it becomes free within this time, which is rounded up to seconds."""
        return self._acquire(Deadline.after(timeout))

    def _acquire(self, deadline: Deadline) -> Optional[Guard]:
        made = acquire(self._client, self._name, self._holder, EPHEMERAL, deadline)
        return None if made is None else Guard(self._client, self._name, made[0])

    def _acquired(self) -> Guard:
        return self.acquire()


def required(acquired: Optional[T]) -> T:
    """Returns what a wait without an end has acquired."""
    assert acquired is not None, "a time that never ends was over"
    return acquired
