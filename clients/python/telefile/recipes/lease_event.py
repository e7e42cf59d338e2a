"""What happens to a lease that a thread keeps."""

from dataclasses import dataclass
from typing import Union

from ..errors import Error


@dataclass(frozen=True)
class Renewed:
    """The lease is renewed."""

    #: When it ends unless it is renewed again, as a time of ``time.monotonic()``.
    valid_until: float


@dataclass(frozen=True)
class Retrying:
    """The lease is still valid, but could not be renewed. The thread tries again."""

    #: Why.
    error: Error


@dataclass(frozen=True)
class Lost:
    """The lease is over, and the thread ends.

    :class:`~telefile.OtherTable` or a refusal means that the server has no such lease any more. After
    any other error the lease was not renewed in time.
    """

    #: Why.
    error: Error


#: Any of them.
LeaseEvent = Union[Renewed, Retrying, Lost]
