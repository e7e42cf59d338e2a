"""Elections whose leader has to renew its leadership."""

import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import telefile
from telefile.recipes import LeasedElection, Lost

from .servers import PACKAGE, PATIENCE, Case, Server, Task, environment, eventually, given


class LeasedElectionTest(Case):
    def setUp(self) -> None:
        self.server = self.enter(Server())
        self.client = self.enter(self.server.client())

    def election(self, ttl: float = 600, **settings: Any) -> LeasedElection:
        client = self.enter(self.server.client())
        return LeasedElection(client, "leader", ttl, **settings)

    def waits(self, count: int) -> None:
        eventually("they wait", lambda: self.client.stats()["watches"] == str(count))

    def test_everybody_reads_who_leads_and_who_resigns_is_replaced_at_once(self) -> None:
        observer, bob = self.election(), self.election()
        self.assertIsNone(observer.leader())
        with self.election().campaign("ann") as first:
            self.assertTrue(first.is_leader)
            leader = given(observer.leader())
            self.assertEqual((leader.contents, leader.token), (b"ann", first.token))
            self.assertIsNone(bob.try_campaign("bob"))
            coming = Task(lambda: bob.campaign(b"\xff\0\r\n"))
            self.waits(1)
        second = coming.result()
        self.assertFalse(first.is_leader)
        self.assertGreater(second.token, first.token)
        self.assertEqual(given(observer.leader()).contents, b"\xff\0\r\n")
        second.resign()
        second.resign()
        self.assertIsNone(observer.leader())

    def test_a_leader_that_is_kept_stays_and_one_that_is_not_is_replaced(self) -> None:
        ann, bob, observer = self.election(5), self.election(5), self.election()
        kept = ann.campaign("ann").kept()
        coming = Task(lambda: bob.campaign("bob"))
        until = kept.valid_until
        eventually("it is renewed for longer than its time", lambda: kept.valid_until > until + 5)
        self.assertTrue(kept.is_leader and coming.is_running)
        self.assertEqual(given(observer.leader()).token, kept.token)
        kept.resign()
        stops = coming.result()
        after = self.election(5).campaign("eve")
        self.assertFalse(stops.is_leader)
        self.assertGreater(after.token, stops.token)
        # It knows by its clock that its time is over, and leaves the next leader alone.
        self.assertRaises(telefile.VersionMismatch, stops.resign)
        after.renew()

    def test_an_observer_gets_each_new_leader(self) -> None:
        ann, observer = self.election(), self.election()
        coming = Task(lambda: observer.next_leader(None, PATIENCE))
        self.waits(1)
        first = ann.campaign("ann")
        self.assertEqual(coming.result().token, first.token)
        coming = Task(lambda: observer.next_leader(first.token, PATIENCE))
        self.waits(1)
        first.renew()  # This is no new leader.
        self.waits(1)
        first.resign()
        self.assertIsNone(coming.result())
        # The same candidate once more, between two calls.
        second = ann.campaign("ann")
        before = time.monotonic()
        self.assertEqual(given(observer.next_leader(first.token, 3 * PATIENCE)).token, second.token)
        self.assertEqual(given(observer.next_leader(None, 3 * PATIENCE)).token, second.token)
        self.assertLess(time.monotonic() - before, 3 * PATIENCE)
        self.assertEqual(given(observer.next_leader(second.token, 0)).token, second.token)

    def test_a_leader_whose_process_is_paused_over_its_time_finds_out(self) -> None:
        program = """
            import sys, telefile
            from telefile.recipes import LeasedElection, Lost
            def on_event(event):
                if isinstance(event, Lost):
                    print(type(event.error).__name__, leads.is_leader, flush=True)
            client = telefile.Client(sys.argv[1])
            leads = LeasedElection(client, "leader", 5, on_event=on_event).campaign("sleeps").kept()
            print(leads.token, flush=True)
            sys.stdin.read()
            try:
                leads.resign()
            except telefile.VersionMismatch as e:
                print(e.current)
        """
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), self.server.address],
            env={**environment(), "PYTHONPATH": PACKAGE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            token = int(given(process.stdout).readline())
            process.send_signal(signal.SIGSTOP)
            leads = self.election().campaign("bob")
            self.assertGreater(leads.token, token)
            process.send_signal(signal.SIGCONT)
            self.assertEqual(given(process.stdout).readline(), "VersionMismatch False\n")
            said, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual(said, f"{leads.token}\n")
            self.assertEqual(given(self.election().leader()).contents, b"bob")
            leads.renew()
        finally:
            process.kill()
            process.communicate()

    def test_a_leader_reports_its_loss_to_its_callback(self) -> None:
        events: "list[object]" = []
        election = self.election(renew_every=0.01, on_event=events.append)
        leads = election.campaign("ann").kept()
        self.client.delete("leader")
        eventually("it is lost", lambda: bool(events) and isinstance(events[-1], Lost))
        self.assertFalse(leads.is_leader)
        self.assertRaises(telefile.FileNotFound, leads.resign)
