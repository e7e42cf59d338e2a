"""Locks, leases, elections and the like, made of the protocol's commands.

=======================  =====================================================
:class:`Lock`            one at a time
:class:`Lease`           one at a time, and a holder may lose its connection
:class:`FairLock`        one at a time, in the order of the requests
:class:`Semaphore`       a few at a time, in the order of the requests
:class:`Election`        one leads, and all know which
:class:`LeasedElection`  the same, and a leader that stops or hangs is replaced
:class:`Barrier`         all wait for all
:class:`Queue`           each item for one worker, at most or at least once
=======================  =====================================================

They take names unchanged, and make files with that name, or with ``/`` and more after it. The clients
in Rust use the same files, so programs in both languages can share a lock.

They block: a waiting thread keeps its client busy, and others that share the client wait too, so give
each waiting thread its own client. Above all, a thread that waits for a lock held by another thread of
the same client prevents it from releasing the lock, without bound.

A lock over a network promises that no two clients hold it at once **as the server sees it**. A holder
can believe in its lock longer than the server does: it sleeps, its machine is suspended, its network is
cut, and somebody else gets the lock meanwhile. No lock service can prevent that. The remedy: every
holder shows its **token** to the protected resource, and that refuses a token smaller than the greatest
it has seen. A token is valid within one epoch.

When the connection is lost, every guard made with that client is useless, and nothing is acquired again
automatically. (A :class:`Lease` makes a new connection, and goes on if the server's table is the same; so
does the leader of a :class:`LeasedElection`.)
"""

from .barrier import Barrier
from .election import Election, Leader
from .guard import Guard
from .lease import Lease, LeaseEvent, LeaseGuard, Lost, Renewed, Retrying
from .leased_election import Leadership, LeasedElection
from .lock import Lock
from .queue import Queue, Taken
from .semaphore import FairLock, Semaphore

__all__ = [
    "Barrier",
    "Election",
    "FairLock",
    "Guard",
    "Leader",
    "Leadership",
    "Lease",
    "LeaseEvent",
    "LeaseGuard",
    "LeasedElection",
    "Lock",
    "Lost",
    "Queue",
    "Renewed",
    "Retrying",
    "Semaphore",
    "Taken",
]
