"""Servers that lie: replies that are cut, wrong, endless or late."""

import random
import socket
import tracemalloc
import unittest
from typing import Any, Callable, List, Tuple

import telefile
from telefile import Client

from .servers import EPOCH, HELLO, Fake, drain, eventually, line, replying

ID = "0123456789abcdef0123456789abcdef"

#: What a client does, a good reply, and whether it asks for a change.
EXCHANGES: List[Tuple[Callable[[Client], Any], bytes, bool]] = [
    (lambda c: c.read("f"), b"CONTENTS 7 5 -1\r\nab\r\nc\r\n", False),
    (lambda c: c.write("f", "abc"), b"OK 7\r\n", True),
    (lambda c: c.cas("f", 6, b""), b"OK 7\r\n", True),
    (lambda c: c.delete("f"), b"OK\r\n", True),
    (lambda c: c.touch("f", 7, 30), b"OK 7\r\n", True),
    (lambda c: c.create("q/", ""), b"OK 7 q/00000000000000000007\r\n", True),
    (lambda c: c.list_page("f"), b"LIST 9 2 1\r\n7 5 -1 f\r\n8 0 30 fo\r\n", False),
    (lambda c: c.watch("f", 6, 0), b"CHANGES 9 2\r\nput 7 5 f\r\ndel 9 0 fo\r\n", False),
    (lambda c: c.wait("f", 6, 0), b"OK 7\r\n", False),
    (lambda c: c.open("f", "Counter"), b"FD 0 7 Counter\r\n", True),
    (lambda c: c.stat("f"), b"STAT 7 5 0 File 2\r\n", False),
    (lambda c: c.session(), f"SESSION {ID} {EPOCH} 7 NEW\r\n".encode(), True),
    (lambda c: c.types(), b"TYPES 2\r\nFile\r\nCounter\r\n", False),
    (lambda c: c.stats(), b"STATS 2\r\nfiles 7\r\nstore memory\r\n", False),
    (lambda c: c.help(), b"HELP 1\r\nread NAME\r\n", False),
    (lambda c: c.latest_version(), HELLO, False),
]

REFUSALS = [
    b"ERR_VERSION 8\r\n",
    b"ERR_FILE_NOT_FOUND\r\n",
    b"ERR_LIMIT memory 9\r\n",
    b"ERR_TYPE Counter\r\n",
    b"ERR_COMPACTED 9\r\n",
]


class TornConnectionTest(unittest.TestCase):
    def test_each_good_reply_is_accepted(self) -> None:
        for ask, reply, _ in EXCHANGES:
            with replying(reply) as fake, fake.client() as client:
                ask(client)

    def test_a_reply_that_is_cut_at_any_byte_is_a_lost_connection(self) -> None:
        replies = EXCHANGES + [(EXCHANGES[1][0], refusal, True) for refusal in REFUSALS]
        for ask, reply, changes in replies:
            for length in range(len(reply)):
                with replying(reply[:length]) as fake, fake.client() as client:
                    with self.assertRaises(telefile.ConnectionLost) as raised:
                        ask(client)
                    error = raised.exception
                    is_unknown = isinstance(error, telefile.OutcomeUnknown)
                    self.assertEqual(is_unknown, changes, reply[:length])
                    self.assertIsInstance(error.__cause__, EOFError)
                    self.assertIn(fake.address, str(error))
                    with self.assertRaises(telefile.ConnectionLost) as raised:
                        client.write("f", "")
                    # The second request was not sent.
                    self.assertNotIsInstance(raised.exception, telefile.OutcomeUnknown)

    def test_a_hello_that_is_cut_at_any_byte_is_no_connection(self) -> None:
        for length in range(len(HELLO)):
            with replying(hello=HELLO[:length]) as fake:
                with self.assertRaises(telefile.ConnectError) as raised:
                    fake.client()
                self.assertTrue(raised.exception.is_retryable)

    def test_changed_bytes_give_a_value_or_an_error_of_this_package(self) -> None:
        chance = random.Random(7)
        for _ in range(1500):
            ask, reply, _ = chance.choice(EXCHANGES)
            changed = bytearray(reply)
            for _ in range(chance.randint(1, 3)):
                at = chance.randrange(len(changed))
                new = chance.choice(b"\r\n\0 09:\xff@-") if chance.random() < 0.7 else at % 256
                if chance.random() < 0.5:
                    changed[at] = new
                else:
                    changed.insert(at, new)
            with replying(bytes(changed)) as fake, fake.client() as client:
                try:
                    ask(client)
                except telefile.Error:
                    pass
                except Exception as e:
                    raise AssertionError(f"{bytes(changed)!r}: {e!r}") from e

    def test_a_server_that_closes_while_a_request_is_sent_says_why(self) -> None:
        def treat(connected: socket.socket) -> None:
            line(connected)
            connected.sendall(HELLO)
            line(connected)
            connected.sendall(b"ERR_LIMIT contents 10\r\n")

        with Fake(treat) as fake, fake.client() as client:
            try:
                client.write("f", bytes(20_000_000))
            except telefile.LimitReached as e:
                self.assertEqual((e.limit, e.maximum), ("contents", 10))
            except telefile.OutcomeUnknown:
                pass  # The reset was faster than the reply.


