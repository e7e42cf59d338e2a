"""A waiting line: an ephemeral file for each waiter, named after its version, so that byte order is the
order of arrival.
"""

from typing import List, Tuple

from ..calls import Contents
from ..client import Client
from ..errors import FileNotFound
from ..names import CREATED_DIGITS
from ..values import EPHEMERAL, Listed
from .deadline import Deadline
from .guard import Guard


class Waiters:
    """The line of a recipe: its places are ``NAME/`` and a number."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.prefix = f"{name}/"

    def join(self, contents: Contents = b"") -> Guard:
        """Takes the last place. Releasing the guard leaves it."""
        made = self.client.create(self.prefix, contents, EPHEMERAL)
        return Guard(self.client, made.name, made.version)

    def places(self) -> Tuple[List[Listed], int]:
        """Returns all places in order, and the version as of which this is true."""
        listing = self.client.list(self.prefix)
        # A file that stays does not belong to a waiter, and would never leave.
        places = [f for f in listing if self.is_place(f.name) and f.exptime == EPHEMERAL]
        return places, listing.version

    def is_place(self, name: str) -> bool:
        """Returns whether a name is a place's: there may be other files beside the places."""
        number = name[len(self.prefix) :]
        is_number = number.isascii() and number.isdigit() and len(number) == CREATED_DIGITS
        return name.startswith(self.prefix) and is_number

    def wait(self, place: Guard, seats: int, deadline: Deadline) -> bool:
        """Waits until fewer than ``seats`` places are before this one; False if the time is over."""
        while True:
            places, as_of = self.places()
            names = [p.name for p in places]
            if place.name not in names:
                raise FileNotFound(place.name)
            before = names.index(place.name)
            if before < seats:
                return True
            if seats == 1:
                # The only place to wait for is the one before this, so no other wakes the waiter.
                last = places[before - 1]
                waited = deadline.wait(self.client, last.name, last.version)
            else:
                waited = self._someone_left(place.name, as_of, deadline)
            if not waited:
                return False

    def _someone_left(self, place: str, since: int, deadline: Deadline) -> bool:
        """Waits until a place before ``place``, or that itself, is left."""
        while True:
            since, changes = deadline.watch(self.client, self.prefix, since)
            if changes is None:
                return False
            if not changes or any(c.numbytes is None and c.name <= place for c in changes):
                return True
