"""Leases, with connections that are cut."""

import os
import socket
import threading
import time
import unittest
from typing import Any, List

import telefile
from telefile.recipes import Lease, Lost, Renewed, Retrying

from .servers import PATIENCE, Case, Server, Task, eventually, given


class LeaseTest(Case):
    def setUp(self) -> None:
        self.server = self.enter(Server())
        self.client = self.enter(self.server.client())

    def test_it_is_free_after_a_release_and_after_its_time(self) -> None:
        lease = Lease(self.client, "l", 1)
        held = lease.acquire()
        self.assertIsNone(lease.try_acquire())
        held.release()
        held.release()
        self.assertFalse(held.is_valid)
        first = lease.acquire()
        second = given(lease.try_acquire(PATIENCE))
        self.assertGreater(second.token, first.token)
        self.assertFalse(first.is_valid)
        self.assertRaises(telefile.VersionMismatch, first.renew)
        self.assertRaises(telefile.VersionMismatch, first.release)

    def test_renew_restarts_the_time(self) -> None:
        with Lease(self.client, "l", 600).acquire() as held:
            until = held.valid_until
            held.renew()
            self.assertGreater(held.valid_until, until)
            self.assertTrue(held.is_valid)
            self.client.delete("l")
            self.assertRaises(telefile.FileNotFound, held.renew)
            self.assertFalse(held.is_valid)
            self.assertRaises(telefile.FileNotFound, held.release)

    def test_it_outlives_its_connection(self) -> None:
        other = self.server.client()
        held = Lease(other, "l", 600).acquire()
        other.close()
        held.renew()
        self.assertTrue(held.is_valid)
        held.release()
        self.assertEqual(list(self.client.list("l")), [])

    def test_a_thread_keeps_it_and_says_what_happens(self) -> None:
        events: List[Any] = []
        lease = Lease(self.client, "l", 30, renew_every=0.01, on_event=events.append)
        with lease as held:
            eventually("it is renewed", lambda: len(events) > 2)
            self.assertTrue(all(isinstance(event, Renewed) for event in events))
            # Cut, and replaced at once.
            before = len(events)
            held._client.connection._socket.shutdown(socket.SHUT_RDWR)
            eventually("it is renewed", lambda: len(events) > before + 1)
            self.assertTrue(all(isinstance(event, (Renewed, Retrying)) for event in events))
            self.client.delete("l")
            eventually("it is lost", lambda: isinstance(events[-1], Lost))
            self.assertIsInstance(events[-1].error, telefile.FileNotFound)
            self.assertFalse(held.is_valid)
            self.assertRaises(telefile.FileNotFound, held.release)
        threads = [t for t in threading.enumerate() if t.name == "telefile-lease"]
        for thread in threads:
            thread.join(PATIENCE)
            self.assertFalse(thread.is_alive())

    def test_a_release_ends_the_thread_that_waits(self) -> None:
        with Lease(self.client, "l", 3000) as held:
            keeper = given(held._keeper)
            self.assertTrue(keeper.is_alive())
        self.assertFalse(keeper.is_alive())

    def test_a_callback_may_release_it_and_may_fail(self) -> None:
        released = threading.Event()
        calls: List[object] = []

        def on_event(event: object) -> None:
            calls.append(event)
            if len(calls) == 2:
                held.release()
                released.set()
            raise ZeroDivisionError

        lease = Lease(self.client, "l", 30, renew_every=0.2, on_event=on_event)
        with self.assertLogs("telefile", "ERROR"):
            held = lease.acquire().kept()
            self.assertTrue(released.wait(PATIENCE))
            given(held._keeper).join(PATIENCE)
        self.assertEqual(list(self.client.list("l")), [])

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_a_child_process_does_not_release_it(self) -> None:
        with Lease(self.client, "l", 600) as held:
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    held.renew()
                except telefile.ConnectionLost:
                    try:
                        held.release()
                    except telefile.ConnectionLost:
                        status = 0
                finally:
                    os._exit(status)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            held.renew()

    def test_a_loss_is_logged(self) -> None:
        with self.assertLogs("telefile", "WARNING") as logs:
            held = Lease(self.client, "l", 30, renew_every=0.01).acquire().kept()
            self.client.delete("l")
            given(held._keeper).join(PATIENCE)
        self.assertIn("the lease l is lost: l does not exist", logs.output[0])
        self.assertRaises(telefile.FileNotFound, held.release)

    def test_a_lease_goes_on_over_a_restart_with_its_table_and_not_with_another(self) -> None:
        for is_same in (True, False):
            args = ["--data", f"{self.server.folder}/data"] if is_same else []
            server = self.enter(Server(*args))
            client = self.enter(server.client())
            events: List[Any] = []
            lease = Lease(client, "l", 600, renew_every=0.01, on_event=events.append)
            held = lease.acquire().kept()
            server.kill()
            eventually("it tries again", lambda: any(isinstance(e, Retrying) for e in events))
            self.assertTrue(held.is_valid)
            server.start(server.addresses)
            if is_same:
                eventually("it is renewed", lambda: isinstance(events[-1], Renewed))
                held.release()
            else:
                eventually("it is lost", lambda: isinstance(events[-1], Lost))
                self.assertIsInstance(events[-1].error, telefile.OtherTable)
                self.assertFalse(held.is_valid)
                self.assertRaises(telefile.OtherTable, held.release)

    def test_a_holder_that_is_killed_is_followed_when_its_time_is_over(self) -> None:
        other = self.server.client()
        Lease(other, "l", 1).acquire()
        other.close()
        waiting = Task(lambda: Lease(self.client, "l", 1).acquire())
        before = time.monotonic()
        self.assertTrue(waiting.result().is_valid)
        self.assertLess(time.monotonic() - before, PATIENCE)