class WrongReplyTest(unittest.TestCase):
    def wrong(self, ask: Callable[[Client], Any], reply: bytes) -> telefile.Error:
        with replying(reply) as fake, fake.client() as client:
            with self.assertRaises(telefile.Error, msg=reply) as raised:
                ask(client)
            # The connection is not used any more.
            with self.assertRaises(telefile.ConnectionLost):
                client.read("f")
        return raised.exception

    def test_a_reply_that_does_not_fit_its_request(self) -> None:
        for reply in [
            b"OK 1\r\n",
            b"OK\r\n",
            b"FD 0 1 File\r\n",
            b"WHAT 1\r\n",
            b"\r\n",
            b"CONTENTS 1 six 0\r\n",
            b"CONTENTS 1 1 0\r\nab\r\n",
            b"CONTENTS 1 1 0\r\na\n\r\n",
            b"CONTENTS 1 0 0 later\r\n\r\n",
            b"CONTENTS 9223372036854775808 0 0\r\n\r\n",
            b"CONTENTS +1 0 0\r\n\r\n",
            b"CONTENTS 1 0 -2\r\n\r\n",
            "CONTENTS \u0661 0 0\r\n\r\n".encode(),
            b"CONTENTS 1 0 0\n\n",
            b"ERR_VERSION\r\n",
            b"ERR_VERSION 1 2\r\n",
            b"ERR_FILE_NOT_FOUND 1\r\n",
            b"ERR_LIMIT wit 1\r\n",
            b"ERR_TYPE @1\r\n",
            b"ERR_NEW\r\n",
            b"a\rb\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"x" * 100_000,
        ]:
            error = self.wrong(lambda c: c.read("f"), reply)
            self.assertIsInstance(error, telefile.ProtocolError, reply)

    def test_a_wrong_reply_to_a_change_leaves_the_outcome_unknown(self) -> None:
        for reply in (
            b"OK\r\n",
            b"OK 1 f\r\n",
            b"OK -1\r\n",
            b"CONTENTS 1 0 0\r\n\r\n",
            b"\xff\r\n",
        ):
            error = self.wrong(lambda c: c.write("f", ""), reply)
            self.assertIsInstance(error, telefile.OutcomeUnknown)
            self.assertIsInstance(error.__cause__, telefile.ProtocolError)

    def test_wrong_lines_of_long_replies(self) -> None:
        for ask, reply in [
            (lambda c: c.list_page("f"), b"LIST 1 10001 0\r\n"),
            (lambda c: c.list_page("f", 1), b"LIST 1 2 0\r\n1 0 0 f\r\n1 0 0 fo\r\n"),
            (lambda c: c.list_page("f"), b"LIST 1 0 1\r\n"),
            (lambda c: c.list_page("f"), b"LIST 1 0 2\r\n"),
            (lambda c: c.list_page("f"), b"LIST 1 1 0\r\n1 0 0 g\r\n"),
            (lambda c: c.list_page("f"), b"LIST 1 2 0\r\n1 0 0 fb\r\n1 0 0 fa\r\n"),
            (lambda c: c.list_page("f", 9, "fa"), b"LIST 1 1 0\r\n1 0 0 fa\r\n"),
            (lambda c: c.list_page("f"), b"LIST 1 1 0\r\n1 0 0 " + b"f" * 600 + b"\r\n"),
            (lambda c: c.list_page("f"), b"LIST 1 1 0\r\n1 0 0 f\xff\r\n"),
            (lambda c: c.watch("f", 0, 0), b"CHANGES 1 10001\r\n"),
            (lambda c: c.watch("f", 0, 0), b"CHANGES 1 1\r\nput 1 0 g\r\n"),
            (lambda c: c.watch("f", 0, 0), b"CHANGES 1 1\r\nPUT 1 0 f\r\n"),
            (lambda c: c.types(), b"TYPES 99999999\r\n"),
            (lambda c: c.types(), b"TYPES 1\r\ntwo words\r\n"),
            (lambda c: c.stats(), b"STATS 1\r\nname\r\n"),
            (lambda c: c.help(), b"HELP 1\r\n\xff\r\n"),
            (lambda c: c.help(), b"HELP 1\r\na\rb\r\n"),
            (lambda c: c.wait("f", 6, 0), b"OK 17\n"),
        ]:
            self.assertIsInstance(self.wrong(ask, reply), telefile.ProtocolError, reply)
        error = self.wrong(lambda c: c.create("q/", ""), b"OK 7 q/8\r\n")
        self.assertIsInstance(error, telefile.OutcomeUnknown)

    def test_what_a_later_protocol_may_add_is_passed_over(self) -> None:
        exchanges: List[Tuple[Callable[[Client], Any], bytes]] = [
            (lambda c: c.stat("f"), b"STAT 7 5 0 File 2 later\r\n"),
            (lambda c: c.list_page("f"), b"LIST 9 1 0 later\r\n7 5 -1 f later\r\n"),
            (lambda c: c.watch("f", 6, 0), b"CHANGES 9 1 later\r\nput 7 5 f later\r\n"),
            (lambda c: c.open("f"), b"FD 0 7 File later\r\n"),
            (lambda c: c.types(), b"TYPES 0 later\r\n"),
            (lambda c: c.stats(), b"STATS 2 later\r\nfiles 7\r\nlater_le_250 9\r\n"),
            (lambda c: c.latest_version(), HELLO.replace(b"\r", b" later\r")),
        ]
        for ask, reply in exchanges:
            with replying(reply) as fake, fake.client() as client:
                ask(client)
        with replying(b"ERR_LIMIT memory 9 later\r\n") as fake, fake.client() as client:
            self.assertRaises(telefile.LimitReached, client.read, "f")

    def test_a_server_that_is_not_telefile(self) -> None:
        for hello in (
            b"HTTP/1.1 400 Bad Request\r\n",
            b"HELLO 2 00000000000000aa 0 0\r\n",
            b"\0\r\n",
        ):
            with replying(hello=hello) as fake:
                self.assertRaises(telefile.ProtocolError, fake.client)
        for hello in (b"HELLO 1 aa 0\r\n", b"HELLO 1 00000000000000aa 0 soon\r\n"):
            with replying(hello=hello) as fake:
                self.assertRaises(telefile.ProtocolError, fake.client)

    def test_an_older_server_does_not_say_its_idle_time_out(self) -> None:
        for idle, expected in ((b"", None), (b" 0", 0), (b" 2.5", 2.5)):
            hello = f"HELLO 1 {EPOCH} 7".encode() + idle + b"\r\n"
            with replying(hello=hello) as fake, fake.client() as client:
                self.assertEqual(client.idle_timeout, expected)

    def test_an_error_shows_a_part_of_the_reply_escaped(self) -> None:
        error = str(self.wrong(lambda c: c.read("f"), "\x1b[31m\u202eevil\r\n".encode()))
        self.assertNotIn("\x1b", error)
        self.assertNotIn("\u202e", error)
        error = str(self.wrong(lambda c: c.read("f"), b"y" * 400 + b"\r\n"))
        self.assertLess(len(error), 200)

    def test_a_full_server_says_so_without_a_request(self) -> None:
        def treat(connected: socket.socket) -> None:
            connected.sendall(b"ERR_LIMIT connections 1\r\n")
            connected.shutdown(socket.SHUT_WR)
            drain(connected)

        with Fake(treat) as fake:
            with self.assertRaises(telefile.LimitReached) as raised:
                fake.client()
            self.assertTrue(raised.exception.is_retryable)


