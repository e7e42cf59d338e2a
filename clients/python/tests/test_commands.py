"""Every command, against the real server, over TCP and a Unix socket."""

import tempfile
import threading

import telefile
from telefile import ABSENT, EPHEMERAL

from .servers import PATIENCE, Case, Server, Task, built, eventually


class CommandsTest(Case):
    def setUp(self) -> None:
        self.server = self.enter(Server())
        self.client = self.enter(self.server.client())

    def test_write_read_cas_and_delete(self) -> None:
        client = self.client
        self.assertEqual(client.write("a", "one"), 1)
        self.assertEqual(client.cas("a", 1, b"two"), 2)
        read = client.read("a")
        self.assertEqual((read.contents, read.text, str(read)), (b"two", "two", "two"))
        self.assertEqual((read.version, read.exptime), (2, None))
        stat = client.stat("a")
        expected = telefile.Stat(version=2, numbytes=3, exptime=None, kind="MemoryFile", opens=0)
        self.assertEqual(stat, expected)
        client.delete("a", 2)
        self.assertEqual(client.cas("a", ABSENT, "three", exptime=8.5), 4)
        self.assertEqual(client.read("a").exptime, 9)
        self.assertEqual(client.touch("a", 4, 100), 4)
        self.assertIn(client.stat("a").exptime, (99, 100))
        self.assertEqual(client.touch("a", 4, None), 4)
        self.assertIsNone(client.stat("a").exptime)
        client.delete("a")

    def test_any_bytes_are_contents_of_any_kind(self) -> None:
        everything = bytes(range(256)) * 20_000
        for contents in (b"", b"\r\n", b"OK 1\r\n", everything, "größe €"):
            version = self.client.write("f", contents)
            expected = contents.encode() if isinstance(contents, str) else contents
            read = self.client.read("f")
            self.assertTrue(read.contents == expected and read.version == version)
        self.client.write("f", bytearray(b"ab"))
        self.client.write("f", memoryview(b"abcdef")[1:3])
        self.assertEqual(self.client.read("f").contents, b"bc")

    def test_create_makes_names_in_order(self) -> None:
        made = [self.client.create("q/", str(n), EPHEMERAL) for n in range(3)]
        self.assertEqual([m.name for m in made], [f"q/{m.version:020}" for m in made])
        self.assertEqual([f.name for f in self.client.list("q/")], [m.name for m in made])
        self.assertEqual(self.client.stat(made[0].name).exptime, EPHEMERAL)

    def test_list_goes_from_page_to_page(self) -> None:
        pipeline = self.client.pipeline()
        for n in range(25_000):
            pipeline.write(f"n/{n:05}", b"")
        self.assertEqual(sum(1 for _ in pipeline.send()), 25_000)
        self.client.write("other", "")
        listing = self.client.list("n/")
        self.assertEqual(listing.version, 25_001)
        self.assertEqual([f.name for f in listing], [f"n/{n:05}" for n in range(25_000)])
        page = self.client.list_page("n/", 2, "n/00007")
        self.assertEqual([f.name for f in page.files], ["n/00008", "n/00009"])
        self.assertTrue(page.more)
        self.assertEqual(self.client.list_page("*", 1, after="n/24999").files[0].name, "other")
        self.assertEqual(list(self.client.list("nothing")), [])

    def test_a_list_goes_on_behind_a_name_that_is_too_long_for_its_line(self) -> None:
        names = [f"{'x' * 480}{n}" for n in range(5)]
        for name in names:
            self.client.write(name, "")
        page = self.client.list_page("x" * 20, 2, names[1])
        self.assertEqual(([f.name for f in page.files], page.more), (names[2:4], True))
        page = self.client.list_page("x" * 20, 2, names[3])
        self.assertEqual(([f.name for f in page.files], page.more), (names[4:], False))

    def test_watch_reports_states(self) -> None:
        self.client.write("w/a", "1")
        self.client.write("w/b", "12")
        self.client.delete("w/a")
        news = self.client.watch("w/", 0, 0)
        self.assertEqual(news.version, 3)
        changes = [telefile.Change("w/b", 2, 2), telefile.Change("w/a", 3, None)]
        self.assertEqual(list(news.changes), changes)
        with self.assertRaises(telefile.Compacted) as raised:
            self.client.watch("w/", 99, 0)
        self.assertEqual(raised.exception.version, 3)

    def test_watch_and_wait_end_with_a_change(self) -> None:
        version = self.client.write("w/a", "1")
        with self.server.client() as other, self.server.client() as third:
            watch = Task(lambda: other.watch("w/", version, 600))
            wait = Task(lambda: third.wait("w/a", version, 600))
            waits = lambda: self.client.stats()["watches"] == "2"  # noqa: E731
            eventually("both wait", waits)
            self.client.write("w/a", "2")
            self.assertEqual(watch.result().changes[0].version, version + 1)
            self.assertEqual(wait.result(), version + 1)
        self.assertEqual(self.client.wait("absent", ABSENT, 0), ABSENT)
        self.assertEqual(self.client.watch("w/", version + 1, 0.01).changes, ())

    def test_open_files_are_shared_and_counted(self) -> None:
        with self.server.client() as other:
            first = self.client.open("lobby", "Counter")
            second = other.open("lobby")
            self.assertEqual(first.descriptor, second.descriptor)
            self.assertEqual((second.kind, second.name, second.version), ("Counter", "lobby", 1))
            self.assertEqual(first.write("5"), 2)
            self.assertEqual(other.cas(second, 2, "-3"), 3)
            self.assertEqual(self.client.read(first).text, "2\n")
            self.assertEqual(first.wait(2, 600), 3)
            self.assertEqual(second.stat().opens, 2)
            with self.assertRaisesRegex(telefile.InvalidRequest, "open at another client"):
                self.client.read(second)
            first.close()
            first.close()
            with self.assertRaisesRegex(telefile.InvalidRequest, "lobby is closed"):
                first.read()
            self.assertEqual(second.stat().opens, 1)
        eventually("the server has closed it", lambda: not list(self.client.list("lobby")))

    def test_a_with_block_closes_a_file_and_keeps_its_error(self) -> None:
        with self.assertRaises(ZeroDivisionError), self.client.open("f") as file:
            self.client.close()
            raise ZeroDivisionError
        self.assertTrue(file.closed)
        with self.assertRaises(telefile.ConnectionLost), self.server.client() as client:
            with client.open("f"):
                client.close()

    def test_an_ephemeral_file_ends_with_its_connection(self) -> None:
        with self.server.client() as other:
            other.write("here", "", EPHEMERAL)
            self.assertEqual(self.client.stat("here").exptime, EPHEMERAL)
        eventually("it is deleted", lambda: not list(self.client.list("here")))

    def test_session(self) -> None:
        made = self.client.session()
        self.assertTrue(made.is_new and made.epoch == self.client.epoch)
        found = self.client.session(made.id)
        self.assertEqual((found.id, found.is_new), (made.id, False))
        for bad in ("", "0123", "g" * 32):
            with self.assertRaises(telefile.InvalidRequest):
                self.client.session(bad)

    def test_types_stats_help_and_hello(self) -> None:
        self.assertIn("MemoryFile", self.client.types())
        self.assertEqual(self.client.stats()["connections"], "1")
        self.assertTrue(any(line.startswith("read ") for line in self.client.help()))
        self.assertEqual(len(self.client.epoch), 16)
        self.assertEqual(self.client.latest_version(), 0)
        self.client.write("a", "")
        self.assertEqual(self.client.latest_version(), 1)
        self.assertEqual(self.client.idle_timeout, 0)

    def test_threads_share_a_client(self) -> None:
        self.client.write("n", "0")

        def count() -> None:
            for _ in range(50):
                while True:
                    seen = self.client.read("n")
                    try:
                        self.client.cas("n", seen.version, str(int(seen.contents) + 1))
                        break
                    except telefile.VersionMismatch:
                        pass

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(self.client.read("n").text, "400")

    def test_many_clients_at_once(self) -> None:
        clients = [self.server.client() for _ in range(64)]
        for n, client in enumerate(clients):
            client.write(f"here/{n}", "", EPHEMERAL)
        self.assertEqual(len(list(self.client.list("here/"))), 64)
        for client in clients:
            client.close()
        eventually("all are gone", lambda: not list(self.client.list("here/")))


