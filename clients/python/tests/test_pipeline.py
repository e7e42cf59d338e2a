"""Requests that are sent together."""

import telefile

from .servers import EPOCH, Case, Server, replying


class PipelineTest(Case):
    def setUp(self) -> None:
        self.server = self.enter(Server())
        self.client = self.enter(self.server.client())

    def test_answers_come_in_order_and_a_refusal_is_one(self) -> None:
        file = self.client.open("visits", "Counter")
        pipeline = self.client.pipeline()
        pipeline.write("a", "one").cas("a", 2, "two").cas("a", 9, "three").read("a").stat("a")
        pipeline.touch("a", 3, 100).delete("b").delete("a").write(file, "5").read(file)
        answers = list(pipeline.send())
        self.assertEqual(answers[:2], [2, 3])
        self.assertIsInstance(answers[2], telefile.VersionMismatch)
        self.assertEqual(answers[3].text, "two")
        self.assertEqual((answers[4].kind, answers[5]), ("MemoryFile", 3))
        self.assertIsInstance(answers[6], telefile.FileNotFound)
        self.assertEqual((answers[7], answers[8], answers[9].text), (None, 5, "5\n"))
        self.assertEqual(list(pipeline.send()), [])

    def test_large_requests_and_replies(self) -> None:
        everything = bytes(range(256)) * 8_000
        pipeline = self.client.pipeline()
        for n in range(20):
            pipeline.write(f"f{n}", everything)
        for n in range(20):
            pipeline.read(f"f{n}")
        answers = pipeline.send()
        self.assertEqual([next(answers) for _ in range(20)], list(range(1, 21)))
        for answer in answers:
            self.assertTrue(answer.contents == everything)
            self.client.stat("f0")  # Between two answers the client is free.

    def test_large_requests_do_not_wait_for_replies_that_nobody_takes(self) -> None:
        """The server stops reading while its replies are not received, and ends the connection."""
        everything = bytes(8_000_000)
        self.client.write("f", everything)
        pipeline = self.client.pipeline()
        for _ in range(4):
            pipeline.read("f").write("g", everything)
        self.assertEqual(list(pipeline.send())[1::2], [2, 3, 4, 5])

    def test_what_is_not_taken_is_not_sent(self) -> None:
        pipeline = self.client.pipeline()
        for n in range(100):
            pipeline.write(f"f{n}", "")
        self.assertEqual(next(pipeline.send()), 1)
        self.assertLess(self.client.latest_version(), 100)

    def test_a_lost_connection_comes_after_the_answers(self) -> None:
        with replying(b"OK 1\r\nOK 2\r\nOK") as fake, fake.client() as client:
            pipeline = client.pipeline().write("a", "").write("b", "").write("c", "").read("d")
            answers = pipeline.send()
            self.assertEqual([next(answers), next(answers)], [1, 2])
            self.assertRaises(telefile.OutcomeUnknown, next, answers)
            self.assertRaises(StopIteration, next, answers)
            self.assertEqual(client.epoch, EPOCH)

    def test_reads_alone_leave_nothing_unknown(self) -> None:
        with replying(b"CONT") as fake, fake.client() as client:
            answers = client.pipeline().read("a").read("b").send()
            with self.assertRaises(telefile.ConnectionLost) as raised:
                next(answers)
            self.assertNotIsInstance(raised.exception, telefile.OutcomeUnknown)
