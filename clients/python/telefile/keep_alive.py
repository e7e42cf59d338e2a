"""Signs of life from a client that holds something, for a server that ends silent connections."""

import threading
import weakref
from typing import Optional, Protocol

from .errors import ThreadError


class Alive(Protocol):
    """What sends signs of life."""

    def beat(self) -> bool:
        """Sends one; returns whether to go on."""


class KeepAlive:
    """A thread that sends a sign of life each half of the idle time-out, until the connection ends."""

    def __init__(self, connection: Alive) -> None:
        # Weak: the thread does not keep a connection that its program has dropped.
        self._connection = weakref.ref(connection)
        self._ended = threading.Event()
        self._is_started = False
        #: How long a silence makes the server end the connection, in seconds; 0 is never.
        self.idle_timeout: Optional[float] = None

    def start(self) -> None:
        """Starts the thread, if there is none yet and the server has an idle time-out."""
        if self._is_started or not self.idle_timeout:
            return
        arguments = (self._connection, self._ended, self.idle_timeout / 2)
        start_thread("telefile-keep-alive", _keep, *arguments)
        self._is_started = True

    def stop(self) -> None:
        """Ends the thread."""
        self._ended.set()


def start_thread(name: str, target: object, *arguments: object) -> threading.Thread:
    """Starts a thread that does not keep its process alive."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)  # type: ignore[arg-type]
    try:
        thread.start()
    except RuntimeError as e:
        raise ThreadError(f"cannot start a thread: {e}") from e
    return thread


def _keep(connection: "weakref.ReferenceType[Alive]", ended: threading.Event, pause: float) -> None:
    while not ended.wait(min(pause, threading.TIMEOUT_MAX)):
        alive = connection()
        # While a request waits for its reply the connection is not idle, and afterwards this is
        # early.
        if alive is None or not alive.beat():
            return
        del alive
