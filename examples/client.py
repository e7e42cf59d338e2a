"""A client of telefile in Python, with nothing but the standard library.

    python3 examples/client.py 127.0.0.1:8080 [TYPE]
"""
import socket
import sys


class Refused(Exception):
    """The server's reply, such as ERR_VERSION 7. Nothing changed."""


class Telefile:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=30)
        self.replies = self.socket.makefile("rb")

    def ask(self, line, contents=None):
        """Sends a request; the fields of the reply behind its first word."""
        if any(c.isspace() and c != " " for c in line):
            raise ValueError("a line break would begin a second request")
        after = b"" if contents is None else contents + b"\r\n"
        self.socket.sendall(line.encode() + b"\r\n" + after)
        reply = self.replies.readline().decode()
        if not reply.endswith("\n"):
            raise ConnectionError("the connection is lost; what was asked may be done")
        if reply.startswith("ERR_"):
            raise Refused(reply.strip())
        return reply.split()[1:]

    def open(self, name, type=""):
        return "@" + self.ask(f"open {name} {type}")[0]

    def close(self, fd):
        self.ask(f"close {fd}")

    def write(self, file, contents):
        return int(self.ask(f"write {file} {len(contents)}", contents)[0])

    def cas(self, file, version, contents):
        return int(self.ask(f"cas {file} {version} {len(contents)}", contents)[0])

    def read(self, file):
        version, numbytes, _ = self.ask(f"read {file}")
        return self.replies.read(int(numbytes) + 2)[:-2], int(version)


if __name__ == "__main__":
    fs = Telefile(sys.argv[1])
    fd = fs.open("greeting", *sys.argv[2:] or ["MemoryFile"])  # a descriptor, or a name: wherever a file is meant
    fs.write(fd, b"hi from Python")
    contents, version = fs.read(fd)
    print(contents.decode(), "at version", version)
    try:
        fs.cas(fd, version + 1, b"too late")
    except Refused as reply:
        print("refused:", reply)
    fs.close(fd)