class TransportsTest(Case):
    def test_a_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            address = f"unix:{folder}/socket"
            command = [built("telefile"), "serve", "--listen", address]
            with Server(command=command) as server, server.client() as client:
                self.assertEqual((server.address, client.address), (address, address))
                everything = bytes(range(256)) * 20_000
                client.write("f", everything)
                with client.reconnect() as again:
                    self.assertTrue(again.read("f").contents == everything)

    def test_a_host_name_and_ipv6(self) -> None:
        with Server() as server:
            port = server.address.rsplit(":", 1)[1]
            with telefile.Client(f"localhost:{port}") as client:
                client.write("f", "")
        try:
            server = Server(command=[built("telefile"), "serve", "--listen", "[::1]:0"])
        except AssertionError:
            self.skipTest("no IPv6 here")
        with server, server.client() as client:
            self.assertEqual(client.address, server.address)
            client.write("f", "")

    def test_a_token(self) -> None:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("s3cret\n")
            file.flush()
            with Server("--token-file", file.name) as server:
                for token in ("s3cret", b"s3cret\n"):
                    with server.client(token=token) as client:
                        client.write("f", "")
                        client.reconnect().close()
                        client.latest_version()
                for bad in ("wrong", None):
                    with self.assertRaises(telefile.WrongToken) as raised:
                        server.client(token=bad)
                    self.assertNotIn("wrong", str(raised.exception))
                for token in ("", " \n", "two words", b"x\r\nquit", "x" * 401, "nul\0"):
                    with self.assertRaises(telefile.InvalidRequest):
                        server.client(token=token)
