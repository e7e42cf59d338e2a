"""The connection of a client, always in step: the reply to a request is taken before the lock is
released, and the first mismatch ends the connection.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any, List, Optional, Sequence, Tuple, TypeVar

from . import wire
from .address import Address, wait_ready
from .calls import Call
from .errors import ConnectionLost, ContentsTooLarge, Error, OutcomeUnknown, ProtocolError
from .keep_alive import KeepAlive
from .shown import escaped
from .wire import Malformed

T = TypeVar("T")

#: This many bytes have to go through within one time-out.
_STEADY_BYTES = 1 << 20
_RECEIVE_BYTES = 1 << 16
_MAX_SHOWN = 64


class Connection:
    """A connection to a server. Threads may share it: each request waits for the one before it."""

    def __init__(
        self,
        connected: socket.socket,
        address: Address,
        timeout: Optional[float],
        max_contents: int,
    ) -> None:
        self._socket = connected
        self._address = address
        #: For each reply, and for each mebibyte of what is sent and received; in seconds.
        self.timeout = timeout
        self._max_contents = max_contents
        #: Held for a request and its reply.
        self._lock = threading.Lock()
        #: Received, and not taken yet.
        self._received = bytearray()
        self._deadline: Optional[float] = None
        #: The latest line, for errors.
        self._line = b""
        #: Contents over the maximum, to be skipped before the next reply. Not at once: a server that
        #: announces more than it ever sends would delay the client as well as lose it.
        self._to_skip = 0
        #: Why not everything could be sent. The last reply of the server says more, so this is
        #: reported only if there is none.
        self._unsent: Optional[OSError] = None
        #: Why the connection is lost.
        self._lost: Optional[str] = None
        #: A child of this process must not send on the connection, which it shares.
        self._process = os.getpid()
        self._keep_alive = KeepAlive(self)

    def call(self, call: Call[T]) -> T:
        """Sends a request and returns its answer, or raises its error."""
        answers, error = self.exchange([call])
        if error is not None:
            raise error from error.__cause__
        if isinstance(answers[0], Error):
            raise answers[0]
        return answers[0]  # type: ignore[no-any-return]

    def exchange(self, calls: Sequence[Call[Any]]) -> Tuple[List[Any], Optional[Error]]:
        """Sends requests together. Returns their answers, and the error that ended the connection.

        A refusal is an answer. The caller sends little enough for the kernel to buffer it, or one
        request: a server whose replies are not received stops reading.
        """
        answers: List[Any] = []
        with self._locked():
            if any(call.holds for call in calls):
                self._keep_alive.start()
            self._check()
            try:
                self._send(calls)
                for call in calls:
                    answers.append(self._receive(call))
            except Malformed:
                line = escaped(self._line[:_MAX_SHOWN].decode(errors="replace"))
                why = f"{self._address}: {line!r} is no answer to {calls[len(answers)]}"
                return answers, self._lose(ProtocolError(why), calls[len(answers) :])
            except (OSError, EOFError) as e:
                cause = e if self._unsent is None else self._unsent
                return answers, self._lose(cause, calls[len(answers) :])
            except ConnectionLost as e:
                return answers, e
            except BaseException:
                # An interrupt, perhaps in the middle of a reply: the next one could not be found.
                self._end("a request was interrupted")
                raise
        return answers, None

    def _lose(self, cause: Exception, unanswered: Sequence[Call[Any]]) -> Error:
        """Ends the connection, and returns the error for the requests without an answer."""
        if self._lost is not None:
            cause = ConnectionAbortedError(self._lost)
        self._end(str(cause))
        if any(call.changes for call in unanswered):
            error: Error = OutcomeUnknown(
                f"the connection is lost, and the request may have been executed: {cause}"
            )
        elif isinstance(cause, ProtocolError):
            return cause
        else:
            error = ConnectionLost(f"the connection is lost: {cause}")
        error.__cause__ = cause
        return error

    def _locked(self) -> threading.Lock:
        """Returns the lock, but not to a child: another thread may have held it at the fork."""
        if self._process != os.getpid():
            raise ConnectionLost("the connection belongs to the process that made it")
        return self._lock

    def _check(self) -> None:
        if self._lost is not None:
            raise ConnectionLost(f"the connection is lost: {self._lost}")

    def _send(self, calls: Sequence[Call[Any]]) -> None:
        parts: List[bytes] = []
        for call in calls:
            parts.append(call.line + b"\r\n")
            if call.contents is not None:
                parts += [call.contents, b"\r\n"]
        rest = memoryview(b"".join(parts))
        try:
            while rest:
                self._set_deadline()
                steady = rest[:_STEADY_BYTES]
                rest = rest[_STEADY_BYTES:]
                while steady:
                    try:
                        steady = steady[self._socket.send(steady) :]
                    except BlockingIOError:
                        self._wait(to_send=True)
        except TimeoutError:
            # A server that does not take the request does not answer it either.
            raise
        except OSError as e:
            self._unsent = OSError(e.errno, f"{self._address}: {e.strerror or e}")

    def _receive(self, call: Call[T]) -> Any:
        """Returns the answer to a request: a value, a refusal, or that it is too large."""
        self._check()
        self._set_deadline()
        self._skip()
        self._set_deadline(call.seconds)
        line = self.line()
        refusal = wire.refusal(line, call.file)
        if refusal is not None:
            if refusal.closes:
                self._end(str(refusal))
            return refusal
        try:
            return call.receive(self, line)
        except ContentsTooLarge as e:
            return e

    def line(self) -> bytes:
        """Reads a line, which ends in CR LF, and returns it without its end."""
        searched = 0
        while True:
            at = self._received.find(b"\n", searched)
            searched = len(self._received)
            length = searched if at < 0 else at + 1
            self._line = bytes(self._received[:length])
            if length > wire.MAX_REPLY_LINE_BYTES:
                raise Malformed
            if at >= 0:
                break
            self._fill()
        del self._received[:length]
        line = self._line[:-2]
        if not self._line.endswith(b"\r\n") or b"\r" in line:
            raise Malformed
        return line

    def contents(self, numbytes: int, file: str) -> bytes:
        """Reads announced contents, and the line end behind them."""
        if numbytes > self._max_contents:
            self._to_skip = numbytes + len(b"\r\n")
            raise ContentsTooLarge(file, numbytes, self._max_contents)
        contents = self._take(numbytes)
        if self._take(2) != b"\r\n":
            raise Malformed
        return contents

    def _take(self, numbytes: int) -> bytes:
        """Reads bytes. Memory is taken as they arrive, and not because they are announced."""
        parts: List[bytes] = []
        steady = 0
        while numbytes > 0:
            if not self._received:
                self._fill()
            part = bytes(self._received[:numbytes])
            del self._received[: len(part)]
            parts.append(part)
            numbytes -= len(part)
            steady += len(part)
            if steady >= _STEADY_BYTES:
                self._set_deadline()
                steady = 0
        return b"".join(parts)

    def _skip(self) -> None:
        """Reads what a request before has left."""
        while self._to_skip:
            if not self._received:
                self._set_deadline()
                self._fill()
            length = min(self._to_skip, len(self._received))
            del self._received[:length]
            self._to_skip -= length

    def _fill(self) -> None:
        """Receives what has arrived, at least a byte."""
        while True:
            try:
                received = self._socket.recv(_RECEIVE_BYTES)
                break
            except BlockingIOError:
                self._wait(to_send=False)
            except OSError as e:
                raise OSError(e.errno, f"{self._address}: {e.strerror or e}") from None
        if not received:
            raise EOFError(f"{self._address}: the server closed the connection")
        self._received += received

    def _wait(self, *, to_send: bool) -> None:
        if not wait_ready(self._socket, to_send=to_send, deadline=self._deadline):
            raise TimeoutError(f"{self._address}: no answer within {self.timeout:g} s")

    def _set_deadline(self, seconds: float = 0) -> None:
        """Allows the server ``seconds`` to execute a request, and the time-out to answer."""
        timeout = self.timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout + seconds

    def beat(self) -> bool:
        """Sends a sign of life, an empty line, which has no reply; returns whether to go on."""
        with self._locked():
            if self._lost is not None:
                return False
            try:
                # Does not wait: what fills the socket is a sign of life too.
                self._socket.send(b"\n")
            except BlockingIOError:
                pass
            except OSError:
                return False  # The next request reads what the server said before it closed.
        return True

    def keep_alive(self) -> None:
        """Sends signs of life from now on, if the server has an idle time-out."""
        with self._locked():
            self._check()
            self._keep_alive.start()

    def set_idle_timeout(self, seconds: Optional[float]) -> None:
        """Stores the server's idle time-out."""
        self._keep_alive.idle_timeout = seconds

    def wait_lost(self, seconds: float) -> bool:
        """Waits until the connection has ended, but no longer than this; returns whether it has."""
        deadline = time.monotonic() + seconds
        with self._locked():
            if self._lost is not None:
                return True
            try:
                # The rest of a reply is no sign of an end.
                self._skip()
            except (OSError, EOFError) as e:
                self._end(str(e))
                return True
            # A number of its own, which no other thread closes.
            watched = self._socket.dup()
        with watched:
            while True:
                ready = wait_ready(watched, to_send=False, deadline=deadline)
                # Without the lock the readable bytes may be another thread's reply. With it no reply
                # is due, so nothing but the end can be read.
                with self._lock:
                    if self._lost is not None:
                        return True
                    if ready and wait_ready(watched, to_send=False, deadline=0):
                        return True
                if time.monotonic() >= deadline:
                    return False

    def close(self) -> None:
        """Ends the connection, also for a thread that waits for a reply."""
        if self._process != os.getpid():
            self._socket.close()  # Without a shutdown: the connection is the parent's.
            return
        if self._lost is None:
            self._lost = "this program has closed it"
        self._shutdown()
        with self._lock:
            self._end(self._lost)

    def _end(self, why: str) -> None:
        """Marks the connection as lost. The server notices too, and closes what was open."""
        if self._lost is None:
            self._lost = why
        self._keep_alive.stop()
        self._shutdown()
        self._socket.close()
        self._received.clear()

    def _shutdown(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
