"""The commands of the protocol as methods."""

from typing import Dict, List, Optional

from . import calls
from .calls import Contents, LineTooLong, Subject
from .connection import Connection
from .errors import InvalidRequest
from .open_file import OpenFile, Target
from .shown import for_message
from .values import Changes, Created, Exptime, Page, Session, Snapshot, Stat
from .wire import MAX_ITEMS, MAX_LINE_BYTES


class Commands:
    """The commands of the protocol: see :class:`telefile.Client`.

    Each sends a request and waits for its reply. All of them raise a :class:`telefile.Error`.
    """

    #: The connection, for the parts of this package.
    connection: Connection

    def read(self, file: Target) -> Snapshot:
        """Returns the contents of a file and their version."""
        return self.connection.call(calls.read(self._subject(file)))

    def write(self, file: Target, contents: Contents, exptime: Exptime = None) -> int:
        """Replaces a file's contents, or makes the file; returns the new version.

        ``exptime`` is the file's lifetime in seconds, which is rounded up; ``telefile.EPHEMERAL`` is
        until this connection ends. Without it the file no longer expires, even if it did before.

        >>> client = telefile.Client("127.0.0.1:8080")
        >>> client.write("cache", "42", exptime=30)
        1
        >>> client.read("cache").exptime
        30
        >>> client.write("here/ann", b"", telefile.EPHEMERAL)
        2
        """
        return self.connection.call(calls.write(self._subject(file), contents, exptime))

    def cas(self, file: Target, version: int, contents: Contents, exptime: Exptime = None) -> int:
        """Replaces the contents of a file if it is at ``version``; returns the new version.

        0 is the version of an absent file. :class:`~telefile.VersionMismatch` has the file's version
        if it is another.

        >>> client = telefile.Client("127.0.0.1:8080")
        >>> client.cas("config", telefile.ABSENT, "port = 80")
        1
        >>> client.cas("config", telefile.ABSENT, "port = 443")
        Traceback (most recent call last):
        telefile.errors.VersionMismatch: config is at version 1
        """
        call = calls.cas(self._subject(file), version, contents, exptime)
        return self.connection.call(call)

    def delete(self, file: Target, version: Optional[int] = None) -> None:
        """Deletes a file; if a version is given, only if the file is at ``version``.

        :class:`~telefile.FileNotFound`, and :class:`~telefile.VersionMismatch` with the file's
        version, if it is another.
        """
        self.connection.call(calls.delete(self._subject(file), version))

    def touch(self, file: Target, version: int, exptime: Exptime) -> int:
        """Changes a file's expiry if it is at ``version``, which stays the same."""
        return self.connection.call(calls.touch(self._subject(file), version, exptime))

    def create(self, prefix: str, contents: Contents, exptime: Exptime = None) -> Created:
        """Makes a new file. Its name is ``prefix`` and its version in 20 digits.

        So names sort in the order in which the files were made.

        >>> client = telefile.Client("127.0.0.1:8080")
        >>> client.create("queue/", "first")
        Created(version=1, name='queue/00000000000000000001')
        """
        return self.connection.call(calls.create(prefix, contents, exptime))

    def list_page(self, prefix: str, limit: int = MAX_ITEMS, after: str = "") -> Page:
        """Lists the files whose names begin with ``prefix`` and sort after ``after``.

        The first ``limit`` of them, at most 10,000. The empty prefix, or ``*``, matches all files. A
        page is a snapshot: all of it is true at one version. :meth:`telefile.Client.list` is an
        iterator over all pages.

        >>> client = telefile.Client("127.0.0.1:8080")
        >>> for name in ["svc/a", "svc/b", "svc/c", "other"]:
        ...     _ = client.write(name, "up")
        >>> page = client.list_page("svc/", 2)
        >>> [file.name for file in page.files], page.more
        (['svc/a', 'svc/b'], True)
        """
        try:
            call = calls.list_page(prefix, limit, after)
        except LineTooLong:
            return self._page_behind(prefix, limit, after)
        return self.connection.call(call)

    def _page_behind(self, prefix: str, limit: int, name: str) -> Page:
        """Lists from after a name that does not fit into the line of a ``list``.

        Starts after the part that fits, and skips the names up to ``name``.
        """
        room = MAX_LINE_BYTES - len("list * 10000  ") - len(prefix.encode())
        near = name.encode()[: max(room, 0)].decode(errors="ignore")
        page = self.connection.call(calls.list_page(prefix, MAX_ITEMS, near))
        behind = [file for file in page.files if file.name > name]
        if page.more and not behind:
            raise InvalidRequest(f"{for_message(name)}: too long to go on from")
        more = page.more or len(behind) > limit
        return Page(page.version, tuple(behind[:limit]), more)

    def watch(self, prefix: str, since: int, time: float) -> Changes:
        """Returns what has changed since version ``since`` among the names that begin with ``prefix``.

        If nothing has, waits for the first change, but for at most ``time`` seconds, which are rounded
        up. Other requests of this client wait meanwhile.

        Reports states, not events: a file that has changed twice appears once. Continue from the
        answer's version, or let :meth:`telefile.Client.follow` do that. :class:`~telefile.Compacted`
        if what has changed is not known any more.
        """
        return self.connection.call(calls.watch(prefix, since, time))

    def wait(self, file: Target, version: int, time: float) -> int:
        """Waits until a file is no longer at ``version``, for at most ``time`` seconds.

        Returns the file's version, which is ``version`` itself if the time is over or the server
        stops. 0 is the version of an absent file. The time is rounded up to seconds, and is at most a
        day. Other requests of this client wait meanwhile.
        """
        return self.connection.call(calls.wait(self._subject(file), version, time))

    def stat(self, file: Target) -> Stat:
        """Returns everything about a file except its contents."""
        return self.connection.call(calls.stat(self._subject(file)))

    def open(self, name: str, kind: Optional[str] = None) -> OpenFile:
        """Opens a file. If there is none, makes one of type ``kind``, or of type ``File``.

        An existing file keeps its type: :class:`~telefile.WrongType` if ``kind`` is another.
        """
        opened = self.connection.call(calls.open(name, kind))
        return OpenFile(self.connection, name, opened)

    def session(self, id: Optional[str] = None) -> Session:
        """Returns the session of folder synchronisation with this id if there is one.

        Otherwise makes one with another id. A caller that must not get another one asks for the
        ``stat`` of ``s/<id>/m`` first.
        """
        return self.connection.call(calls.session(id))

    def types(self) -> List[str]:
        """Returns the types that a file of this server can have."""
        return self.connection.call(calls.types())

    def stats(self) -> Dict[str, str]:
        """Returns the server's limits and current usage, as names and values."""
        return self.connection.call(calls.stats())

    def help(self) -> List[str]:
        """Returns the server's own list of its commands, a line each."""
        return self.connection.call(calls.help())

    def _subject(self, file: Target) -> Subject:
        if isinstance(file, OpenFile):
            return file.subject_at(self.connection)
        return Subject.named(file)
