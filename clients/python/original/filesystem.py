"""The module of the first filesystem server, for a program that was written for it and lies here."""

from telefile.filesystem import FileSystemTcpClient

__all__ = ["FileSystemTcpClient"]
