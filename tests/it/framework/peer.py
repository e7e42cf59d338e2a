"""The other end of telefile's message framework: `peer.py client HOST:PORT` or `peer.py server`."""
import socket
import struct
import sys

HEADER = struct.Struct("<HI")  # id, size of the payload


def send(stream, id, payload=b""):
    stream.sendall(HEADER.pack(id, len(payload)) + payload)


def recv(incoming):
    header = incoming.read(HEADER.size)
    if not header:
        return None
    id, size = HEADER.unpack(header)
    return id, incoming.read(size)


def client(address):
    host, port = address.rsplit(":", 1)
    stream = socket.create_connection((host, int(port)), timeout=10)
    incoming = stream.makefile("rb")
    send(stream, 1, b"abc")
    print(*recv(incoming))
    send(stream, 65535)
    send(stream, 7, b"x" * 1_000_000)
    stream.shutdown(socket.SHUT_WR)  # what was asked is answered all the same
    print(*recv(incoming))
    id, payload = recv(incoming)
    print(id, len(payload))
    print("end" if recv(incoming) is None else "more")


def server():
    listener = socket.create_server(("127.0.0.1", 0))
    print("%s:%d" % listener.getsockname(), flush=True)
    stream, _ = listener.accept()
    stream.settimeout(10)
    incoming = stream.makefile("rb")
    while message := recv(incoming):
        send(stream, *message)
    print("end")


client(sys.argv[2]) if sys.argv[1] == "client" else server()
