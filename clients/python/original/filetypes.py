"""The file types of the first filesystem server, for a program that was written for it and lies here."""

from telefile.filetypes import Counter, File, LogFile, MemoryFile, TextFile

__all__ = ["Counter", "File", "LogFile", "MemoryFile", "TextFile"]
