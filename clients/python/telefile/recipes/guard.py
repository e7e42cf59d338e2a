"""What a program holds, as a file that it has made."""

from contextlib import suppress

from ..block import Block
from ..client import Client
from ..errors import Error, VersionMismatch


class Guard(Block):
    """A file that this program made to hold something. Leaving its ``with`` block deletes it.

    Without a ``with`` block it is held until :meth:`release`, or until the connection ends.
    """

    def __init__(self, client: Client, name: str, token: int) -> None:
        self._client = client
        self._is_released = False
        #: The name of the file.
        self.name = name
        #: The fencing token: the version of the change that acquired it. Every later holder's is
        #: greater within one epoch, so the protected resource can refuse a token smaller than the
        #: greatest so far.
        self.token = token

    @property
    def is_released(self) -> bool:
        """Whether this program has released it."""
        return self._is_released

    def check(self) -> None:
        """Asks the server whether this program still holds it.

        Any error means that it is lost, or may be: :class:`~telefile.ConnectionLost`,
        :class:`~telefile.FileNotFound`, :class:`~telefile.VersionMismatch`.
        """
        current = self._client.stat(self.name).version
        if current != self.token:
            raise VersionMismatch(self.name, current)

    def release(self) -> None:
        """Releases it. Does nothing if it is released.

        :class:`~telefile.FileNotFound` and :class:`~telefile.VersionMismatch` mean that it was lost
        before, so that somebody else may have held it too. After a
        :class:`~telefile.ConnectionLost` it is free or will be.
        """
        if not self._is_released:
            self._is_released = True
            self._client.delete(self.name, self.token)

    def _end(self) -> None:
        self.release()

    def abandon(self) -> None:
        """Releases it after an error, and says nothing of another one.

        If the connection is lost, the server deletes the file when it sees the end of it.
        """
        with suppress(Error):
            self.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} token={self.token}>"
