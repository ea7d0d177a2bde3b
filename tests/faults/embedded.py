# SPDX-License-Identifier: Apache-2.0
"""Faults of the disk under the embedded store (F13, F14): the projector itself
writes there. An archive grows meanwhile; no servers are needed, root is
(loopback.py).
"""
import json
import random
import shutil
import subprocess
import time

from archive_writer import ArchiveWriter
from drill import WORK, Projector
from frame import BUILD, TOPICS, VIEWS, wait_until
from generate_events import Generator
from loopback import Disk, why_not
from oracle import Folded, compare
from reference_input import read_record


class Archive:
    """All its records, as Folded wants them."""

    def __init__(self, folder):
        self.records = []
        for topic in TOPICS:
            for path in sorted((folder / topic).glob("*.ndjson")):
                for line in path.read_bytes().splitlines():
                    record = read_record(line)
                    record.size = len(line)
                    self.records.append(record)

    def of(self, topics):
        return [r for r in self.records if r.topic in topics]


class EmbeddedDrill:
    short = False
    events = 6000
    seconds = 20
    disk_mib = 64
    at_least = 4

    def __init__(self, world, seed, number=0):
        del world, number
        self.name = type(self).__name__.lower()
        self.random = random.Random(seed)
        self.source = Generator(seed, self.events)
        self.dir = WORK / self.name
        self.tried, self.seen = 0, {}
        self.disk = self.archive = self.projector = None

    def note(self, text):
        print(f"  {text}", flush=True)

    def settings(self):
        return {"source.type": "archive", "source.dir": self.dir / "archive",
                "store.type": "lmdb", "store.path": self.dir / "store",
                "projector.modules": BUILD / "projections",
                "projector.admin_listen": ""}

    def begin(self):
        if (self.dir / "store").is_mount():
            subprocess.run(["umount", self.dir / "store"], check=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.disk = Disk(self.dir / "disk.img", self.dir / "store",
                         self.disk_mib)
        self.archive = ArchiveWriter(str(self.dir / "archive"), 4)
        for topic in TOPICS:
            self.archive.open_topic(topic, 4)
        self.projector = Projector("p", self.settings(), self.dir / "p.log")
        self.projector.start()

    def grow(self):
        """In about `seconds`, a moment each; the drill's harm in between."""
        step = max(1, self.events // (self.seconds * 20))
        for _ in range(0, self.events, step):
            for _ in range(step):
                self.archive.append(*self.source.record())
            time.sleep(0.05)
            yield

    def harm(self):
        raise NotImplementedError

    def verb(self, *args):
        argv = Projector("verb", self.settings(), "/dev/null").argv()
        argv[1:2] = args
        return subprocess.run(argv, capture_output=True, text=True, timeout=60,
                              check=False)

    def positions(self):
        """What has been said to be durable; {} when nothing can be read."""
        got = self.verb("status", "--json")
        return {(r["projection"], r["topic"], r["partition"]): r["position"]
                for r in map(json.loads, got.stdout.splitlines())
                if r["position"] is not None} if got.returncode == 0 else {}

    def look(self):
        """Positions never go back, whatever happened to the disk (I4)."""
        now = self.positions()
        for at, was in self.seen.items():
            if now and now.get(at, 0) < was:
                raise AssertionError(f"I4 {at} went from {was} to "
                                     f"{now.get(at)}")
        self.seen = now or self.seen

    def ends(self, *statuses, seconds=20):
        """Whether the projector ends by itself, while more is to be written."""
        end = time.monotonic() + seconds
        while self.projector.alive() and time.monotonic() < end:
            self.archive.append(*self.source.record())
            time.sleep(0.005)
        if self.projector.alive():
            return False
        status = self.projector.process.returncode
        if status not in statuses:
            raise AssertionError(f"ended with {status}:\n"
                                 f"{self.projector.text()[-1500:]}")
        return True

    def settle(self):
        if not self.projector.alive():
            self.projector.start()
        ends = {(t, n): file[1] for t, files in self.archive.topics.items()
                for n, file in enumerate(files)}
        self.archive.close()
        wait_until("every position is at the log's end (I9)", lambda: all(
            at == ends[topic, n]
            for (_, topic, n), at in self.positions().items()) and
            len(self.positions()) > len(ends), 60, 0.5)
        self.look()
        if self.projector.stop() != 0:
            raise AssertionError(self.projector.text()[-1500:])

    def verify(self):
        log, wrong, n = Archive(self.dir / "archive"), [], 0
        for view in VIEWS:
            folded = Folded(view, log)
            want = {k: d for k, d in folded.documents().items()
                    if d is not None}
            lines = self.verb("dump", view).stdout.splitlines()
            wrong += compare(want, {json.loads(line)["id"]: line
                                    for line in lines}, f"I1 dump {view}")
            n += len(want)
        if wrong:
            raise AssertionError("\n".join(wrong[:6]))
        self.note(f"{len(log.records)} events, {n} documents equal")

    def run(self):
        try:
            self.begin()
            self.harm()
            self.settle()
            self.verify()
            if self.tried < self.at_least:
                raise AssertionError(f"the fault was there {self.tried} times "
                                     f"only, not {self.at_least}")
        finally:
            if self.projector and self.projector.alive():
                self.projector.kill()
            if self.disk:
                self.disk.unmount()


class EmbeddedPower(EmbeddedDrill):
    faults = "F14"
    says = "the power goes under the embedded store: no position that was said goes back"

    def harm(self):
        for _ in self.grow():
            if self.random.randrange(50):
                continue
            self.look()
            self.disk.lose_power()
            # It may notice first: a commit that fails ends the process.
            if self.random.randrange(2):
                self.projector.kill()
            elif not self.ends(1):
                raise AssertionError("it goes on without a disk:\n" +
                                     self.projector.text()[-1500:])
            self.disk.remount()
            self.tried += 1
            self.look()
            self.projector.start()


class EmbeddedFull(EmbeddedDrill):
    faults = "F13"
    says = "the disk under the embedded store is full: the process ends with 1"
    at_least = 2

    def harm(self):
        for _ in self.grow():
            if self.random.randrange(80):
                continue
            self.look()
            self.disk.fill()
            if self.ends(1):
                self.tried += 1
            else:  # free pages were enough; as good a moment
                self.projector.kill()
            self.look()
            self.disk.empty()
            self.projector.start()


def unable():
    return why_not()


DRILLS = (EmbeddedPower, EmbeddedFull)
WORLD = None
