# SPDX-License-Identifier: Apache-2.0
"""Faults of a single MongoDB and of the way to it (F8, F10, F11, F26)."""
import shutil

from drill import Drill
from frame import wait_until
from links import Rules

WRITES = ["insert", "update", "findAndModify", "delete"]


class StoreKill(Drill):
    faults = "F8"
    says = "mongod is killed or restarted under load"
    seconds = 15
    at_least = 3
    short = True

    def inject(self):
        node = self.world.mongo.nodes[0]
        while self.flowing():
            self.pause(0.2, 2.0)
            self.random.choice((node.kill, node.stop))()
            self.tried += 1
            self.pause(0.0, 2.0)
            node.start()


class StoreLink(Drill):
    faults = "F7,F8"
    says = "the way to mongod is slow, drips, is cut, half-open or dead"
    seconds = 25
    at_least = 4

    def inject(self):
        link = self.world.mongo.nodes[0].link
        bad = [Rules(delay_s=0.05), Rules(drip=50000), Rules(up=False),
               Rules(down=False), Rules(up=False, down=False),
               Rules(refused=True)]
        self.random.shuffle(bad)
        while self.flowing():
            self.pause(0.5, 1.5)
            names = self.random.choice((("p0",), ("p1",), ("p0", "p1")))
            link.set(bad[self.tried % len(bad)], *names)
            self.quiet(1.0, 4.0)
            link.heal()
            if self.random.randrange(2):
                link.cut(*names)
            self.tried += 1


class AmbiguousAck(Drill):
    faults = "F10"
    says = "the connection goes with a write done, or not even begun"
    seconds = 25
    at_least = 5
    short = True

    def inject(self):
        node = self.world.mongo.nodes[0]
        met = {}
        while self.flowing():
            how = self.random.choice((self.not_begun, self.answer_lost,
                                      self.answer_lost))
            met[how.__name__] = met.get(how.__name__, 0) + how(node)
            self.tried = sum(met.values())
            self.pause(0.2, 1.5)
        self.note(f"met: {met}")

    def not_begun(self, node):
        """The connection closes and nothing was done."""
        node.fail("failCommand", {"times": self.random.choice((1, 1, 2, 3))},
                  failCommands=WRITES, closeConnection=True)
        self.pause(0.3, 1.0)
        return node.fail("failCommand", "off")

    def answer_lost(self, node):
        """The same to a client, but it was done: the link keeps the answer
        back until the primary has a new operation, and is then cut."""
        node.link.set(Rules(down=False), "p0", "p1")
        was = self.newest(node)
        try:
            # Later none comes: what they have read is kept back as well.
            wait_until("a write", lambda: self.newest(node) > was, 1, 0.02)
            done = 1
        except AssertionError:
            done = 0  # nobody had anything to write
        node.link.heal_by_cut("p0", "p1")
        return done

    @staticmethod
    def newest(node):
        return node.command("replSetGetStatus")["optimes"]["appliedOpTime"]["ts"]


class WriteConcern(Drill):
    faults = "F11"
    says = "writes come back with write concern errors 64, 91, 189, 11600"
    seconds = 15
    at_least = 10

    def inject(self):
        node = self.world.mongo.nodes[0]
        while self.publishing():
            code = self.random.choice((64, 91, 189, 11600))
            node.fail("failCommand", "alwaysOn", failCommands=WRITES,
                      writeConcernError={"code": code, "errmsg": "drill"})
            self.pause(0.2, 2.0)
            self.tried += node.fail("failCommand", "off")
            self.pause(0.2, 1.0)


class Errors(Drill):
    faults = "F11"
    says = "commands fail with codes of elections, stops and time-outs"
    seconds = 15
    at_least = 10

    def inject(self):
        node = self.world.mongo.nodes[0]
        while self.publishing():
            code = self.random.choice((
                6, 50, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435))
            node.fail("failCommand", {"activationProbability": 0.5},
                      failCommands=[*WRITES, "find"], errorCode=code)
            self.pause(0.2, 2.0)
            self.tried += node.fail("failCommand", "off")
            self.pause(0.2, 1.0)


class OlderCopy(Drill):
    faults = "F26"
    says = "MongoDB is put back to an older copy of its files"
    seconds = 12

    def inject(self):
        node = self.world.mongo.nodes[0]
        copy = self.dir / "copy"
        self.wait_applied(0.2)
        node.stop()
        shutil.copytree(node.db, copy)
        node.start()
        self.wait_applied(0.7)
        # As the handbook says: nobody writes while it is put back, and
        # clients are told, since answers go back, too.
        for p in self.pair:
            self.stop(p)
        self.seen_wrong += self.stop_observing()
        before = self.applied()
        node.stop()
        shutil.rmtree(node.db)
        shutil.move(copy, node.db)
        node.start()
        self.world.mongo.primary()
        if self.applied() >= before:
            raise AssertionError("the copy is not older")
        self.tried += 1
        for p in self.pair:
            p.start()
        wait_until("the read API is back", self.api.alive, 10)
        self.observe()


DRILLS = (StoreKill, StoreLink, AmbiguousAck, WriteConcern, Errors, OlderCopy)
WORLD = {}
