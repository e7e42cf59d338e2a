"""The interface of the first filesystem server, and its session line by line."""

import ast
import pathlib
import sys
import warnings
from typing import Any, Dict

import telefile
from telefile.filesystem import FileSystemTcpClient
from telefile.filetypes import Counter, TextFile

from .servers import Case, Server, built

ORIGINAL = pathlib.Path(telefile.__file__).parents[1] / "original"


class OriginalSessionTest(Case):
    def test_each_line_does_what_it_did(self) -> None:
        server = self.enter(Server(command=[built("myserver"), "127.0.0.1:0"]))
        host, port = server.address.split(":")
        text = (pathlib.Path(__file__).parents[1] / "original/myclient.py").read_text()
        text = text.replace('("localhost", 5432)', f'("{host}", {port})')
        assert text.count(port) == 1
        self.addCleanup(sys.path.remove, str(ORIGINAL))
        sys.path.insert(0, str(ORIGINAL))
        names: Dict[str, Any] = {}
        shown = ""
        compared = 0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for line in text.splitlines():
                if line.startswith("# {"):
                    # The type in Rust shows a dictionary with other quotes.
                    self.assertEqual(ast.literal_eval(shown), ast.literal_eval(line[2:]))
                    compared += 1
                elif line and not line.startswith("#"):
                    shown = self.run_line(line, names)
                    if line.startswith("fd2 ="):
                        self.assertEqual(names["fd"], names["fd2"])
        self.assertEqual(compared, 4)
        ignored = [str(w.message) for w in caught if "filemodule" in str(w.message)]
        expected = "filemodule='myserver' is ignored: the server's types are compiled in"
        self.assertEqual(ignored, [expected] * 3)
        fs = names["fs"]
        self.assertEqual(fs.client.stat("noop").kind, "File")
        self.assertEqual(fs.client.stat("myfile.txt").kind, "TextFile")
        self.assertRaises(telefile.FileNotFound, fs.client.stat, "make_up_name")
        fs.client.close()

    def run_line(self, line: str, names: Dict[str, Any]) -> Any:
        """Runs a line as the interpreter does, and returns what it would show."""
        try:
            return eval(line, names)
        except SyntaxError:
            exec(line, names)
            return None


class FileSystemTest(Case):
    def test_text_and_bytes_and_classes(self) -> None:
        server = self.enter(Server())
        host, port = server.address.split(":")
        with FileSystemTcpClient(host, int(port)) as fs:
            fd = fs.open("notes.txt", TextFile)
            fs.write(fd, "größe")
            self.assertEqual(fs.read(fd), "größe")
            fs.write(fd, b"\xff")
            self.assertRaises(UnicodeDecodeError, fs.read, fd)
            self.assertNotEqual(fs.open("n", Counter), fd)
            # Opened twice, so closed twice.
            self.assertEqual(fs.open("notes.txt"), fd)
            fs.close(fd)
            fs.close(fd)
            with self.assertRaises(telefile.BadDescriptor) as raised:
                fs.close(fd)
            self.assertEqual(str(raised.exception), f"@{fd} is not open here")

    def test_a_warning_is_at_the_line_of_the_caller(self) -> None:
        server = self.enter(Server())
        host, port = server.address.split(":")
        with FileSystemTcpClient(host, int(port)) as fs:
            with self.assertWarns(UserWarning) as warned:
                fs.open("f", "File", "elsewhere")
            self.assertEqual(warned.filename, __file__)
