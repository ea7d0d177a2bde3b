# SPDX-License-Identifier: Apache-2.0
"""Faults of the projector's own process (F1 to F4, F18, F27, F31)."""
import os
import signal
import struct

from archive_writer import ArchiveWriter
from drill import WORK, Drill
from frame import HERE, TOPICS, sh, wait_until
from generate_events import Generator


class Kill9(Drill):
    faults = "F1"
    says = "kill -9 of either projector, or of both, at any moment"
    short = True
    at_least = 4

    def inject(self):
        while self.publishing():
            self.pause(0.0, 1.5)
            for p in self.random.sample(self.pair, self.random.choice((1, 1, 2))):
                p.kill()
                self.tried += 1
            self.pause(0.0, 0.5)
            self.revive()


class Zombie(Drill):
    faults = "F2"
    says = "SIGSTOP past the session timeout, another takes over, SIGCONT"
    short = True
    seconds = 20
    at_least = 2

    def inject(self):
        while self.flowing():
            self.pause(0.2, 1.5)
            zombie = self.random.choice(self.pair)
            zombie.signal(signal.SIGSTOP)
            self.tried += 1
            self.pause(3.5, 5.5)
            zombie.signal(signal.SIGCONT)
            self.pause(1.0, 2.0)
            self.revive()


class SameInstance(Drill):
    faults = "F3"
    says = "a copy with the same instance id: the older one ends"
    exits = (0, 1)

    def inject(self):
        while self.publishing():
            self.pause(0.5, 1.5)
            twin = self.random.randrange(2)
            copy = self.projector(f"p{twin}copy{self.tried}",
                                  **self.identity(twin))
            copy.start()
            old = self.pair[twin]
            wait_until("the older one ends", lambda o=old: not o.alive(), 30)
            if old.process.returncode != 1:
                raise AssertionError(f"{old.title} ended with "
                                     f"{old.process.returncode}")
            self.pair[twin] = copy
            self.tried += 1

    def identity(self, n):
        return {"source.instance_id": f"{self.id}-{n}"}

    def projector(self, name, args=(), env=None, **more):
        if not more:
            more = self.identity(int(name[1:]))
        return super().projector(name, args, env, **more)


class Storm(Drill):
    faults = "F4"
    says = "members join and leave every second or two during a flood"
    events = 8000
    seconds = 15
    at_least = 6

    def inject(self):
        guests = [self.projector(f"guest{n}") for n in range(2)]
        while self.publishing():
            guest = self.random.choice(guests)
            if guest.alive():
                self.stop(guest)
            else:
                guest.start()
            self.tried += 1
            self.pause(0.5, 2.0)


class HotKey(Drill):
    faults = "F18"
    says = "ten times the rate, nine of ten events on one key, memory small"
    events = 40000
    seconds = 4
    settings = {"projector.memory_bytes": "8m"}

    def make_events(self, folder, events, seed):
        archive = ArchiveWriter(str(folder), self.partitions)
        for topic in TOPICS:
            archive.open_topic(topic, self.partitions)
        source = Generator(seed, events)
        cold, hot = source.pools, {
            **source.pools, "shopId": ["shop-hot"], "couponId": ["c-hot"],
            "memberId": ["m-hot"], "orderId": ["o-hot"]}
        for _ in range(events):
            source.pools = cold if source.chance(100) else hot
            archive.append(*source.record())
        archive.close()

    def inject(self):
        while self.publishing():
            self.pause(0.2)
        self.tried += 1


class Terminate(Drill):
    faults = "F31"
    says = "SIGTERM at any moment: out within ten seconds, status 0"
    at_least = 4

    def inject(self):
        while self.publishing():
            self.pause(0.0, 1.5)
            p = self.random.choice(self.pair)
            self.stop(p)
            self.tried += 1
            self.pause(0.0, 0.3)
            self.revive()


class ClockSkew(Drill):
    faults = "F27"
    says = "clocks an hour ahead and behind, stepping forward by up to an hour"
    at_least = 4

    def begin(self):
        self.library = WORK / "wrong_clock.so"
        sh(os.environ.get("CC", "cc"), "-std=c17", "-O1", "-shared", "-fPIC",
           "-o", self.library, HERE / "wrong_clock.c")
        self.skew = {}
        super().begin()

    def projector(self, name, args=(), env=None, **more):
        self.step(name, self.random.choice((-3600, 3600)))
        return super().projector(name, args, {
            "LD_PRELOAD": str(self.library),
            "WRONG_CLOCK": str(self.dir / f"{name}.clock")}, **more)

    def step(self, name, seconds):
        self.skew[name] = self.skew.get(name, 0) + seconds
        path = self.dir / f"{name}.clock"
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("q", self.skew[name]))

    def inject(self):
        while self.publishing():
            p = self.random.choice(self.pair)
            self.step(p.title, self.random.choice((3600, 1, 60, 600)))
            self.tried += 1
            self.pause(0.5, 1.5)
            if self.random.randrange(4) == 0:
                p.kill()
                p.start()


class ClockBack(ClockSkew):
    says = "clocks step back by seconds: nobody waits for longer than that"

    def inject(self):
        while self.publishing():
            p = self.random.choice(self.pair)
            self.step(p.title, -self.random.choice((1, 2, 5)))
            self.tried += 1
            self.pause(1.0, 3.0)


class ClockFarBack(ClockSkew):
    says = "clocks step back by an hour: SIGTERM still ends, a restart heals"
    exits = (0, 1)
    at_least = 2

    def inject(self):
        self.wait_applied(0.2)
        for p in self.pair:
            self.step(p.title, -3600)
            self.tried += 1
        # librdkafka waits for wall times: it may sleep for that hour now.
        self.pause(5.0, 8.0)
        for p in self.pair:
            self.stop(p, self.exits)
            p.start()


DRILLS = (Kill9, Zombie, SameInstance, Storm, HotKey, Terminate,
          ClockSkew, ClockBack,
          ClockFarBack)
WORLD = {}
