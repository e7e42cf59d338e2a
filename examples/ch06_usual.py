"""Chapter 6: how iter_lines is usually written, and what becomes of four inputs."""

import socket
import typing


def iter_lines(
    sock: socket.socket, bufsize: int = 16_384
) -> typing.Generator[bytes, None, bytes]:
    buffer = b""
    while data := sock.recv(bufsize):
        buffer += data
        while True:
            try:
                end = buffer.index(b"\r\n")
            except ValueError:
                break
            line, buffer = buffer[:end], buffer[end + 2 :]
            if not line:
                return buffer
            yield line
    return b""


class Peer:
    """Has the one method of a socket that iter_lines calls."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)

    def recv(self, bufsize):
        return self.pieces.pop(0) if self.pieces else b""


class Counted(bytes):
    """Bytes that count how many of them were searched."""

    searched = 0

    def __add__(self, more):
        return Counted(bytes(self) + bytes(more))

    def __radd__(self, before):
        return Counted(bytes(before) + bytes(self))

    def index(self, mark):
        Counted.searched += len(self)
        return super().index(mark)


def run(*pieces):
    """Returns the lines of a peer that sends these pieces and leaves, and the leftover."""
    lines, generator = [], iter_lines(Peer(*pieces))
    while True:
        try:
            lines.append(next(generator))
        except StopIteration as stop:
            return lines, stop.value


print("a head and a body:", run(b"length", b": 5\r\n\r\nhello"))
print("half a line:      ", run(b"one\r\ntw"))
print("no limit:         ", len(run(*[b"x" * 16_384] * 64, b"\r\n")[0][0]), "bytes in a line")
run(*[Counted(b"x")] * 1000, Counted(b"\r\n"))
print("byte by byte:     ", Counted.searched, "bytes searched for a line of 1000")
