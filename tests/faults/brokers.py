# SPDX-License-Identifier: Apache-2.0
"""Faults of the broker, of the way to it, and of what it keeps (F5, F7, F20, F25).
"""
import re
import subprocess

from drill import Drill
from frame import BUILD, TOPICS, wait_until
from links import Rules
from oracle import Log


class BrokerKill(Drill):
    faults = "F5"
    says = "the broker is killed or restarted, and comes back at once or late"
    seconds = 15
    at_least = 2
    short = True

    def inject(self):
        node = self.world.kafka.nodes[0]
        while self.flowing():
            self.pause(0.5, 2.5)
            self.random.choice((node.kill, node.stop))()
            self.tried += 1
            self.pause(0.0, 4.0)
            node.start()


class BrokerDown(Drill):
    faults = "F5"
    says = "the broker is away for half a minute"
    seconds = 5

    def inject(self):
        node = self.world.kafka.nodes[0]
        self.pause(1.0, 3.0)
        node.kill()
        self.quiet(28, 32)
        self.tried += 1
        node.start()


class BrokerPause(Drill):
    faults = "F7"
    says = "SIGSTOP of the broker, shorter and longer than the session timeout"
    seconds = 20
    at_least = 2

    def inject(self):
        node = self.world.kafka.nodes[0]
        while self.flowing():
            self.pause(0.5, 2.0)
            node.pause()
            self.quiet(1.0, 7.0)
            node.resume()
            self.tried += 1


class BrokerLink(Drill):
    faults = "F7"
    says = "the way to the broker is slow, drips, is cut, half-open or dead"
    seconds = 25
    at_least = 4
    short = True

    def inject(self):
        link = self.world.kafka.nodes[0].link
        bad = [Rules(delay_s=0.15), Rules(drip=30000), Rules(up=False),
               Rules(down=False), Rules(up=False, down=False),
               Rules(refused=True)]
        self.random.shuffle(bad)
        while self.flowing():
            self.pause(0.5, 1.5)
            link.set(bad[self.tried % len(bad)])
            self.quiet(1.0, 5.0)
            link.heal()
            if self.random.randrange(2):
                link.cut()
            self.tried += 1


class Transactions(Drill):
    faults = "F20"
    says = "events come in transactions, committed, aborted, empty; one hangs"
    seconds = 15
    short = True

    def publish(self, archive, seconds=None):
        super().publish(archive, seconds, "--transactions",
                        str(self.seed % 1000000))

    def inject(self):
        while self.publishing():
            self.pause(0.1)
        # One that is never ended, in every partition of two topics.
        for topic in ("order", "stock"):
            self.hang(topic)
        # What comes behind it waits; then the broker gives it up.
        self.make_events(self.dir / "more", 500, self.seed + 1)
        super().publish(self.dir / "more", 2)
        if self.publisher.wait(60) != 0:
            raise AssertionError("publish failed")

    def hang(self, topic):
        process = subprocess.Popen(
            [str(BUILD / "tests/support/abort_tail"), self.world.kafka.brokers,
             self.prefix + topic, str(self.partitions), "2", "hang"],
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.helpers.append(process)
        if process.stdout.readline().strip() != "hangs":
            raise AssertionError("the transaction is not open")
        process.kill()
        process.wait()
        self.tried += 1

    def settle(self):
        # Readers find the end only when no transaction is open.
        def ended():
            self.world.dump(self.prefix, self.dir / "log.ndjson")
            return sum(Log(self.dir / "log.ndjson").end.values()) == \
                self.high_watermarks()
        wait_until("the broker gives up the open transactions", ended, 60, 1)
        super().settle()

    def high_watermarks(self):
        return sum(int(line.split()[3]) for topic in TOPICS
                   for line in self.world.kafka.admin(
                       "watermarks", self.prefix + topic).splitlines())


class Hanging(Transactions):
    says = "nobody ends a transaction: said and counted, until it is aborted"
    seconds = 6
    settings = {"source.transaction_warn_ms": "2s",
                "projector.admin_listen": "127.0.0.1:0"}
    short = False
    OPEN = re.compile(r'partition_transaction_open_seconds\{topic="stock",'
                      r'partition="\d+"\} (\S+)')

    def publish(self, archive, seconds=None):
        Drill.publish(self, archive, seconds)

    def inject(self):
        while self.publishing():
            self.pause(0.1)
        if any("transaction." in p.text() for p in self.pair):
            raise AssertionError("an alarm without a transaction")
        self.hang("stock")
        self.make_events(self.dir / "more", 500, self.seed + 1)
        self.publish(self.dir / "more", 1)
        wait_until("it is said of every partition", lambda:
                   self.said("hangs") == self.partitions, 20, 0.2)
        longest = max(self.open_s())
        if longest < 2.0:
            raise AssertionError(f"open for {longest} s, says the metric")
        self.note(f"said and counted after {longest} s")

    def said(self, what):
        text = "".join(p.text() for p in self.pair)
        return len(set(re.findall(
            rf"event=transaction\.{what} topic=stock (partition=\d+)", text)))

    def open_s(self):
        return [float(v) for p in self.pair
                for v in self.OPEN.findall(p.metrics())]

    def settle(self):
        super().settle()
        wait_until("its end is said", lambda:
                   self.said("ended") == self.partitions, 20, 0.2)
        wait_until("and counted", lambda: max(self.open_s()) == 0, 10, 0.2)


class GroupOffsets(Drill):
    faults = "F25"
    says = "the group's offsets are deleted, reset to 0 or far ahead"
    seconds = 10
    at_least = 2

    def inject(self):
        admin = self.world.kafka.admin
        for how in self.random.sample(("delete", "zero", "ahead"), 2):
            self.pause(1.0, 2.0)
            for p in self.pair:
                self.stop(p)
            # Members that are gone count until their session ends.
            wait_until("the group is empty", lambda h=how:
                       self.tampered(admin, h), 30, 0.5)
            self.tried += 1
            for p in self.pair:
                p.start()

    def tampered(self, admin, how):
        try:
            if how == "delete":
                admin("delete-group", self.id)
            else:
                for topic in ("shop", "order", "stock"):
                    for n in range(self.partitions):
                        admin("set-offset", self.id, self.prefix + topic, n,
                              0 if how == "zero" else 10**6)
            return True
        except AssertionError:
            return False


DRILLS = (BrokerKill, BrokerDown, BrokerPause, BrokerLink, Transactions,
          Hanging, GroupOffsets)
WORLD = {}
