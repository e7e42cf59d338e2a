"""Locks, semaphores, elections, barriers and queues, over the real server."""

import functools
import subprocess
import sys
import textwrap
import threading
import time
import unittest
from typing import Callable, ContextManager

import telefile
from telefile import recipes
from telefile.recipes import Barrier, Election, FairLock, Lock, Queue, Semaphore

from .servers import PACKAGE, PATIENCE, Case, Server, Task, environment, eventually, given


class RecipeCase(Case):
    def setUp(self) -> None:
        self.server = self.enter(Server())
        self.client = self.enter(self.server.client())

    def another(self) -> telefile.Client:
        client: telefile.Client = self.enter(self.server.client())
        return client

    def waits(self, count: int) -> None:
        eventually("they wait", lambda: self.client.stats()["watches"] == str(count))


class LockTest(RecipeCase):
    def test_one_at_a_time_and_tokens_grow(self) -> None:
        other = self.another()
        with Lock(self.client, "l", holder="ann") as held:
            self.assertEqual(self.client.read("l").text, "ann")
            self.assertIsNone(Lock(other, "l").try_acquire())
            waiting = Task(lambda: Lock(other, "l").acquire())
            self.waits(1)
            held.check()
        after = waiting.result()
        self.assertGreater(after.token, held.token)
        self.assertRaises(telefile.VersionMismatch, held.check)
        after.release()
        after.release()
        self.assertRaises(telefile.FileNotFound, after.check)

    def test_two_programs_and_one_is_killed(self) -> None:
        program = """
            import sys, telefile
            from telefile.recipes import Lock
            with Lock(telefile.Client(sys.argv[1]), "l") as held:
                print(held.token, flush=True)
                sys.stdin.read()
        """

        def start() -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(program), self.server.address],
                env={**environment(), "PYTHONPATH": PACKAGE},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self.enter(process)
            self.addCleanup(process.kill)
            return process

        first = start()
        token = int(given(first.stdout).readline())
        second = start()
        self.waits(1)
        first.kill()
        self.assertGreater(int(given(second.stdout).readline()), token)
        given(second.stdin).close()
        self.assertEqual(second.wait(PATIENCE), 0)
        eventually("it is free", lambda: not list(self.client.list("l")))

    def test_the_loss_is_said_at_the_end_but_not_over_another_error(self) -> None:
        with self.assertRaises(telefile.FileNotFound), Lock(self.client, "l"):
            self.client.delete("l")  # As an operator might.
        with self.assertRaises(ZeroDivisionError), Lock(self.client, "l"):
            self.client.delete("l")
            raise ZeroDivisionError

    def test_a_file_that_stays_is_said_to_be_no_lock(self) -> None:
        self.client.write("l", "a file")
        with self.assertLogs("telefile", "WARNING") as logs:
            self.assertIsNone(Lock(self.client, "l").try_acquire(2))
        self.assertIn("l is not a lock but a file that stays", logs.output[0])

    def test_a_lost_connection_while_it_waits(self) -> None:
        other = self.another()
        held = Lock(self.client, "l").acquire()
        waiting = Task(lambda: Lock(other, "l").acquire())
        self.waits(1)
        self.server.kill()
        self.assertRaises(telefile.ConnectionLost, waiting.result)
        self.assertRaises(telefile.ConnectionLost, held.check)

    def test_no_two_hold_it_and_no_addition_is_lost(self) -> None:
        inside: "list[int]" = []
        worst = []

        def work(make: Callable[[telefile.Client, str], ContextManager[object]]) -> None:
            with self.server.client() as client:
                for _ in range(10):
                    with make(client, "l"):
                        inside.append(1)
                        worst.append(len(inside))
                        n = int(client.read("n").text)
                        client.write("n", str(n + 1))
                        inside.pop()

        for kind in (Lock, FairLock):
            self.client.write("n", "0")
            threads = [Task(functools.partial(work, kind)) for _ in range(6)]
            for thread in threads:
                thread.result()
            self.assertEqual(self.client.read("n").text, "60")
        self.assertEqual(max(worst), 1)


