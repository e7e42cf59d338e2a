"""A client of telefile in Python: python3 examples/client.py 127.0.0.1:8080 [TYPE]"""
import socket
import sys


class Refused(Exception):
    """The server's reply, such as ERR_VERSION 7. Nothing changed, unless it is ERR_INTERNAL."""


class Telefile:
    def __init__(self, address, epoch=None):
        """A caller that keeps a version longer than a connection passes the epoch of the version."""
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=30)
        self.replies = self.socket.makefile("rb")
        _, self.epoch, _, *idle = self.ask("hello")
        self.idle_timeout = float(idle[0]) if idle else None  # seconds; 0: never, None: unknown
        if epoch not in (None, self.epoch):
            raise Refused(f"another table: its epoch is {self.epoch}, and not {epoch}")

    def ask(self, *fields, contents=b"", after=b""):
        """Sends a request; the fields of the reply behind its first word."""
        line = " ".join(map(str, fields))
        if line.split() != [str(field) for field in fields]:
            raise ValueError(f"{line!r} would be another request")
        self.socket.sendall(line.encode() + b"\r\n" + contents + after)
        word, *rest = self.whole(self.replies.readline()).decode().split()
        if word.startswith("ERR_"):
            raise Refused(" ".join([word, *rest]))
        return rest

    def whole(self, received, length=0):
        if len(received) < length or not received.endswith(b"\r\n"):
            raise ConnectionError("the connection is lost; the request may have been executed")
        return received[:-2]

    def open(self, name, *type):
        return "@" + self.ask("open", name, *type)[0]

    def close(self, fd):
        self.ask("close", fd)

    def write(self, file, contents):
        return int(self.ask("write", file, len(contents), contents=contents, after=b"\r\n")[0])

    def cas(self, file, version, contents):
        fields = ("cas", file, version, len(contents))
        return int(self.ask(*fields, contents=contents, after=b"\r\n")[0])

    def read(self, file):
        version, numbytes, _ = map(int, self.ask("read", file))
        return self.whole(self.replies.read(numbytes + 2), numbytes + 2), version


def main(address, type="MemoryFile"):
    fs = Telefile(address)
    fd = fs.open("greeting", type)  # a descriptor, or a name: wherever a file is meant
    fs.write(fd, b"hi from Python")
    contents, version = fs.read(fd)
    print(contents.decode(), "at version", version)
    try:
        fs.cas(fd, version + 1, b"too late")
    except Refused as reply:
        print("refused:", reply)
    fs.close(fd)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: client.py HOST:PORT [TYPE]")
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError, Refused) as e:
        sys.exit(f"client.py: {sys.argv[1]}: {e}")