class EndlessAndLateReplyTest(unittest.TestCase):
    def test_contents_over_the_maximum_are_skipped(self) -> None:
        large = b"CONTENTS 1 3000000 0\r\n" + bytes(3_000_000) + b"\r\n"
        with replying(large, large, b"OK 2\r\n") as fake:
            with fake.client(max_contents=2_999_999) as client:
                for _ in range(2):
                    with self.assertRaises(telefile.ContentsTooLarge) as raised:
                        client.read("large")
                    error = raised.exception
                    self.assertEqual((error.numbytes, error.maximum), (3_000_000, 2_999_999))
                self.assertEqual(client.write("f", ""), 2)

    def test_announced_contents_take_no_memory(self) -> None:
        with replying(b"CONTENTS 1 60000000 0\r\nabc") as fake, fake.client() as client:
            self.addCleanup(tracemalloc.stop)
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            self.assertRaises(telefile.ConnectionLost, client.read, "f")
            _, peak = tracemalloc.get_traced_memory()
            self.assertLess(peak - before, 2_000_000)

    def test_a_silent_server_is_a_lost_connection(self) -> None:
        for ask, reply, changes in EXCHANGES:
            for said in (b"", reply[: len(reply) // 2]):

                def treat(connected: socket.socket, said: bytes = said) -> None:
                    line(connected)
                    connected.sendall(HELLO)
                    line(connected)
                    connected.sendall(said)
                    drain(connected)

                with Fake(treat) as fake, fake.client() as client:
                    client.connection.timeout = 0.05
                    with self.assertRaises(telefile.ConnectionLost) as raised:
                        ask(client)
                    self.assertIsInstance(raised.exception.__cause__, TimeoutError)
                    self.assertIn("within 0.05 s", str(raised.exception))
                    is_unknown = isinstance(raised.exception, telefile.OutcomeUnknown)
                    self.assertEqual(is_unknown, changes)

    def test_a_reply_that_drips_is_late(self) -> None:
        def treat(connected: socket.socket) -> None:
            line(connected)
            connected.sendall(HELLO)
            line(connected)
            connected.sendall(beginning)
            while True:
                connected.sendall(b"1")
                connected.settimeout(0.02)
                try:
                    drain(connected)
                    return
                except socket.timeout:
                    pass

        for beginning in (b"", b"CONTENTS 1 1000000 0\r\n"):
            with Fake(treat) as fake, fake.client() as client:
                client.connection.timeout = 0.3
                with self.assertRaises(telefile.ConnectionLost) as raised:
                    client.read("f")
                self.assertIsInstance(raised.exception.__cause__, TimeoutError)

    def test_a_server_that_takes_no_request(self) -> None:
        def treat(connected: socket.socket) -> None:
            line(connected)
            connected.sendall(HELLO)
            eventually("the client has gone", lambda: not ended)

        ended = [1]
        with Fake(treat) as fake, fake.client() as client:
            client.connection.timeout = 0.2
            with self.assertRaises(telefile.OutcomeUnknown) as raised:
                client.write("f", bytes(50_000_000))
            self.assertIsInstance(raised.exception.__cause__, TimeoutError)
            ended.clear()

    def test_a_server_that_never_says_hello(self) -> None:
        with Fake(drain) as fake:
            with self.assertRaisesRegex(telefile.ConnectError, "within 0.05 s"):
                fake.client(timeout=0.05)
