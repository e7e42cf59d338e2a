"""The pauses between attempts: each twice as long as the one before, up to a longest."""

import random
import time

_FIRST_PAUSE = 0.1


class Backoff:
    """When to try again after attempts that have failed."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._failures = 0
        self._next = 0.0

    def succeeded(self) -> None:
        """Forgets the attempts that have failed."""
        self._failures, self._next = 0, 0.0

    def failed(self) -> None:
        """Sets the next pause. Half of it or less is left out at random.

        So the clients of a restarted server do not all come at the same time.
        """
        pause: float = min(_FIRST_PAUSE * 2 ** min(self._failures, 32), self._longest)
        self._failures += 1
        self._next = time.monotonic() + pause * random.uniform(0.5, 1)

    def wait(self, seconds: float) -> bool:
        """Waits until it is time for the next attempt, for at most this; returns whether it is."""
        left = max(self._next - time.monotonic(), 0)
        time.sleep(min(left, seconds))
        return left <= seconds
