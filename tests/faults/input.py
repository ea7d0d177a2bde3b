# SPDX-License-Identifier: Apache-2.0
"""Faults of the records themselves (F15, F17, F19): what is bad is parked with
what belongs behind it, everything else flows.
"""
import json
import re
import subprocess
import time

from archive_writer import ArchiveWriter
from drill import Drill, Projector
from frame import TOPICS, VIEWS, wait_until
from generate_events import Generator
from oracle import Folded

MIB = 1024 * 1024


class Hostile(Drill):
    faults = "F15"
    says = "two of a thousand values are hostile, some make 16 MB or more: counts add up"
    events = 10000
    seconds = 10
    hostile_permille = 2
    publish_more = ("--partitions", "archive")
    settings = {"projector.admin_listen": "127.0.0.1:0"}
    allowance_mib = 400  # records of 20 MiB, twice and on their way
    short = True

    def make_topics(self):
        for topic in TOPICS:
            self.world.kafka.admin(
                "create-topic", self.prefix + topic, self.partitions,
                f"max.message.bytes={40 * MIB}")

    def make_events(self, folder, events, seed):
        super().make_events(folder, events, seed)
        # Faultless, but no store takes what they lead to: one at once, others
        # with what is there already. Some more wait behind them.
        archive = ArchiveWriter(str(folder), self.partitions)
        self.append(archive, "shop", "ShopRegistered", name="n",
                    address="x" * int(15.5 * MIB))
        self.append(archive, "shop", "ShopOpened")
        for n in range(7):
            self.append(archive, "product", "ProductRegistered", price=n,
                        productId=f"p{n}", name="n",
                        imageUrl="x" * int(2.4 * MIB))
        archive.close()

    @staticmethod
    def append(archive, topic, kind, **data):
        archive.append(topic, "shop-large", {
            "eventId": "shop-large", "eventType": kind,
            "data": {"shopId": "shop-large", **data}}, 1793577600000)

    def inject(self):
        while self.publishing():
            self.pause(0.2)
            if not all(p.alive() for p in self.pair):
                raise AssertionError("\n".join(p.text()[-700:] for p in
                                               self.pair if not p.alive()))
        self.tried += self.events * self.hostile_permille // 1000

    def settle(self):
        super().settle()
        self.figures = [self.metrics(p) for p in self.pair]

    def verify(self):
        super().verify()
        for view in VIEWS:
            folded = Folded(view, self.log)
            parked, skipped = len(folded.parked), folded.skipped
            done = sum(f.get((view, name), 0) for f in self.figures
                       for name in ("applied", "unchanged", "repeated"))
            kept = sum(f.get((view, "parked"), 0) for f in self.figures)
            again = done + kept + skipped - folded.taken
            # What is folded anew (a write that was lost or refused) counts anew.
            if kept != parked or again < 0:
                raise AssertionError(
                    f"I6 {view}: {done} applied + {kept} parked (expected "
                    f"{parked}) + {skipped} skipped is not {folded.taken}")
            self.note(f"{view}: {done - again} applied + {kept} parked + "
                      f"{skipped} skipped = {folded.taken}, {again} folds anew")

    def metrics(self, p):
        """{(view, figure): value} of a running projector."""
        return {(view, name): int(float(value)) for name, view, value in
                re.findall(r'projection_(\w+)_total\{projection="(\w+)"[^}]*\} '
                           r'(\S+)', p.metrics())}


class Poison(Drill):
    faults = "F15,F1"
    says = "one value of twenty is hostile, and the projectors are killed"
    events = 6000
    seconds = 15
    hostile_permille = 50
    publish_more = ("--partitions", "archive")
    at_least = 4

    def inject(self):
        while self.publishing():
            self.pause(0.0, 1.5)
            p = self.random.choice(self.pair)
            p.kill()
            self.tried += 1
            self.pause(0.0, 0.5)
            self.revive()


class Sequences(Drill):
    faults = "F19"
    says = "producers repeat one event of twenty, and some events are missing"
    generate = ("--sequence", "--gap-permille", "1")
    short = True

    def inject(self):
        while self.publishing():
            self.pause(0.2)
        self.tried += 1

    def verify(self):
        super().verify()
        said = "".join(p.text() for p in self.pair)
        if 'cause="sequence gap"' not in said:
            raise AssertionError("nobody says that a sequence has a gap")


