"""How a connection ends, is kept alive and is replaced."""

import _thread
import gc
import os
import socket
import threading
import time
import unittest
import warnings
from typing import List

import telefile
from telefile import EPHEMERAL

from .servers import HELLO, PATIENCE, Case, Fake, Server, Task, drain, eventually, line, replying


class EndTest(Case):
    def test_a_lost_connection_stays_lost(self) -> None:
        server = self.enter(Server())
        client = self.enter(server.client())
        file = client.open("f", "Counter")
        self.assertFalse(client.wait_lost(0))
        server.kill()
        self.assertTrue(client.wait_lost(PATIENCE))
        with self.assertRaises(telefile.OutcomeUnknown):
            client.write("f", "")
        for ask in (lambda: client.write("f", ""), lambda: client.read("f"), file.read, file.close):
            with self.assertRaises(telefile.ConnectionLost) as raised:
                ask()
            self.assertNotIsInstance(raised.exception, telefile.OutcomeUnknown)
        self.assertTrue(client.wait_lost(0))

    def test_a_server_that_stops_answers_a_wait(self) -> None:
        server = self.enter(Server())
        client = self.enter(server.client())
        waiting = Task(lambda: client.wait("f", 0, 600))
        with server.client() as other:
            eventually("it waits", lambda: other.stats()["watches"] == "1")
        server.stop()
        self.assertEqual(waiting.result(), 0)

    def test_close_ends_a_request_of_another_thread(self) -> None:
        server = self.enter(Server())
        client = server.client()
        waiting = Task(lambda: client.wait("f", 0, 600))
        with server.client() as other:
            eventually("it waits", lambda: other.stats()["watches"] == "1")
        client.close()
        with self.assertRaisesRegex(telefile.ConnectionLost, "this program has closed it"):
            waiting.result()
        client.close()
        with self.assertRaisesRegex(telefile.ConnectionLost, "this program has closed it"):
            client.read("f")

    def test_an_interrupt_ends_the_connection(self) -> None:
        """The rest of the reply would be taken for the next one."""

        def treat(connected: socket.socket) -> None:
            line(connected)
            connected.sendall(HELLO)
            line(connected)
            connected.sendall(b"CONTENTS 1 100 0\r\n" + bytes(50))
            _thread.interrupt_main()
            drain(connected)

        fake = self.enter(Fake(treat))
        client = self.enter(fake.client())
        with self.assertRaises(KeyboardInterrupt):
            client.read("f")
        with self.assertRaisesRegex(telefile.ConnectionLost, "a request was interrupted"):
            client.read("f")

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_a_child_process_does_not_use_the_connection(self) -> None:
        server = self.enter(Server())
        client = self.enter(server.client())
        client.write("here", "", EPHEMERAL)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with client:
                    client.read("here")
            except telefile.ConnectionLost as e:
                status = 0 if "process that made it" in str(e) else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        self.assertEqual(status, 0)
        # And its close has not ended the connection.
        self.assertEqual(client.stat("here").exptime, EPHEMERAL)

    def test_no_server_and_bad_addresses(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            for address in (f"127.0.0.1:{port}", f"localhost:{port}", "unix:/nobody/here"):
                with self.assertRaisesRegex(telefile.ConnectError, address) as raised:
                    telefile.Client(address)
                self.assertTrue(raised.exception.is_retryable)
        for bad in (
            "",
            "localhost",
            "8080",
            ":8080",
            "a b:80",
            "a:70000",
            "a:-1",
            "::1:80",
            "unix:",
        ):
            with self.assertRaises(telefile.InvalidRequest, msg=bad):
                telefile.Client(bad)
        for timeout in (0, -1, float("nan")):
            with self.assertRaises(telefile.InvalidRequest):
                telefile.Client("127.0.0.1:1", timeout=timeout)
        self.assertRaises(telefile.ConnectError, telefile.Client, "no.such.host.invalid:80")

    def test_a_client_that_cannot_connect_leaves_no_socket(self) -> None:
        with replying(hello=b"WHAT\r\n") as fake:
            descriptors = len(os.listdir("/dev/fd"))
            for _ in range(3):
                self.assertRaises(telefile.ProtocolError, fake.client)
                self.assertLessEqual(len(os.listdir("/dev/fd")), descriptors + 2)


class EpochTest(Case):
    def test_reconnect_finds_the_same_table_or_says_so(self) -> None:
        server = self.enter(Server())
        client = self.enter(server.client())
        version = client.write("f", "x")
        with client.reconnect() as again:
            again.cas("f", version, "y")
            self.assertEqual(again.epoch, client.epoch)
        server.restart()
        self.assertRaises(telefile.OtherTable, client.reconnect)
        with self.assertRaises(telefile.OtherTable):
            server.client(epoch=client.epoch)
        with server.client() as other:
            self.assertNotEqual(other.epoch, client.epoch)
            with server.client(epoch=other.epoch) as same:
                self.assertEqual(same.latest_version(), 0)

    def test_a_table_on_disk_survives_kill_9(self) -> None:
        folder = self.enter(Server()).folder
        server = self.enter(Server("--data", f"{folder}/data"))
        client = self.enter(server.client())
        version = client.write("f", "x")
        client.write("here", "", EPHEMERAL)
        for _ in range(3):
            server.restart()
            with self.assertRaises(telefile.ConnectionLost):
                client.read("f")
            client = self.enter(client.reconnect())
            self.assertEqual(client.read("f").version, version)
            self.assertRaises(telefile.FileNotFound, client.stat, "here")

    def test_a_change_whose_reply_is_lost_can_be_looked_up(self) -> None:
        """`cas` is made at most once, however often it is repeated."""
        folder = self.enter(Server()).folder
        server = self.enter(Server("--data", f"{folder}/data"))
        client = self.enter(server.client())
        done = threading.Event()

        def kill() -> None:
            time.sleep(0.02)
            server.kill()
            done.set()

        killer = threading.Thread(target=kill)
        seen = client.write("n", "0")
        killer.start()
        sure = 0
        with self.assertRaises(telefile.OutcomeUnknown):
            while True:
                seen = client.cas("n", seen, str(sure + 1))
                sure += 1
        self.assertTrue(done.wait(PATIENCE))
        server.start(server.addresses)
        with client.reconnect() as again:
            self.assertIn(int(again.read("n").text), (sure, sure + 1))


class KeepAliveTest(Case):
    def test_who_holds_something_outlives_the_idle_time_out(self) -> None:
        server = self.enter(Server("--idle-timeout", "3"))
        clients = [self.enter(server.client()) for _ in range(4)]
        idle, opens, ephemeral, kept = clients
        self.assertEqual(idle.idle_timeout, 3)
        opens.open("f", "File")
        ephemeral.write("here", "", EPHEMERAL)
        kept.keep_alive()
        self.assertTrue(idle.wait_lost(PATIENCE))
        deadline = time.monotonic() + 2
        for client in (opens, ephemeral, kept):
            self.assertFalse(client.wait_lost(max(deadline - time.monotonic(), 0)))
            client.latest_version()
        self.assertRaises(telefile.ConnectionLost, idle.latest_version)

    def test_the_thread_ends_with_its_connection(self) -> None:
        def threads() -> int:
            return sum(t.name == "telefile-keep-alive" for t in threading.enumerate())

        eventually("those of other tests end", lambda: threads() == 0)
        hello = HELLO.replace(b" 0\r", b" 0.1\r")
        with replying(hello=hello) as fake:
            closed = fake.client()
            closed.keep_alive()
            closed.keep_alive()
            self.assertEqual(threads(), 1)
            closed.close()
        eventually("it ends at a close", lambda: threads() == 0)

        def treat(connected: socket.socket) -> None:
            line(connected)
            connected.sendall(hello)
            drain(connected)

        with Fake(treat) as fake:
            dropped = fake.client()
            dropped.keep_alive()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                del dropped
                gc.collect()
            eventually("it ends without a close", lambda: threads() == 0)

    def test_signs_of_life_are_empty_lines(self) -> None:
        received: List[bytes] = []

        def treat(connected: socket.socket) -> None:
            line(connected)
            connected.sendall(HELLO.replace(b" 0\r", b" 0.02\r"))
            received.extend(line(connected) for _ in range(3))
            self.assertEqual(line(connected), b"read f\r\n")
            connected.sendall(b"ERR_FILE_NOT_FOUND\r\n")
            drain(connected)

        with Fake(treat) as fake, fake.client() as client:
            client.keep_alive()
            eventually("three come", lambda: len(received) == 3)
            with self.assertRaises(telefile.Error):
                client.read("f")
        self.assertEqual(received, [b"\n"] * 3)
