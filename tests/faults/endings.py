# SPDX-License-Identifier: Apache-2.0
"""SIGTERM while servers are away, frozen or half-open (F31), and a record that
nothing can hold (F15)."""
from archive_writer import ArchiveWriter
from drill import Drill
from frame import TOPICS, VIEWS, wait_until
from links import Rules
from oracle import Folded

MIB = 1024 * 1024
STOP = 65


class Endings(Drill):
    faults = "F31"
    says = "SIGTERM while a server is dead, frozen or half-open: out in ten seconds, 0"
    seconds = 30
    settle_s = 120
    at_least = 8

    def inject(self):
        kafka, mongo = self.world.kafka.nodes[0], self.world.mongo.nodes[0]
        faults = [self.dead(mongo), self.frozen(mongo), self.half_open(mongo),
                  self.dead(kafka), self.frozen(kafka), self.half_open(kafka)]
        self.random.shuffle(faults)
        while self.flowing():
            self.pause(0.2, 1.0)
            with faults[self.tried % len(faults)]:
                # With work in hand, and when it has noticed.
                self.pause(*self.random.choice(((0.0, 0.3), (2.0, 4.0))))
                self.end_some()
            self.revive()

    def end_some(self):
        for p in self.random.sample(self.pair, self.random.choice((1, 1, 2))):
            self.stop(p)
            self.tried += 1

    class Fault:
        """Entered as often as one likes."""

        def __init__(self, begin, end):
            self.begin, self.end = begin, end

        def __enter__(self):
            self.begin()

        def __exit__(self, *_):
            self.end()

    def dead(self, node):
        return self.Fault(node.kill, node.start)

    def frozen(self, node):
        return self.Fault(node.pause, node.resume)

    def half_open(self, node):
        return self.Fault(lambda: node.link.set(Rules(down=False)),
                          node.link.heal_by_cut)


class TooLarge(Drill):
    faults = "F15"
    says = "a record that neither a document nor a row can hold: its view stops alone"
    short = True
    events = 2000
    seconds = 6
    has_api = False
    allowance_mib = 400  # a record of 20 MiB, twice and on its way
    topic = view = "shop"

    def make_topics(self):
        for topic in TOPICS:
            self.world.kafka.admin(
                "create-topic", self.prefix + topic, self.partitions,
                f"max.message.bytes={40 * MIB}")

    def make_events(self, folder, events, seed):
        super().make_events(folder, events, seed)
        archive = ArchiveWriter(str(folder), self.partitions)
        self.part, self.offset = archive.append(
            "shop", "shop-large", {
                "eventId": "shop-large", "eventType": "ShopRegistered",
                "data": {"shopId": "shop-large", "name": "n",
                         "address": "x" * 20 * MIB}}, 1793577600000)
        # More comes behind it: not to be passed.
        for n in range(20):
            archive.append("shop", "shop-large", {
                "eventId": f"more{n}", "eventType": "ShopOpened",
                "data": {"shopId": "shop-large"}}, 1793577600000)
        archive.close()

    def inject(self):
        while self.publishing():
            self.pause(0.2)
        self.tried += 1

    def behind(self, db):
        return [row for row in super().behind(db) if row[0] != self.view]

    def verify(self):
        where = f"{self.topic}/{self.part}@{self.offset}"
        wait_until("the view stops by name", lambda: any(
            f"event=projection.stopped projection={self.view} " in line and
            where in line and "16 MiB" in line
            for p in self.pair for line in p.text().splitlines()), 60)
        wrong = [f"{p.title} has ended" for p in self.pair if not p.alive()]
        wrong += [f"{line[:300]}" for p in self.pair
                  for line in p.text().splitlines()
                  if "event=projection.stopped" in line and
                  f"projection={self.view} " not in line]
        at = self.positions(self.db())
        if at.get((self.view, self.topic, self.part), 0) > self.offset:
            wrong.append(f"I8 {self.view} has gone past {where}")
        wrong += self.stop_observing()
        for view in VIEWS:
            if view != self.view:
                wrong += self.compare_dumped(view, Folded(view, self.log))
        if wrong:
            raise AssertionError("\n".join(wrong[:6]))
        self.note(f"{self.view} stands at {where}, the others have caught up")

    def finish(self):
        super().finish()
        # All partitions: the group's others are members for a while yet.
        last = self.projector("last", ["--until-end"], **{
            "source.group": f"{self.id}-last"}).start()
        status = last.wait(90)
        if status != STOP:
            raise AssertionError(f"--until-end ended with {status}, not "
                                 f"{STOP}:\n{last.text()[-1500:]}")


DRILLS = (Endings, TooLarge)
WORLD = {"more": f"message.max.bytes={40 * MIB}\n"
                 f"replica.fetch.max.bytes={40 * MIB}\n"
                 f"socket.request.max.bytes={100 * MIB}"}
