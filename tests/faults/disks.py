# SPDX-License-Identifier: Apache-2.0
"""Faults of the disk under MongoDB (F13, F14). On a file system of its own;
loopback.py says what that needs.
"""
from drill import Drill
from frame import wait_until
from loopback import why_not
from servers import import_pymongo


class PowerCut(Drill):
    faults = "F14"
    says = "the power goes: what mongod has not synced is lost"
    seconds = 20
    at_least = 4

    def inject(self):
        node = self.world.mongo.nodes[0]
        while self.flowing():
            self.pause(0.3, 2.5)
            node.disk.lose_power()
            node.kill()
            node.disk.remount()
            self.tried += 1
            self.pause(0.0, 1.0)
            node.start()


class DiskStall(Drill):
    faults = "F13"
    says = "the disk stands still for seconds, once beyond every timeout"
    seconds = 30
    at_least = 4

    def inject(self):
        disk = self.world.mongo.nodes[0].disk
        # wtimeout is 10 s, the socket's timeout 15 s.
        stalls = [(0.5, 1.0), (1.0, 3.0), (3.0, 6.0), (17.0, 20.0)]
        self.random.shuffle(stalls)
        before = self.reassigned()
        while self.flowing():
            self.pause(0.3, 1.5)
            disk.freeze()
            self.quiet(*stalls[self.tried % len(stalls)])
            disk.thaw()
            self.tried += 1
        # A slow store is no reason to leave the group.
        if self.reassigned() != before:
            raise AssertionError("partitions have changed hands")

    def reassigned(self):
        return sum(p.text().count("event=revoked ") for p in self.pair)


class DiskFull(Drill):
    faults = "F13"
    says = "the disk is full: mongod refuses or ends, and nothing is parked"
    seconds = 20
    at_least = 2

    def inject(self):
        node = self.world.mongo.nodes[0]
        while self.flowing():
            self.pause(0.5, 2.0)
            node.disk.fill()
            self.meets_it(node)
            self.pause(0.5, 3.0)
            node.disk.empty()
            if not node.alive():
                node.start()
            self.world.mongo.primary()

    def meets_it(self, node):
        """Data is written at a checkpoint, and that once a minute; now."""
        try:
            node.command({"fsync": 1})
        except import_pymongo().errors.PyMongoError as fault:
            self.tried += 1
            self.note(f"mongod says {str(fault)[:60]!r}")
            # WiredTiger ends the process when it cannot write.
            wait_until("mongod has ended", lambda: not node.alive(), 30)


def unable():
    return why_not()


DRILLS = (PowerCut, DiskStall, DiskFull)
WORLD = {"disk_mib": 500}
