"""A semaphore, and a lock that is a semaphore with one permit.

Both are granted in the order of the requests.
"""

from typing import Optional

from ..block import Acquired
from ..client import Client
from ..errors import InvalidRequest
from .deadline import Deadline
from .guard import Guard
from .lock import required
from .waiters import Waiters


class Semaphore(Acquired[Guard]):
    """A number of permits, granted in the order of the requests.

    Each client makes an ephemeral file, ``create NAME/ 0 -1``. The clients with the smallest numbers
    hold the permits. All clients have to give the same number of permits.

    Lost connection, paused holder, restarted server: as with :class:`Lock`. A waiter that loses its
    connection loses its place.

    >>> client = telefile.Client("127.0.0.1:8080")
    >>> downloads = Semaphore(client, "downloads", 2)
    >>> with downloads, downloads:
    ...     print(downloads.try_acquire())
    None
    >>> downloads.try_acquire().token > 0
    True
    """

    def __init__(self, client: Client, name: str, permits: int) -> None:
        super().__init__()
        if permits < 1:
            raise InvalidRequest("a semaphore without permits lets nobody in")
        self._waiters = Waiters(client, name)
        self._permits = permits

    def acquire(self) -> Guard:
        """Acquires a permit. Waits for as long as necessary."""
        return required(self._acquire(Deadline.after(None)))

    def try_acquire(self, timeout: float = 0) -> Optional[Guard]:
        """Acquires a permit if its turn comes within this time, which is rounded up to seconds."""
        return self._acquire(Deadline.after(timeout))

    def _acquire(self, deadline: Deadline) -> Optional[Guard]:
        return wait_in_line(self._waiters, self._waiters.join(), self._permits, deadline)

    def _acquired(self) -> Guard:
        return self.acquire()


class FairLock(Semaphore):
    """A lock that is granted in the order of the requests.

    Each client makes an ephemeral file, ``create NAME/ 0 -1``. The client with the smallest number
    holds the lock, and every other one waits for the file before its own to end. So a release wakes one
    waiter, not all of them. The token is the number: it grows from holder to holder.

    >>> printer = FairLock(telefile.Client("127.0.0.1:8080"), "printer")
    >>> with printer as turn:
    ...     print(turn.token, printer.try_acquire())
    1 None
    """

    def __init__(self, client: Client, name: str) -> None:
        super().__init__(client, name, 1)


def wait_in_line(waiters: Waiters, place: Guard, seats: int, deadline: Deadline) -> Optional[Guard]:
    """Returns the place when fewer than ``seats`` are before it.

    Leaves it if the time is over, and after an error or an interrupt: nobody would wait there.
    """
    try:
        if waiters.wait(place, seats, deadline):
            return place
    except BaseException:
        place.abandon()
        raise
    place.release()
    return None
