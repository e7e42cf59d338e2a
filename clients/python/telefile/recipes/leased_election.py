"""An election whose leader has to renew its leadership, so that one that stops or hangs is replaced."""

from typing import Callable, Optional

from ..calls import Contents
from ..client import Client
from ..values import ABSENT
from .deadline import Deadline
from .election import Leader, read_leader
from .lease import Lease
from .lease_event import LeaseEvent
from .lease_guard import LeaseGuard
from .lock import required


class Leadership(LeaseGuard):
    """A leadership that lasts until its time is over, unless it is renewed.

    Leaving its ``with`` block resigns. It is the :class:`LeaseGuard` of the election's lease.
    """

    @property
    def is_leader(self) -> bool:
        """Whether this program still leads.

        By its own clock and the latest result of :meth:`renew`. Sends nothing.
        """
        return self.is_valid

    def resign(self) -> None:
        """Resigns: another candidate leads at once. Does nothing if it has resigned.

        :class:`~telefile.FileNotFound` and :class:`~telefile.VersionMismatch` mean that somebody else
        may have led since; that leader is left alone.
        """
        self.release()


class LeasedElection:
    """An election whose leader is replaced if it does not renew its leadership in time.

    It is a :class:`Lease` that the candidates compete for: the file ``NAME``, which expires, with the
    leader's value as its contents, so that everybody can read who leads. ``ttl``, ``renew_every`` and
    ``on_event`` are those of the lease; observers may give any. Candidates wait in no order: any of
    them may be the next leader. An :class:`Election` keeps the order, but its leader stays for as long
    as its connection is open, even if it hangs.

    - **Lost connection**: the leader goes on. Renewing makes a new connection, if the server still has
      the same table. A candidate that waits gets :class:`~telefile.ConnectionLost`, and is no longer
      one.
    - **Stopped leader**: if its process or its machine ends, another candidate leads when the time is
      over; a leader that resigns is replaced at once.
    - **Paused leader**: it is replaced when its time is over. After the pause,
      :attr:`Leadership.is_leader` says so by this machine's clock, and the thread of
      :meth:`~LeaseGuard.kept` reports :class:`Lost`. The pause may come just after a look at the
      clock, so commands have to carry the token.
    - **Hanging leader**: the thread of :meth:`~LeaseGuard.kept` renews as long as the process runs. A
      leader whose work may hang calls :meth:`~LeaseGuard.renew` as the work progresses instead.
    - **Restarted server**: nobody leads until there are candidates again. With ``--data`` the leader
      goes on as after a lost connection.

    >>> client = telefile.Client("127.0.0.1:8080")
    >>> election = LeasedElection(client, "leader/web", ttl=10)
    >>> with election.campaign("10.0.0.5:80").kept() as leadership:
    ...     # ... work, as long as it leads, with leadership.token ...
    ...     leader = election.leader()
    ...     leadership.is_leader, leader.contents, leader.token == leadership.token
    (True, b'10.0.0.5:80', True)
    >>> print(election.next_leader(leader.token, timeout=60))  # who is next?
    None
    """

    def __init__(
        self,
        client: Client,
        name: str,
        ttl: float,
        *,
        renew_every: Optional[float] = None,
        on_event: Optional[Callable[[LeaseEvent], None]] = None,
    ) -> None:
        """Sends nothing yet."""
        self._client = client
        self._name = name
        self._ttl = ttl
        self._renew_every = renew_every
        self._on_event = on_event

    def campaign(self, value: Contents) -> Leadership:
        """Waits until it leads, for as long as necessary.

        ``value`` is what others read about the leader, such as its address. After
        :class:`~telefile.OutcomeUnknown` it may lead; the next leader does when that time is over.
        """
        return required(self._campaign(value, Deadline.after(None)))

    def try_campaign(self, value: Contents, timeout: float = 0) -> Optional[Leadership]:
        """Waits until it leads for at most this time, which is rounded up to seconds.

        ``None`` if it did not become the leader.
        """
        return self._campaign(value, Deadline.after(timeout))

    def _campaign(self, value: Contents, deadline: Deadline) -> Optional[Leadership]:
        lease = Lease(
            self._client,
            self._name,
            self._ttl,
            holder=value,
            renew_every=self._renew_every,
            on_event=self._on_event,
        )
        return lease.acquire_as(Leadership, deadline)

    def leader(self) -> Optional[Leader]:
        """Returns the current leader."""
        return read_leader(self._client, self._name)

    def next_leader(self, known: Optional[int], timeout: float) -> Optional[Leader]:
        """Waits until the leader is not the one with token ``known``, where ``None`` is nobody.

        Returns the leader; the same as before if the time, which is rounded up to seconds, is over.

        An observer that passes the token of the leader it knows gets each new one, even one that came
        between two calls, and a candidate that leads once more counts as new. A leader that has
        left before this looks is skipped.
        """
        deadline = Deadline.after(timeout)
        version = ABSENT if known is None else known
        while True:
            leader = self.leader()
            seen = ABSENT if leader is None else leader.token
            if seen != version or not deadline.wait(self._client, self._name, version):
                return leader
