"""A lease while it is held: how it is renewed, kept and released, over one connection after another."""

import logging
import os
import threading
import time
from contextlib import suppress
from typing import Callable, Optional, TypeVar

from ..block import Block
from ..client import Client
from ..errors import ConnectionLost, Error, FileNotFound, OtherTable, VersionMismatch
from ..keep_alive import start_thread
from .lease_event import LeaseEvent, Lost, Renewed, Retrying

#: The longest pause after a renewal that failed, in seconds.
_MAX_RETRY = 1.0

_log = logging.getLogger("telefile")

G = TypeVar("G", bound="LeaseGuard")


class LeaseGuard(Block):
    """A lease that is held. Leaving its ``with`` block releases it."""

    def __init__(
        self,
        client: Client,
        name: str,
        token: int,
        ttl: int,
        since: float,
        renew_every: float,
        on_event: Callable[[LeaseEvent], None],
    ) -> None:
        """``since`` is a time before the server made the lease."""
        self._client = client
        #: Whether the connection is the lease's alone, and ends with it.
        self._is_own = False
        self._ttl = ttl
        self._renew_every = renew_every
        self._on_event = on_event
        self._valid_until = since + ttl
        #: Held during a request, and while the client is replaced.
        self._requests = threading.Lock()
        self._ended = threading.Event()
        self._process = os.getpid()
        self._keeper: Optional[threading.Thread] = None
        #: The name of the lease's file.
        self.name = name
        #: The fencing token: the version of the change that acquired it. Every later holder's is
        #: greater.
        self.token = token

    @property
    def valid_until(self) -> float:
        """When the lease ends unless it is renewed, as a time of ``time.monotonic()``."""
        return self._valid_until

    @property
    def is_valid(self) -> bool:
        """Whether this program still holds the lease.

        By its own clock and the latest result of :meth:`renew`. Sends nothing.
        """
        return not self._ended.is_set() and time.monotonic() < self._valid_until

    def renew(self) -> None:
        """Restarts the lease's time.

        :class:`~telefile.FileNotFound`, :class:`~telefile.VersionMismatch` and
        :class:`~telefile.OtherTable` mean that the lease was lost. After any other error it is valid
        for the rest of its time, and the call can be repeated.
        """
        self._check_process()
        with self._requests:
            try:
                try:
                    self._touch()
                except ConnectionLost:
                    self._replace_client(None)
                    self._touch()
            except (OtherTable, FileNotFound, VersionMismatch):
                self._valid_until = time.monotonic()
                raise

    def kept(self: G) -> G:
        """Starts a thread with its own connection that renews the lease regularly.

        If the connection ends, the thread makes another one at once. It does so as long as the process
        runs, even if the work hangs; to avoid that, call :meth:`renew` as the work progresses instead.
        After an error the lease is released.
        """
        try:
            with self._requests:
                # A request fails early enough to be repeated in time.
                self._replace_client(self._ttl / 3)
            self._keeper = start_thread("telefile-lease", self._keep)
        except BaseException:
            with suppress(Error):
                self.release()
            raise
        return self

    def release(self) -> None:
        """Releases the lease. Does nothing if it is released.

        :class:`~telefile.FileNotFound` and :class:`~telefile.VersionMismatch` mean that it was lost
        before, so that somebody else may have held it too.
        """
        if self._ended.is_set():
            return
        self._check_process()
        was_valid = self.is_valid
        self._ended.set()
        try:
            with self._requests:
                self._delete(was_valid)
        finally:
            if self._is_own:
                self._client.close()  # This ends the thread's wait.
            # A callback may release it.
            if self._keeper is not None and self._keeper is not threading.current_thread():
                self._keeper.join()

    def _check_process(self) -> None:
        # Another connection of a child would be as good as this one, and release the lease.
        if self._process != os.getpid():
            raise ConnectionLost("the lease belongs to the process that acquired it")

    def _touch(self) -> None:
        before = time.monotonic()
        self._client.touch(self.name, self.token, self._ttl)
        self._valid_until = before + self._ttl

    def _delete(self, was_valid: bool) -> None:
        try:
            self._client.delete(self.name, self.token)
        except ConnectionLost:
            self._replace_client(None)
            try:
                self._client.delete(self.name, self.token)
            except FileNotFound:
                # The first delete was executed: nobody else can have held the lease yet.
                if not was_valid:
                    raise

    def _replace_client(self, timeout: Optional[float]) -> None:
        client = self._client.reconnect(timeout=timeout)
        try:
            client.keep_alive()
        except BaseException:
            client.close()
            raise
        if self._is_own:
            self._client.close()
        self._client, self._is_own = client, True

    def _keep(self) -> None:
        """Renews the lease until it is over or released."""
        retry = min(self._ttl / 20, _MAX_RETRY)
        pause = self._renew_every
        while not self._ended.is_set():
            # Not under the lock: the lease can be released meanwhile.
            with self._requests:
                client = self._client
            # A lost connection is replaced early. The pause bounds how often.
            is_lost = client.wait_lost(pause)
            if self._ended.wait(retry if is_lost else 0):
                return
            event: LeaseEvent
            try:
                self.renew()
                pause, event = self._renew_every, Renewed(self._valid_until)
            except Error as e:
                # Any error may pass: a full server accepts a connection a little later.
                pause, event = retry, Retrying(e) if self.is_valid else Lost(e)
            # A renewal that the end of the lease interrupted is no event.
            if self._ended.is_set():
                return
            try:
                self._on_event(event)
            except Exception:
                _log.exception("on_event of the lease %s has failed", self.name)
            if isinstance(event, Lost):
                return

    def _end(self) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} token={self.token}>"
