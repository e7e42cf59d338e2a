"""The names of the server's built-in types, as classes. They run on the server, not here."""


class File:
    """Exists while it is open. Reads are empty, and writes are dropped."""


class MemoryFile(File):
    """Bytes. The file stays after the last close."""


class TextFile(File):
    """A file on the server's disk."""


class LogFile(File):
    """A write appends a line, and a read returns the last ones."""


class Counter(File):
    """A write adds a number, and a read returns the sum."""
