"""Servers for tests: the real one, and fakes that answer what a test says."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from typing import Any, Callable, Dict, Iterator, List, Optional, TypeVar

import telefile

T = TypeVar("T")

#: How long to wait for what must come, in seconds: the machine may be busy.
PATIENCE = 120.0

EPOCH = "00000000000000aa"
HELLO = f"HELLO 1 {EPOCH} 0 0\r\n".encode()

_ROOT = pathlib.Path(__file__).resolve().parents[3]

#: The folder that the package is in, for programs that import it.
PACKAGE = str(pathlib.Path(telefile.__file__).parents[1])


def built(name: str) -> str:
    """Returns the path of a program that Cargo has built: `telefile`, or an example."""
    given = os.environ.get("TELEFILE_TEST_BUILT")
    profiles = [_ROOT / "target" / profile for profile in ("debug", "release")]
    folders = [pathlib.Path(given)] if given else profiles
    for folder in folders:
        for path in (folder / name, folder / "examples" / name):
            if path.is_file():
                return str(path)
    raise FileNotFoundError(f"{name} is missing: `cargo build --bins --examples` makes it")


def environment() -> Dict[str, str]:
    """Returns the environment without settings that are for other servers."""
    is_setting = ("TELEFILE_", "RUST_LOG")
    return {name: value for name, value in os.environ.items() if not name.startswith(is_setting)}


class Case(unittest.TestCase):
    """A test that leaves what it has entered when it ends."""

    def enter(self, manager: Any) -> Any:
        """Enters a context. `enterContext` is of Python 3.11."""
        entered = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return entered


class Server:
    """A running server that has printed its addresses. Killed at the end of its `with` block."""

    def __init__(self, *args: str, command: Optional[List[str]] = None) -> None:
        self.folder = tempfile.mkdtemp(prefix="telefile-")
        self.args = args
        self._command = command
        self.start(["127.0.0.1:0"])

    def start(self, listen: List[str]) -> None:
        """Starts the program, also after a stop."""
        command = self._command
        if command is None:
            command = [built("telefile"), "serve", "--root", f"{self.folder}/files", *self.args]
            command += [arg for address in listen for arg in ("--listen", address)]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " listening on " in f" {line}", f"{command}: {line!r}"
        self.addresses = line.split("listening on ")[1].split()

    @property
    def address(self) -> str:
        return self.addresses[0]

    def client(self, **settings: object) -> telefile.Client:
        settings.setdefault("timeout", PATIENCE)
        return telefile.Client(self.address, **settings)  # type: ignore[arg-type]

    def kill(self) -> None:
        """Ends the process as `kill -9` does."""
        self.process.kill()
        self._wait()

    def stop(self) -> None:
        """Ends it with SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        self._wait()

    def restart(self) -> None:
        """Kills it, and starts another one at the same address."""
        listen = self.addresses
        self.kill()
        self.start(listen)

    def _wait(self) -> None:
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.kill()
        subprocess.run(["rm", "-rf", self.folder], check=True)


class Fake:
    """A server on a free port that treats each connection as a function says."""

    def __init__(self, treat: Callable[[socket.socket], None]) -> None:
        self._treat = treat
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            with connected, contextlib.suppress(OSError):
                self._treat(connected)

    def client(self, **settings: object) -> telefile.Client:
        settings.setdefault("timeout", PATIENCE)
        return telefile.Client(self.address, **settings)  # type: ignore[arg-type]

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *_: object) -> None:
        # A shutdown wakes the thread; a close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def given(value: Optional[T]) -> T:
    """Returns what has to be there."""
    assert value is not None
    return value


def line(connected: socket.socket) -> bytes:
    """Receives a line, a byte at a time: what follows stays for the next reader."""
    received = b""
    while not received.endswith(b"\n"):
        byte = connected.recv(1)
        if not byte:
            raise ConnectionResetError
        received += byte
    return received


def drain(connected: socket.socket) -> None:
    """Receives until the other end has closed."""
    while connected.recv(1 << 16):
        pass


@contextlib.contextmanager
def replying(*replies: bytes, hello: bytes = HELLO) -> Iterator[Fake]:
    """A server that answers each line with the next of these replies, and then closes."""

    def treat(connected: socket.socket) -> None:
        for reply in (hello, *replies):
            line(connected)
            connected.sendall(reply)
        connected.shutdown(socket.SHUT_WR)
        drain(connected)

    with Fake(treat) as fake:
        yield fake


def eventually(what: str, is_so: Callable[[], object]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


class Task:
    """A function that runs on a thread of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._result: List[Any] = []
        self._error: List[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._function())
        except BaseException as e:
            self._error.append(e)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> Any:
        """Waits for the result, and returns or raises it."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it takes too long"
        if self._error:
            raise self._error[0]
        return self._result[0]
