"""A lease: a lock that its holder has to renew, and that survives a lost connection."""

import logging
from typing import Callable, Optional, Type, TypeVar

from ..block import Acquired
from ..calls import Contents, whole_seconds
from ..client import Client
from ..wire import MAX_EXPTIME
from .acquire import acquire
from .deadline import Deadline
from .lease_event import LeaseEvent, Lost, Renewed, Retrying
from .lease_guard import LeaseGuard
from .lock import required

__all__ = ["Lease", "LeaseEvent", "LeaseGuard", "Lost", "Renewed", "Retrying"]

_log = logging.getLogger("telefile")

G = TypeVar("G", bound=LeaseGuard)


class Lease(Acquired[LeaseGuard]):
    """A lock that becomes free if its holder does not renew it in time.

    It is a file that expires: ``cas NAME 0 n TTL`` makes it or fails, ``touch NAME TOKEN TTL`` renews
    it, ``delete`` releases it. ``ttl`` is in seconds, and rounded up to whole ones. ``holder`` is what
    the file contains meanwhile, for people to read.

    A ``with`` block acquires the lease, and a thread renews it until the block is left. Without one,
    see :meth:`LeaseGuard.renew` and :meth:`LeaseGuard.kept`.

    - **Lost connection**: the lease remains. :meth:`LeaseGuard.renew` makes a new connection, if the
      server still has the same table.
    - **Paused holder**: after the pause, :attr:`LeaseGuard.is_valid` reports by this machine's clock
      that the time is over; but the pause may come just after that call. So send the token along with
      every access to what the lease protects.
    - **Restarted server**: all leases are free. A valid lease stays valid here until ``renew`` fails or
      its time is over, though somebody else may hold it on the new server. With ``--data`` it goes on
      as after a lost connection: its time stood still while no server ran.

    The server counts from when it has read the request, the holder from before sending it; so if both
    clocks run at the same speed, the holder's time is over first. A clock that stands still while a
    machine is suspended breaks this.

    >>> client = telefile.Client("127.0.0.1:8080")
    >>> with Lease(client, "lease/backup", ttl=30) as lease:
    ...     # ... work, as long as it is valid, with lease.token ...
    ...     lease.is_valid
    True
    """

    def __init__(
        self,
        client: Client,
        name: str,
        ttl: float,
        *,
        holder: Contents = "",
        renew_every: Optional[float] = None,
        on_event: Optional[Callable[[LeaseEvent], None]] = None,
    ) -> None:
        """Sends nothing yet.

        ``renew_every`` is how often the thread renews the lease, in seconds: a third of its time by
        default, and at most that, so that two renewals may fail.

        ``on_event`` is what the thread calls at each :data:`LeaseEvent`, instead of logging that the
        lease is lost. No renewal takes place during the call, so it should be short.
        """
        super().__init__()
        self._client = client
        self._name = name
        self._ttl = max(whole_seconds(ttl, MAX_EXPTIME), 1)
        self._holder = holder
        third = self._ttl / 3
        self._renew_every = third if renew_every is None else min(renew_every, third)
        self._on_event = self._log_loss if on_event is None else on_event

    def acquire(self) -> LeaseGuard:
        """Acquires the lease. Waits for as long as necessary.

        After :class:`~telefile.OutcomeUnknown` it may be acquired; it is free when its time is over.
        """
        return required(self.acquire_as(LeaseGuard, Deadline.after(None)))

    def try_acquire(self, timeout: float = 0) -> Optional[LeaseGuard]:
        """Acquires the lease if it becomes free within this time, which is rounded up to seconds."""
        return self.acquire_as(LeaseGuard, Deadline.after(timeout))

    def acquire_as(self, guard: Type[G], deadline: Deadline) -> Optional[G]:
        """Acquires the lease by a deadline, for recipes that are made of one."""
        self._client.keep_alive()
        made = acquire(self._client, self._name, self._holder, self._ttl, deadline)
        if made is None:
            return None
        token, since = made
        return guard(
            self._client, self._name, token, self._ttl, since, self._renew_every, self._on_event
        )

    def _log_loss(self, event: LeaseEvent) -> None:
        if isinstance(event, Lost):
            _log.warning("the lease %s is lost: %s", self._name, event.error)

    def _acquired(self) -> LeaseGuard:
        return self.acquire().kept()
