"""Refusals of the real server, and what is refused before it is sent."""

import pickle
import sys
import unicodedata
import unittest
from typing import Callable, List, Tuple

import telefile
from telefile import errors, names
from telefile.shown import for_message

from .servers import Case, Server


class RefusalTest(Case):
    def test_each_refusal_is_a_class_with_its_number_and_a_message(self) -> None:
        server = self.enter(Server("--max-contents", "1000"))
        client = self.enter(server.client())
        client.write("lock/db", "")
        counter = client.open("visits", "Counter")
        refusals: List[Tuple[Callable[[], object], telefile.Refused, str]] = [
            (lambda: client.read("x"), errors.FileNotFound("x"), "x does not exist"),
            (lambda: client.stat("x"), errors.FileNotFound("x"), "x does not exist"),
            (lambda: client.delete("x"), errors.FileNotFound("x"), "x does not exist"),
            (lambda: client.cas("x", 3, ""), errors.VersionMismatch("x", 0), "x does not exist"),
            (
                lambda: client.cas("lock/db", 9, ""),
                errors.VersionMismatch("lock/db", 1),
                "lock/db is at version 1",
            ),
            (
                lambda: client.delete("lock/db", 9),
                errors.VersionMismatch("lock/db", 1),
                "lock/db is at version 1",
            ),
            (
                lambda: client.open("x", "Nope"),
                errors.TypeNotFound("x"),
                "x: the server has no such type",
            ),
            (
                lambda: client.open("visits", "File"),
                errors.WrongType("visits", "Counter"),
                "visits is of type Counter",
            ),
            (
                lambda: counter.write("many"),
                errors.Denied("visits"),
                "visits: the file's type does not permit that",
            ),
            (
                lambda: client.write("f", bytes(5_000_000)),
                errors.LimitReached("f", "contents", 1000),
                "f: the server takes at most 1000 bytes for a file",
            ),
            (
                lambda: client.watch("", 99, 0),
                errors.Compacted("", 2),
                "all files: the changes since that version are not known, or it is of another table; "
                "the version is 2 now, list again",
            ),
        ]
        for ask, error, text in refusals:
            with self.assertRaises(telefile.Refused) as raised:
                ask()
            self.assertIs(type(raised.exception), type(error))
            self.assertEqual(raised.exception.args, error.args)
            self.assertEqual(str(raised.exception), text)
            self.assertFalse(raised.exception.is_retryable)
        # The connection goes on.
        client.write("f", bytes(1000))

    def test_a_full_server(self) -> None:
        server = self.enter(Server("--connections", "1"))
        inside = self.enter(server.client())
        with self.assertRaises(telefile.LimitReached) as raised:
            server.client()
        self.assertEqual(str(raised.exception), "the server has 1 connections and takes no more")
        self.assertTrue(raised.exception.is_retryable)
        inside.write("f", "")

    def test_a_descriptor_of_another_connection(self) -> None:
        server = self.enter(Server())
        client = self.enter(server.client())
        file = client.open("f")
        file.descriptor = 7
        with self.assertRaises(telefile.BadDescriptor) as raised:
            file.read()
        self.assertEqual(str(raised.exception), "f is not open here")

    def test_an_invalid_request_is_never_sent(self) -> None:
        server = self.enter(Server())
        client = self.enter(server.client())
        for bad in [
            "",
            "a b",
            "a\r\nwrite b 0\r\n",
            "a\n",
            "@7",
            "a\0",
            "a\u00a0b",
            "n" * 600,
            "\ud800",
        ]:
            asks: List[Callable[[], object]] = [
                lambda: client.read(bad),
                lambda: client.stat(bad),
                lambda: client.write(bad, ""),
                lambda: client.cas(bad, 0, ""),
                lambda: client.delete(bad),
                lambda: client.touch(bad, 0, None),
                lambda: client.wait(bad, 0, 0),
                lambda: client.open(bad),
                lambda: client.open("f", bad),
                lambda: client.create(bad or "@", ""),
                lambda: client.pipeline().read(bad),
            ]
            for ask in asks:
                with self.assertRaises(telefile.InvalidRequest) as raised:
                    ask()
                self.assertIsInstance(raised.exception, ValueError)
                self.assertNotIn("\n", str(raised.exception))
        others: List[Callable[[], object]] = [
            lambda: client.list("a b"),
            lambda: client.list_page("", 0),
            lambda: client.list_page("", 1, "a\n"),
            lambda: client.watch("\r", 0, 0),
            lambda: client.watch("", -1, 0),
            lambda: client.watch("", 0, -1),
            lambda: client.cas("f", 1 << 63, ""),
            lambda: client.cas("f", "1", ""),
            lambda: client.cas("f", True, ""),
            lambda: client.wait("f", 0, float("nan")),
            # It would be "never".
            lambda: client.write("f", "", exptime=0),
            lambda: client.write("f", "", exptime=-2),
            lambda: client.write("f", 7),
            lambda: client.write("f", None),
            lambda: client.write("f", "\ud800"),
            lambda: client.write(7, ""),
            lambda: client.create("x" * 411, ""),
            lambda: client.create("@", ""),
        ]
        for ask in others:
            self.assertRaises(telefile.InvalidRequest, ask)
        self.assertEqual(client.write("f", ""), 1, "nothing was changed, and it is in step")
        client.write("f", "", exptime=1e300)
        self.assertEqual(client.stat("f").exptime, 3_155_760_000)


