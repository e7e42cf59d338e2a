"""Where a server listens: ``HOST:PORT``, ``[IPV6]:PORT`` or ``unix:PATH``; and how to connect to it."""

import re
import select
import socket
import time
from dataclasses import dataclass
from typing import List, Optional

from .errors import InvalidRequest

_HOST_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:\s\[\]\x00-\x1f]+)):([0-9]{1,5})")
_LEAST_SHARE = 0.001


@dataclass(frozen=True)
class Address:
    """The address of a listener. ``str()`` of it parses to the same."""

    #: The path of a Unix socket; ``None`` for TCP.
    path: Optional[str]
    host: str = ""
    port: int = 0

    @staticmethod
    def parse(text: str) -> "Address":
        """Parses an address. Looks nothing up.

        >>> Address.parse("localhost:8080")
        Address(path=None, host='localhost', port=8080)
        >>> str(Address.parse("[::1]:8080")), str(Address.parse("unix:/run/telefile.sock"))
        ('[::1]:8080', 'unix:/run/telefile.sock')
        """
        if not isinstance(text, str):
            raise InvalidRequest(f"{text!r}: an address is a str")
        if text.startswith("unix:"):
            path = text[len("unix:") :]
            if not path or "\0" in path:
                raise InvalidRequest(f"{text!r}: a path is missing after unix:")
            return Address(path)
        match = _HOST_AND_PORT.fullmatch(text)
        if not match or int(match[3]) > 65_535:
            raise InvalidRequest(f"{text!r}: an address is HOST:PORT, [IPV6]:PORT or unix:PATH")
        return Address(None, match[1] or match[2], int(match[3]))

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def connect(self, timeout: Optional[float]) -> socket.socket:
        """Connects within ``timeout`` seconds, and returns a socket that does not block.

        The addresses of a host are tried in turn, each for its share of the time that is left.
        Looking up the host is not part of that time. An OSError says why it failed.
        """
        if self.path is not None:
            return _connect(socket.AF_UNIX, self.path, timeout)
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        deadline = None if timeout is None else time.monotonic() + timeout
        reasons: List[str] = []
        for left, (family, _, _, _, address) in zip(range(len(found), 0, -1), found):
            share = None
            if deadline is not None:
                share = max((deadline - time.monotonic()) / left, _LEAST_SHARE)
            try:
                return _connect(family, address, share)
            except OSError as e:
                reasons.append(str(e) if len(found) == 1 else f"{address[0]}: {e}")
        raise OSError(", ".join(reasons) or "the host has no address")


def _connect(family: int, address: object, timeout: Optional[float]) -> socket.socket:
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout)
        try:
            connected.connect(address)  # type: ignore[arg-type]
        except socket.timeout:
            raise OSError(f"no connection within {timeout:.3g} s") from None
        if family != socket.AF_UNIX:
            # A request is sent whole, so there is nothing to wait for.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A server that vanishes without a word is noticed, if late, also without a time-out.
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setblocking(False)
        return connected
    except BaseException:
        connected.close()
        raise


def wait_ready(waiting: socket.socket, *, to_send: bool, deadline: Optional[float]) -> bool:
    """Waits until a socket can be read, or written to; returns whether it can by the deadline.

    A deadline is a time of ``time.monotonic()``; ``None`` is never. The end of the connection and an
    error can be read too.
    """
    poll = select.poll()
    poll.register(waiting, select.POLLOUT if to_send else select.POLLIN)
    while True:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        # A poll takes at most 2^31 milliseconds.
        if poll.poll(None if left is None else min(left, 1_000_000) * 1000):
            return True
        if left == 0:
            return False
