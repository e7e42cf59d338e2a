"""What ends with a ``with`` block."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Generic, List, Optional, Type, TypeVar

from .errors import Error

S = TypeVar("S", bound="Block")
B = TypeVar("B", bound="Block")


class Block(ABC):
    """Something that leaving its ``with`` block ends."""

    @abstractmethod
    def _end(self) -> None:
        """Ends it. Does nothing the second time."""

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self._end()
        except Error:
            # What went wrong first says more.
            if error is None:
                raise


class Acquired(ABC, Generic[B]):
    """Something that a ``with`` block acquires anew each time, also within another one."""

    def __init__(self) -> None:
        self._entered: List[B] = []

    @abstractmethod
    def _acquired(self) -> B:
        """Acquires it."""

    def __enter__(self) -> B:
        guard = self._acquired()
        self._entered.append(guard)
        return guard

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._entered.pop().__exit__(kind, error, traceback)
