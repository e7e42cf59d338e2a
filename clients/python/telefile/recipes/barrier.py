"""Several parties wait for each other, and go on together."""

from dataclasses import dataclass
from typing import List, Optional

from ..client import Client
from ..errors import FileNotFound, InvalidRequest, VersionMismatch
from ..values import ABSENT
from .deadline import Deadline
from .guard import Guard
from .waiters import Waiters


@dataclass
class _Gate:
    """The contents of the barrier's own file: numbers."""

    #: Parties with numbers up to this may pass.
    open_to: int
    #: Parties that no longer count, but still have their place.
    gave_up: List[int]
    version: int


class Barrier:
    """A barrier that opens when enough parties wait at it, and closes behind them.

    Later parties form the next round. Each party makes an ephemeral file, ``create NAME/ 0 -1``. A
    party that finds enough of them writes the greatest number that may pass into the file ``NAME``,
    with a cas. A party that gives up adds its own number there, so that nobody counts it any more, and
    leaves.

    - **Lost connection**: a party lost before the barrier opened does not count; the others go on
      waiting. One that is lost just as it opens may still be counted.
    - **Paused party**: it passes when it resumes.
    - **Restarted server**: everybody's :meth:`wait` fails with :class:`~telefile.ConnectionLost`.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> def party(number):
    ...     with telefile.Client("127.0.0.1:8080") as client:
    ...         return Barrier(client, "start", 3).wait()  # returns when all three are here
    >>> with ThreadPoolExecutor() as pool:
    ...     list(pool.map(party, range(3)))
    [True, True, True]
    """

    def __init__(self, client: Client, name: str, parties: int) -> None:
        if parties < 1:
            raise InvalidRequest("a barrier for nobody")
        self._waiters = Waiters(client, name)
        self._name = name
        self._parties = parties

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits for the others, for at most this time; returns whether they have come.

        The time is rounded up to seconds, and ``None`` is for ever.
        """
        place = self._waiters.join()
        try:
            return self._wait(place, Deadline.after(timeout))
        finally:
            place.abandon()

    def _wait(self, place: Guard, deadline: Deadline) -> bool:
        client = self._waiters.client
        is_waiting = True
        while True:
            # Read before the places are listed: any later change makes the cas fail.
            gate = self._gate()
            if gate.open_to >= place.token:
                return True
            numbers = [p.version for p in self._waiters.places()[0]]
            # A place that its party has left never returns.
            gate.gave_up = [left for left in gate.gave_up if left in numbers]
            waiting = [n for n in numbers if n > gate.open_to and n not in gate.gave_up]
            if len(waiting) >= self._parties:
                gate.open_to = waiting[self._parties - 1]
                self._set(gate)
            elif is_waiting:
                # A party that comes later sees this place, and opens the gate if it is the last.
                is_waiting = deadline.wait(client, self._name, gate.version)
            else:
                # Written while the place still exists: a missing place does not show why, and this
                # party would not know whether it was counted before.
                gate.gave_up.append(place.token)
                if self._set(gate):
                    return False

    def _gate(self) -> _Gate:
        try:
            file = self._waiters.client.read(self._name)
        except FileNotFound:
            return _Gate(ABSENT, [], ABSENT)
        fields = file.contents.split(b" ")
        if not all(field.isdigit() and len(field) < 20 for field in fields):
            raise InvalidRequest(f"{self._name}: this file does not belong to a barrier")
        open_to, *gave_up = map(int, fields)
        return _Gate(open_to, gave_up, file.version)

    def _set(self, gate: _Gate) -> bool:
        """Writes the gate; returns False if somebody else changed it first."""
        text = " ".join(map(str, [gate.open_to, *gate.gave_up]))
        try:
            self._waiters.client.cas(self._name, gate.version, text)
        except VersionMismatch:
            return False
        return True
