# SPDX-License-Identifier: Apache-2.0
"""Faults of a MongoDB replica set of three (F9, F11, F12)."""
import signal
import time

from drill import Drill
from frame import wait_until
from links import Rules
from poller import Poller
from servers import import_pymongo

DEAD = Rules(refused=True)


def whole(mongo):
    try:
        states = [m["stateStr"] for m in mongo.primary().command(
            "replSetGetStatus")["members"]]
    except import_pymongo().errors.PyMongoError:
        return False
    return sorted(states) == ["PRIMARY", "SECONDARY", "SECONDARY"]


def ahead(node):
    """Its newest operation is not in a majority."""
    times = node.command("replSetGetStatus")["optimes"]
    return times["appliedOpTime"]["ts"] > times["lastCommittedOpTime"]["ts"]


def elected(node):
    """It stands for election until it is; behind by a write it loses."""
    if not node.is_primary():
        try:
            node.command({"replSetStepUp": 1})
        except import_pymongo().errors.OperationFailure:
            return False
    return node.is_primary()


class LocalPoller(Poller):
    """Checkpoints as the primary has them, durable or not; documents only as a
    majority has them."""

    def __init__(self, node, *args):
        super().__init__(*args)
        self.node = node

    def checkpoint_rows(self):
        return list(self.node.client()[self.db.name].checkpoints.find())


class Failover(Drill):
    faults = "F9"
    says = "writes that no other member has are rolled back"
    seconds = 25
    settle_s = 120
    short = True

    def inject(self):
        mongo = self.world.mongo
        while self.publishing() and self.tried < 2:
            self.pause(0.5, 2.0)
            old = mongo.primary()
            others = mongo.others(old)
            before = old.rollbacks()
            # Nobody can copy from it, everybody can write to it.
            old.link.set(DEAD, *(n.name for n in others))
            wait_until("it has writes of its own", lambda o=old:
                       ahead(o), 20, 0.2)
            self.pause(0.0, 1.0)
            heir = self.random.choice(others)
            heir.command({"replSetStepUp": 1})
            wait_until("the heir is primary", heir.is_primary, 30)
            old.link.heal()
            wait_until("the old primary rolled back", lambda o=old, n=before:
                       o.rollbacks() > n, 60)
            wait_until("the set is whole", lambda: whole(mongo), 60)
            self.tried += 1


class NoMajority(Drill):
    faults = "F11"
    says = "the secondaries stop copying: nothing is durable, nothing is passed"
    seconds = 10
    settle_s = 120

    def inject(self):
        mongo = self.world.mongo
        self.pause(1.0, 3.0)
        old = mongo.primary()
        for node in mongo.others(old):
            node.fail("stopReplProducer", "alwaysOn")
        wait_until("writes are not copied", lambda: ahead(old), 20)
        # Beyond wtimeout (10 s): acknowledgements come with error 64.
        path = self.dir / "looks-local.ndjson"
        with open(path, "w", encoding="utf-8") as out:
            poller = LocalPoller(old, import_pymongo(), mongo.uri,
                                 self.database, out)
            end = time.monotonic() + 13
            while time.monotonic() < end:
                poller.look()
                self.pause(0.2)
        # oracle.py: no checkpoint is beyond what a majority had (I3).
        self.looks_at.append(path)
        self.note(f"{poller.looks} looks at what only the primary had")
        self.tried += 1
        for node in mongo.others(old):
            node.fail("stopReplProducer", "off")


class StalePrimary(Drill):
    faults = "F12"
    says = "a projector talks to a primary that has been replaced"
    seconds = 25
    settle_s = 120
    at_least = 1

    def inject(self):
        mongo = self.world.mongo
        while self.publishing() and self.tried < 2:
            self.pause(0.5, 1.5)
            old = mongo.primary()
            others = mongo.others(old)
            # p0 sees the old one alone; the others see all but it.
            for node in others:
                node.link.set(DEAD, old.name, "p0")
            old.link.set(DEAD, "p1", *(n.name for n in others))
            heir = self.random.choice(others)
            wait_until("there is a new primary", lambda: elected(heir), 30)
            both = old.is_primary()
            # And the pinned one loses its partitions meanwhile, or not.
            if self.random.randrange(2):
                self.pair[0].signal(signal.SIGSTOP)
                self.pause(3.5, 5.0)
                self.pair[0].signal(signal.SIGCONT)
            else:
                self.pause(2.0, 4.0)
            for node in mongo.nodes:
                node.link.heal()
            wait_until("the set is whole", lambda: whole(mongo), 60)
            self.revive()
            self.tried += both


class Elections(Drill):
    faults = "F9"
    says = "the primary is killed, paused or told to step down"
    seconds = 25
    settle_s = 120
    at_least = 2

    def inject(self):
        mongo = self.world.mongo
        while self.flowing():
            self.pause(0.5, 1.5)
            old = mongo.primary()
            how = self.random.choice(("kill", "pause", "step down"))
            if how == "kill":
                old.kill()
            elif how == "pause":
                old.pause()
            else:
                heir = self.random.choice(mongo.others(old))
                wait_until("the heir is elected",
                           lambda h=heir: elected(h), 30)
            wait_until("another is primary", lambda o=old: any(
                n.is_primary() for n in mongo.others(o) if n.alive()), 30)
            self.pause(0.0, 1.5)
            if how == "kill":
                old.start()
            elif how == "pause":
                old.resume()
            self.tried += 1
            wait_until("the set is whole",
                       lambda: whole(mongo), 60)


DRILLS = (Failover, NoMajority, StalePrimary, Elections)
WORLD = {"mongo_nodes": 3}
