"""One of several candidates is the leader, and everybody knows which."""

from dataclasses import dataclass
from typing import Optional, Tuple

from ..calls import Contents
from ..client import Client
from ..errors import FileNotFound
from .deadline import Deadline
from .guard import Guard
from .lock import required
from .semaphore import wait_in_line
from .waiters import Waiters


@dataclass(frozen=True)
class Leader:
    """The current leader."""

    #: What the leader wrote about itself in its candidacy.
    contents: bytes
    #: The leader's token: each later leader's is greater.
    token: int
    #: The name of its file.
    name: str


class Election:
    """An election: candidates queue, and the first of them leads until it leaves or its connection ends.

    Each candidate makes an ephemeral file, ``create NAME/ n -1``, whose contents say who it is. The
    one with the smallest number is the leader, and the number is its token. The successor is known
    before the leader leaves, so no vote is needed.

    - **Lost connection**: the next candidate succeeds when the server sees the end of the leader's
      connection: at once if the process ended, after about a minute if the network was cut.
    - **Paused leader**: it leads as long as its connection lasts; a :class:`LeasedElection` replaces it.
      One whose connection was cut during the pause does not know that it no longer leads: its commands
      have to carry the token.
    - **Restarted server**: nobody leads until there are candidates again.

    >>> election = Election(telefile.Client("127.0.0.1:8080"), "leader/web")
    >>> print(election.leader())
    None
    >>> with election.campaign("10.0.0.5:80") as leadership:
    ...     election.leader().contents, election.leader().token == leadership.token
    (b'10.0.0.5:80', True)
    """

    def __init__(self, client: Client, name: str) -> None:
        self._waiters = Waiters(client, name)

    def campaign(self, candidate: Contents) -> Guard:
        """Becomes a candidate, and waits until it leads, for as long as necessary."""
        return required(self._campaign(candidate, Deadline.after(None)))

    def try_campaign(self, candidate: Contents, timeout: float = 0) -> Optional[Guard]:
        """Becomes a candidate for at most this time, which is rounded up to seconds.

        ``None`` if it did not become the leader.
        """
        return self._campaign(candidate, Deadline.after(timeout))

    def _campaign(self, candidate: Contents, deadline: Deadline) -> Optional[Guard]:
        return wait_in_line(self._waiters, self._waiters.join(candidate), 1, deadline)

    def leader(self) -> Optional[Leader]:
        """Returns the current leader."""
        return self._look()[0]

    def next_leader(self, known: Optional[int], timeout: float) -> Optional[Leader]:
        """Waits until the leader is not the one with token ``known``, where ``None`` is nobody.

        Returns the leader; the same as before if the time, which is rounded up to seconds, is over. A
        leader that has left before this looks is skipped.
        """
        deadline = Deadline.after(timeout)
        while True:
            leader, as_of = self._look()
            if leader is None and known is None:
                waiters = self._waiters
                waited = deadline.watch(waiters.client, waiters.prefix, as_of)[1] is not None
            elif leader is not None and leader.token == known:
                # New candidates do not change the leader.
                waited = deadline.wait(self._waiters.client, leader.name, leader.token)
            else:
                waited = False
            if not waited:
                return leader

    def _look(self) -> Tuple[Optional[Leader], int]:
        """Returns the leader, and the version as of which this is true."""
        while True:
            places, as_of = self._waiters.places()
            if not places:
                return None, as_of
            leader = read_leader(self._waiters.client, places[0].name)
            # Otherwise it has left meanwhile.
            if leader is not None:
                return leader, as_of


def read_leader(client: Client, name: str) -> Optional[Leader]:
    """Returns the leader whose file this is, if the file exists."""
    try:
        file = client.read(name)
    except FileNotFound:
        return None
    return Leader(file.contents, file.version, name)
