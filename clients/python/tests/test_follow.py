"""Following files: what is reported, and what happens at a lost connection."""

import contextlib
import random
import socket
import threading
from typing import Dict, List

import telefile
from telefile import Follow, events
from telefile.events import Current, Deleted, Put

from .servers import HELLO, PATIENCE, Case, Fake, Server, Task, eventually, line


def until_current(follow: Follow) -> List[events.Event]:
    """Takes the events up to the next `Current`, which is the last one."""
    found: List[events.Event] = []
    while not (found and isinstance(found[-1], Current)):
        event = follow.next_within(PATIENCE)
        assert event is not None, f"nothing comes after {found}"
        found.append(event)
    return found


class FollowTest(Case):
    def setUp(self) -> None:
        self.server = self.enter(Server())
        self.client = self.enter(self.server.client())

    def test_what_exists_comes_first_and_then_each_change(self) -> None:
        self.client.write("svc/b", "12")
        self.client.write("svc/a", "1")
        self.client.write("other", "")
        follow = self.enter(self.client.follow("svc/"))
        first = [Put("svc/a", 2, 1, True), Put("svc/b", 1, 2, True), Current(3)]
        self.assertEqual(until_current(follow), first)
        self.assertIsNone(follow.next_within(0))
        self.client.delete("svc/a")
        self.assertEqual(until_current(follow), [Deleted("svc/a", 4), Current(4)])
        self.client.write("svc/c", "")
        self.assertEqual(until_current(follow), [Put("svc/c", 5, 0, True), Current(5)])
        self.client.write("svc/c", "1")
        self.assertEqual(next(follow), Put("svc/c", 6, 1, False))
        self.assertEqual(follow.files, {"svc/b": 1, "svc/c": 6})
        self.assertEqual(follow.client.read("svc/b").text, "12")
        follow.close()
        self.assertRaises(StopIteration, next, follow)

    def test_a_list_of_several_pages(self) -> None:
        pipeline = self.client.pipeline()
        for n in range(10_001):
            pipeline.write(f"n/{n:05}", "")
        self.assertEqual(sum(1 for _ in pipeline.send()), 10_001)
        follow = self.enter(self.client.follow("n/"))
        found = until_current(follow)
        self.assertEqual(len(found), 10_002)
        self.assertEqual(found[-2], Put("n/10000", 10_001, 0, True))
        self.client.delete("n/05000")
        self.assertEqual(until_current(follow)[0], Deleted("n/05000", 10_002))

    def test_a_follower_and_its_files_agree_while_others_write(self) -> None:
        chance = random.Random(3)
        follow = self.enter(self.client.follow("r/"))
        ended = threading.Event()

        def write() -> None:
            with self.server.client() as client:
                for _ in range(2000):
                    name = f"r/{chance.randrange(20)}"
                    with contextlib.suppress(telefile.FileNotFound):
                        client.delete(name) if chance.random() < 0.4 else client.write(name, "")
            ended.set()

        writing = Task(write)
        files: Dict[str, int] = {}
        while not ended.is_set() or files != {f.name: f.version for f in self.client.list("r/")}:
            event = follow.next_within(1)
            if isinstance(event, Put):
                self.assertGreater(event.version, files.get(event.name, 0))
                files[event.name] = event.version
            elif isinstance(event, Deleted):
                del files[event.name]
        writing.result()

    def test_without_reconnect_a_lost_connection_is_the_last_item(self) -> None:
        follow = self.enter(self.client.follow(""))
        until_current(follow)
        self.server.kill()
        self.assertRaises(telefile.ConnectionLost, next, follow)
        self.assertRaises(StopIteration, next, follow)

    def test_close_ends_a_follower_that_waits(self) -> None:
        follow = self.client.follow("")
        until_current(follow)
        following = Task(lambda: list(follow))
        eventually("it waits", lambda: self.client.stats()["watches"] == "1")
        follow.close()
        self.assertEqual(following.result(), [])

    def test_another_table(self) -> None:
        self.client.write("a", "")
        self.client.write("b", "")
        follow = self.enter(self.client.follow("", reconnect=0.1))
        until_current(follow)
        self.server.restart()
        with self.server.client() as client:
            client.write("b", "new")
        found = [e for e in until_current(follow) if not isinstance(e, events.Interrupted)]
        first = found[0]
        assert isinstance(first, events.OtherTable)
        epoch = first.epoch
        self.assertNotEqual(epoch, self.client.epoch)
        # The list says what is there, also if it is of the same version as before.
        expected = [events.OtherTable(epoch), Deleted("a", 1), Put("b", 1, 3, False), Current(1)]
        self.assertEqual(found, expected)


