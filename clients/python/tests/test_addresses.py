"""Clients with several addresses."""

import threading
from typing import List

import telefile
from telefile import events
from telefile.recipes import Lease, Lock
from telefile.recipes.lease import LeaseEvent, Lost, Renewed

from .servers import PATIENCE, Case, Fake, Server, drain, replying


def connect(*addresses: str) -> telefile.Client:
    return telefile.Client(",".join(addresses), timeout=PATIENCE)


class AddressesTest(Case):
    def test_an_address_without_a_server_is_passed_over(self) -> None:
        server = self.enter(Server())
        dead = f"unix:{server.folder}/dead"
        for addresses in ([dead, server.address], [server.address, dead]):
            client = self.enter(connect(*addresses))
            self.assertEqual(client.address, server.address)
            self.enter(client.reconnect()).write("f", "")

    def test_the_error_names_each_address_that_refuses(self) -> None:
        server = self.enter(Server())
        one, two = (f"unix:{server.folder}/{name}" for name in ("one", "two"))
        with self.assertRaisesRegex(telefile.ConnectError, f"{one}: .*; {two}: ") as raised:
            connect(one, two)
        self.assertTrue(raised.exception.is_retryable)
        self.assertEqual(str(raised.exception).count("no connection"), 1)

    def test_a_part_that_is_no_address_is_an_error_with_its_place(self) -> None:
        for text, place in [
            ("unix:/x,", "address 2 of 2 is empty"),
            (",unix:/x", "address 1 of 2 is empty"),
            ("unix:/x,y", "address 2 of 2 is wrong: 'y': an address is"),
        ]:
            with self.assertRaisesRegex(telefile.InvalidRequest, place):
                telefile.Client(text)

    def test_a_silent_and_a_full_server_are_passed_over(self) -> None:
        full, server = self.enter(Server("--connections", "1")), self.enter(Server())
        silent = self.enter(Fake(drain))
        self.enter(full.client())
        listed = ",".join([full.address, silent.address, server.address])
        client = self.enter(telefile.Client(listed, timeout=20))
        self.assertEqual(client.address, server.address)
        self.assertEqual(client.connection.timeout, 20)
        with self.assertRaises(telefile.LimitReached):
            connect(full.address, full.address)

    def test_a_reconnect_begins_with_the_next_address(self) -> None:
        server = self.enter(Server("--listen", "127.0.0.1:0"))
        one, two = server.addresses
        client = self.enter(connect(one, two))
        for expected in (two, one, two):
            client = self.enter(client.reconnect(timeout=PATIENCE))
            self.assertEqual(client.address, expected)

    def test_a_server_with_another_table_is_passed_over_or_refused(self) -> None:
        server, other = self.enter(Server()), self.enter(Server())
        with server.client() as client:
            epoch = client.epoch
        listed = f"{other.address},{server.address}"
        client = self.enter(telefile.Client(listed, timeout=PATIENCE, epoch=epoch))
        for _ in range(2):
            client = self.enter(client.reconnect())
            self.assertEqual((client.epoch, client.address), (epoch, server.address))
        server.kill()
        self.assertRaises(telefile.OtherTable, client.reconnect)

    def test_a_wrong_token_is_an_error_of_its_own(self) -> None:
        with replying(hello=b"ERR_DENIED\r\n") as one:
            with self.assertRaises(telefile.WrongToken):
                connect(one.address, "unix:/no/server")


class MovedTest(Case):
    def setUp(self) -> None:
        folder = self.enter(Server()).folder
        self.server = self.enter(Server("--data", f"{folder}/data"))
        self.elsewhere = f"unix:{folder}/elsewhere"
        self.client = self.enter(connect(self.server.address, self.elsewhere))

    def move(self) -> None:
        """Ends the server, and starts another one with its table at the other address."""
        self.server.kill()
        self.server.start([self.elsewhere])

    def test_a_lease_goes_on_and_a_lock_is_lost(self) -> None:
        seen: List[LeaseEvent] = []
        renewed = threading.Event()

        def on_event(event: LeaseEvent) -> None:
            seen.append(event)
            if isinstance(event, Renewed):
                renewed.set()

        lease = Lease(self.client, "lease", ttl=600, renew_every=0.01, on_event=on_event)
        lock = Lock(self.client, "lock").acquire()
        with lease as held:
            self.move()
            renewed.clear()
            self.assertTrue(renewed.wait(PATIENCE) and held.is_valid)
            with self.assertRaises(telefile.ConnectionLost):
                lock.release()
        self.assertFalse(any(isinstance(event, Lost) for event in seen))

    def test_a_follower_goes_on_without_being_asked_to(self) -> None:
        self.client.write("a", "")
        follow = self.enter(self.client.follow())
        self.assertIsInstance(next(follow), events.Put)
        self.assertIsInstance(next(follow), events.Current)
        self.move()
        with telefile.Client(self.elsewhere, timeout=PATIENCE) as client:
            client.write("b", "")
        found = next(event for event in follow if isinstance(event, events.Put))
        self.assertEqual(found.name, "b")

    def test_a_follower_takes_another_table_only_if_it_is_asked_to(self) -> None:
        follow = self.enter(self.client.follow())
        asked = self.enter(self.client.follow(reconnect=0.02))
        for follower in (follow, asked):
            self.assertIsInstance(next(follower), events.Current)
        self.server.kill()
        other = self.enter(Server("--listen", self.elsewhere))
        self.assertIn(self.elsewhere, other.addresses)
        with self.assertRaises(telefile.OtherTable):
            for event in follow:
                self.assertIsInstance(event, events.Interrupted)
        found = next(event for event in asked if not isinstance(event, events.Interrupted))
        self.assertIsInstance(found, events.OtherTable)