class ErrorTest(unittest.TestCase):
    def test_an_error_goes_to_another_process_and_comes_back(self) -> None:
        for error in [
            errors.OutcomeUnknown("why"),
            errors.VersionMismatch("f", 7),
            errors.Compacted("f", 7),
            errors.WrongType("f", "File"),
            errors.LimitReached("f", "memory", 7),
            errors.ContentsTooLarge("f", 7, 6),
            errors.FileNotFound("f"),
            errors.OtherTable(),
        ]:
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), again.args), (type(error), error.args))
            self.assertEqual((str(again), vars(again)), (str(error), vars(error)))

    def test_every_class_is_exported_and_documented(self) -> None:
        for name, kind in vars(errors).items():
            if isinstance(kind, type) and issubclass(kind, errors.Error):
                self.assertIs(getattr(telefile, name), kind)
                self.assertIn(name, telefile.__all__)
                self.assertTrue(kind.__doc__)

    def test_a_message_names_the_file_and_no_secret(self) -> None:
        secret = f"s/{'0123456789abcdef' * 2}/e"
        for error in [
            errors.CommandError(secret),
            errors.VersionMismatch(secret, 0),
            errors.InternalError(secret),
            errors.ContentsTooLarge(secret, 2, 1),
        ]:
            self.assertTrue(str(error).startswith("s/01234567..."), error)
            self.assertNotIn("012345678", str(error))
        self.assertEqual(str(errors.FileNotFound(None)), "the file does not exist")


class NameTest(unittest.TestCase):
    def test_a_name_has_no_white_space_and_no_control_character(self) -> None:
        """Checked for each character that there is, against Unicode's White_Space."""
        spaces = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
        spaces += "".join(chr(n) for n in range(0x2000, 0x200B))
        for number in range(sys.maxunicode + 1):
            c = chr(number)
            bad = c in spaces or unicodedata.category(c) in ("Cc", "Cs")
            self.assertEqual(bool(names.why_no_name(f"a{c}b")), bad, f"U+{number:04X}")

    def test_descriptors_are_no_names(self) -> None:
        for good in ("a", "*", "/", "@", "@x", "@1x", "@-1", "a@1", "+3", "日本", "@\u0661"):
            self.assertEqual(names.name(good), good.encode())
        for bad in ("@0", "@007"):
            self.assertRaises(telefile.InvalidRequest, names.name, bad)

    def test_a_message_shows_names_escaped_and_cut(self) -> None:
        self.assertEqual(for_message("a\u202eb"), "a\\u202eb")
        self.assertEqual(for_message("é" * 70), "é" * 64 + "...")