class LineTest(RecipeCase):
    def test_permits_and_order(self) -> None:
        semaphore = Semaphore(self.client, "s", 2)
        first, second = semaphore.acquire(), semaphore.acquire()
        self.assertIsNone(semaphore.try_acquire())
        order: "list[int]" = []
        waiting = []
        for n in range(3):
            other = self.another()

            def wait(n: int = n, other: telefile.Client = other) -> None:
                with Semaphore(other, "s", 2):
                    order.append(n)

            waiting.append(Task(wait))
            self.waits(n + 1)
        second.release()
        for task in waiting:
            task.result()
        self.assertEqual(order, [0, 1, 2])
        first.release()
        self.assertEqual(list(self.client.list("s/")), [])
        self.assertRaises(telefile.InvalidRequest, Semaphore, self.client, "s", 0)

    def test_who_gives_up_leaves_the_line(self) -> None:
        with FairLock(self.client, "f"):
            other = self.another()
            self.assertIsNone(FairLock(other, "f").try_acquire(1))
            self.assertEqual(len(list(self.client.list("f/"))), 1)

    def test_a_file_that_stays_is_not_in_the_line(self) -> None:
        self.client.create("f/", "")
        self.client.write("f/readme", "")
        with FairLock(self.client, "f"):
            pass

    def test_a_waiter_whose_place_is_deleted(self) -> None:
        other = self.another()
        with FairLock(self.client, "f") as held:
            waiting = Task(lambda: FairLock(other, "f").acquire())
            self.waits(1)
            last = [f.name for f in self.client.list("f/")][-1]
            self.client.delete(last)
            held.release()
        self.assertRaises(telefile.FileNotFound, waiting.result)

    def test_an_election(self) -> None:
        election = Election(self.client, "e")
        other = Election(self.another(), "e")
        watcher = Election(self.another(), "e")
        self.assertIsNone(election.leader())
        self.assertIsNone(election.next_leader(None, 0))
        coming = Task(lambda: watcher.next_leader(None, PATIENCE))
        self.waits(1)
        leadership = election.campaign("ann")
        leader = coming.result()
        self.assertEqual((leader.contents, leader.token), (b"ann", leadership.token))
        self.assertIsNone(other.try_campaign("bob"))
        succeeding = Task(lambda: other.campaign("bob"))
        self.waits(1)
        next_one = Task(lambda: watcher.next_leader(leader.token, PATIENCE))
        self.waits(2)
        leadership.release()
        self.assertGreater(succeeding.result().token, leader.token)
        self.assertEqual(next_one.result().contents, b"bob")


class BarrierTest(RecipeCase):
    def test_it_opens_for_each_round(self) -> None:
        def party() -> bool:
            with self.server.client() as client:
                barrier = Barrier(client, "b", 3)
                return barrier.wait() and barrier.wait()

        parties = [Task(party) for _ in range(6)]
        self.assertTrue(all(task.result() for task in parties))

    def test_who_gives_up_does_not_count(self) -> None:
        self.assertFalse(Barrier(self.client, "b", 2).wait(1))
        other = self.another()
        waiting = Task(lambda: Barrier(other, "b", 2).wait())
        self.waits(1)
        self.assertTrue(Barrier(self.client, "b", 2).wait())
        self.assertTrue(waiting.result())
        self.assertEqual(list(self.client.list("b/")), [])

    def test_who_has_given_up_is_not_counted_while_its_place_is_still_there(self) -> None:
        self.assertFalse(Barrier(self.client, "b", 2).wait(1))
        self.assertEqual(self.client.read("b").text, "0 1")
        gone = self.client.create("b/", "", telefile.EPHEMERAL)
        self.client.write("b", f"0 {gone.version}")
        self.assertFalse(Barrier(self.client, "b", 2).wait(1))

    def test_a_file_of_somebody_else(self) -> None:
        self.client.write("b", "a file")
        self.assertRaises(telefile.InvalidRequest, Barrier(self.client, "b", 1).wait)


class QueueTest(RecipeCase):
    def test_items_come_in_order_and_once(self) -> None:
        jobs = Queue(self.client, "q")
        for n in range(200):
            jobs.push(str(n))

        taken: "list[int]" = []
        lock = threading.Lock()

        def work() -> None:
            with self.server.client() as client:
                own = Queue(client, "q")
                while True:
                    if len(taken) % 2:
                        contents = own.pop()
                    else:
                        job = own.take()
                        contents = None if job is None else job.contents
                        if job is not None:
                            job.done()
                    if contents is None:
                        return
                    with lock:
                        taken.append(int(contents))

        for task in [Task(work) for _ in range(4)]:
            task.result()
        self.assertEqual(sorted(taken), list(range(200)))
        self.assertEqual(list(self.client.list("q/")), [])

    def test_a_job_that_is_not_done_comes_again(self) -> None:
        jobs = Queue(self.client, "q")
        jobs.push("job")
        with self.assertRaises(ZeroDivisionError), given(jobs.take()) as job:
            self.assertIsNone(Queue(self.client, "q").take())
            raise ZeroDivisionError
        other = self.another()
        lost = given(Queue(other, "q").take())
        self.assertGreater(lost.token, job.token)
        other.close()
        with given(jobs.take(PATIENCE)) as job:
            self.assertEqual(job.contents, b"job")
        self.assertIsNone(jobs.pop())

    def test_who_waits_gets_what_comes(self) -> None:
        other = self.another()
        waiting = Task(lambda: Queue(other, "q").pop(PATIENCE))
        self.waits(1)
        Queue(self.client, "q").push("late")
        self.assertEqual(waiting.result(), b"late")


class NamesTest(unittest.TestCase):
    def test_every_recipe_is_exported(self) -> None:
        for name in recipes.__all__:
            self.assertTrue(hasattr(recipes, name), name)

    def test_a_time_is_rounded_up_to_seconds(self) -> None:
        from telefile.recipes.deadline import Deadline

        before = time.monotonic()
        for time_out, least in ((0.001, 1), (1, 1), (1.001, 2)):
            self.assertGreaterEqual(Deadline.after(time_out)._at, before + least)
        self.assertEqual(Deadline.after(0).left(), 0)
        self.assertEqual(Deadline.after(None).left(), 30)
        self.assertRaises(telefile.InvalidRequest, Deadline.after, -1)
