"""The protocol's read, write, cas and delete in 60 lines of code: a server of the reader's own. It prints
its address. One thread per connection, one lock around the table; no expiry, no watches, no descriptors."""

import re
import socketserver
import threading

files, lock, counter = {}, threading.Lock(), 0  # files: name -> (version, contents)
NUMBER = rb"(\d{1,18})"
NAME = rb"((?!@\d+ )[^\s\x00-\x1f]{1,430})"
REQUESTS = re.compile(
    rb"(read) %b|(write) %b %b(?: 0+)?|(cas) %b %b %b(?: 0+)?|(delete) %b(?: %b)?|(quit)"
    % (NAME, NAME, NUMBER, NAME, NUMBER, NUMBER, NAME, NUMBER)
)


def change(name, expected, contents):
    """Puts or deletes a file if it is at the expected version, and returns the reply."""
    global counter
    with lock:
        current = files[name][0] if name in files else 0
        if contents is None and current == 0:
            return b"ERR_FILE_NOT_FOUND"
        if expected is not None and int(expected) != current:
            return b"ERR_VERSION %d" % current
        counter += 1
        if contents is None:
            del files[name]
            return b"OK"
        files[name] = (counter, contents)
        return b"OK %d" % counter


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        while (line := self.rfile.readline(500)).endswith(b"\n") and self.answer(line):
            pass
        if len(line) == 500:
            self.reply(b"ERR_CMD_ERR")

    def reply(self, *lines):
        self.wfile.write(b"".join(line + b"\r\n" for line in lines))
        return True

    def answer(self, line):
        """Answers one request. Returns whether the connection goes on."""
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if not (fields := [field for field in line.split(b" ") if field]):
            return True
        request = REQUESTS.fullmatch(b" ".join(fields))
        verb, *fields = [f for f in request.groups() if f is not None] if request else [b"?"]
        if verb == b"read":
            with lock:
                found = files.get(fields[0])
            if found is None:
                return self.reply(b"ERR_FILE_NOT_FOUND")
            return self.reply(b"CONTENTS %d %d 0" % (found[0], len(found[1])), found[1])
        if verb in (b"write", b"cas") and int(fields[-1]) <= 1 << 26:
            contents = self.rfile.read(int(fields[-1]))
            if (end := self.rfile.readline(2)) == b"\r":
                end = self.rfile.readline(1)
            if end in (b"\n", b"\r\n"):
                return self.reply(change(fields[0], fields[1] if verb == b"cas" else None, contents))
        if verb == b"delete":
            return self.reply(change(fields[0], fields[1] if len(fields) > 1 else None, None))
        if verb != b"quit":
            self.reply(b"ERR_CMD_ERR")
        return False


socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
    print("listening on %s:%d" % server.server_address, flush=True)
    server.serve_forever()