class Discards(Sequences):
    faults = "F29"
    short = False
    says = "queues are retried and their heads discarded under load and kills"
    generate = ("--sequence", "--gap-permille", "3")
    seconds = 15
    at_least = 3

    NUMBERED = ("shop", "shop_products", "review_summary", "order", "delivery",
                "coupon")

    def fold(self, view):
        return Folded(view, self.log, discarded=True)

    def inject(self):
        kills = 0
        while self.publishing():
            view = self.random.choice(self.NUMBERED)
            # A retry of a gap finds the gap again, and changes nothing.
            if self.random.randrange(3) == 0:
                self.verb("retry", view)
            else:
                self.discard_heads(view)
            if self.random.randrange(4) == 0:
                p = self.random.choice(self.pair)
                p.kill()
                p.start()
                kills += 1
            self.pause(0.0, 0.5)
        self.note(f"{self.tried} discarded, {kills} kills meanwhile")

    def discard_heads(self, view):
        """True when the view had a queue."""
        heads = self.verb("list", view, "--json")
        for line in heads or ():
            self.discard(view, json.loads(line))
        return bool(heads)

    def discard(self, view, head):
        done = self.verb("discard", view, head["key"], "--topic",
                         head["topic"], "--partition", head["partition"],
                         "--reason", "drill")
        self.tried += done is not None

    def verb(self, *args):
        """Its lines; None when it did not succeed."""
        settings = self.run_settings()
        argv = Projector("verb", settings, "/dev/null").argv()
        argv[1:2] = ["parked", *map(str, args)]
        got = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                             check=False)
        with open(self.dir / "verb.log", "a", encoding="utf-8") as log:
            log.write(f"{args} {got.returncode}\n{got.stdout}{got.stderr}\n")
        return got.stdout.splitlines() if got.returncode == 0 else None

    def settle(self):
        super().settle()
        end = time.monotonic() + self.settle_s
        while [v for v in self.NUMBERED if self.discard_heads(v)]:
            if time.monotonic() > end:
                raise AssertionError("the queues do not become empty")
        self.note(f"{self.tried} discarded in all")


class MassPoison(Drill):
    faults = "F17"
    says = "nothing of a topic can be applied: its projection stops by name"
    events = 6000
    seconds = 6
    has_api = False
    settings = {"projector.park_per_second": "2"}
    topic = view = "delivery"

    def make_events(self, folder, events, seed):
        archive = ArchiveWriter(str(folder), self.partitions)
        for topic in TOPICS:
            archive.open_topic(topic, self.partitions)
        source = Generator(seed, events)
        for _ in range(events):
            topic, key, value, ms, _ = source.record()
            if topic == self.topic and value is not None:
                value = {**value, "data": {"deliveryId": key}}
            archive.append(topic, key, value, ms)
        archive.close()

    def inject(self):
        while self.publishing():
            self.pause(0.2)
        self.tried += 1

    def behind(self, db):
        return [row for row in super().behind(db) if row[0] != self.view]

    def verify(self):
        wait_until("the projection stops by name", lambda: all(
            f"event=projection.stopped projection={self.view} " in p.text()
            for p in self.pair), 30)
        # Ten seconds' worth at once and two a second after, in each process.
        kept = len(self.db().parked.distinct(
            "unit", {"generation": f"{self.view}.1"}))
        if not 20 <= kept <= 2 * (20 + 2 * 2 * self.seconds):
            raise AssertionError(f"{kept} keys of {self.view} were parked")
        wrong = self.stop_observing()
        for view in VIEWS:
            if view != self.view:
                wrong += self.compare_dumped(view, Folded(view, self.log))
        if wrong:
            raise AssertionError("\n".join(wrong[:6]))
        self.note(f"{kept} keys of {self.view} parked, then it stopped")


DRILLS = (Hostile, Poison, Sequences, Discards, MassPoison)
WORLD = {"more": f"message.max.bytes={40 * MIB}\n"
                 f"replica.fetch.max.bytes={40 * MIB}\n"
                 f"socket.request.max.bytes={100 * MIB}"}