class SameTableTest(Case):
    def test_a_table_on_disk_goes_on_where_it_was(self) -> None:
        folder = self.enter(Server()).folder
        server = self.enter(Server("--data", f"{folder}/data"))
        client = self.enter(server.client())
        for name in ("a", "b", "c"):
            client.write(name, "")
        follow = self.enter(client.follow("", reconnect=0.1))
        until_current(follow)
        client.delete("a")
        server.kill()
        while not isinstance(follow.next_within(PATIENCE), events.Interrupted):
            pass
        server.start(server.addresses)
        with client.reconnect() as again:
            again.write("b", "1")
            found = until_current(follow)
            while "a" in follow.files or follow.files["b"] != again.stat("b").version:
                found += until_current(follow)
        self.assertNotIn("Put(name='c'", str(found))
        self.assertEqual(sorted(follow.files), ["b", "c"])

    def test_after_an_interruption_it_says_at_once_that_it_is_current_again(self) -> None:
        def treat(connected: socket.socket) -> None:
            for reply in replies.pop(0):
                asked.append(line(connected))
                connected.sendall(reply)

        asked: List[bytes] = []
        replies = [
            [HELLO],
            [HELLO, b"LIST 5 0 0\r\n", b"CHAN"],
            [HELLO, b"CHANGES 5 0\r\n"],
        ]
        fake = self.enter(Fake(treat))
        client = self.enter(fake.client())
        follow = self.enter(client.follow("", reconnect=0.01))
        self.assertEqual(until_current(follow), [Current(5)])
        self.assertIsInstance(next(follow), events.Interrupted)
        self.assertEqual(next(follow), Current(5))
        self.assertEqual(asked[-3:], [b"watch * 5 30\r\n", b"hello\r\n", b"watch * 5 0\r\n"])

    def test_what_was_forgotten_is_listed_again(self) -> None:
        """A server that has forgotten deletions, and one page of a list that is lost."""

        def treat(connected: socket.socket) -> None:
            for reply in replies.pop(0):
                line(connected)
                connected.sendall(reply)

        replies = [
            [HELLO],
            [
                HELLO,
                b"LIST 5 2 0\r\n1 0 0 a\r\n2 0 0 b\r\n",
                b"ERR_COMPACTED 9\r\n",
                b"LIST 9 1 1\r\n7 0 0 b\r\n",
                b"LI",
            ],
            [
                HELLO,
                b"LIST 10 1 0\r\n8 0 0 c\r\n",
                b"CHANGES 11 2\r\nput 8 0 c\r\ndel 11 0 b\r\n",
                b"ERR_DENIED\r\n",
            ],
        ]
        fake = self.enter(Fake(treat))
        client = self.enter(fake.client())
        follow = self.enter(client.follow("", reconnect=0.01))
        self.assertEqual(
            until_current(follow), [Put("a", 1, 0, True), Put("b", 2, 0, True), Current(5)]
        )
        compacted, *found = until_current(follow)
        self.assertEqual(compacted, events.Compacted())
        self.assertEqual(found[:2], [Deleted("a", 9), Put("b", 7, 0, False)])
        self.assertIsInstance(found[2], events.Interrupted)
        self.assertEqual(found[3:], [Put("c", 8, 0, True), Deleted("b", 11), Current(11)])
        # An error that does not pass.
        self.assertRaises(telefile.Denied, next, follow)
