# SPDX-License-Identifier: Apache-2.0
"""Faults of the log's identity (F21 to F24): each ends in a named stop of what
reads that topic, with nothing changed afterwards, while everything else goes on
(I8).
"""
import re

from drill import Drill
from frame import TOPICS, VIEWS, wait_until
from oracle import Folded, Log
from reference_views import VIEWS as REFERENCE

STOP = 65


class LogDrill(Drill):
    """One topic is damaged when all of it is applied, then more events come."""
    events = 3000
    seconds = 4
    topic = "stock"
    words = ()  # one of these has to be in the stop's line
    while_running = False
    has_api = False

    @property
    def affected(self):
        return [v for v in VIEWS if self.topic in REFERENCE[v].topics]

    def inject(self):
        super().settle()
        if not self.while_running:
            for p in self.pair:
                self.stop(p)
        self.seen_wrong += self.stop_observing()
        self.before = self.frozen()
        self.damage()
        self.tried += 1
        if not self.while_running:
            for p in self.pair:
                p.start()
        self.observe()
        self.publish_again(self.seed + 1)

    def damage(self):
        raise NotImplementedError

    def publish_again(self, seed, events=1000):
        folder = self.dir / f"more{seed}"
        self.make_events(folder, events, seed)
        self.publish(folder, 3)

    def recreate(self, records):
        """The topic anew, with that many other records in it."""
        admin = self.world.kafka.admin
        admin("delete-topic", self.prefix + self.topic)
        admin("create-topic", self.prefix + self.topic, self.partitions)
        if records:
            self.generate = ("--topics", self.topic)
            self.make_events(self.dir / "other", records, self.seed + 2)
            self.generate = ()
            self.publish(self.dir / "other", 0.5)
            if self.publisher.wait(60) != 0:
                raise AssertionError("publish failed")

    def damaged(self, source):
        return source[0] == self.topic

    def frozen(self):
        """What may not move any more: positions of damaged partitions, in
        checkpoints and in documents."""
        db = self.db()
        sources = {r["index"]: (r["topic"], r["partition"])
                   for r in db.sources.find()}
        hurt = {str(n) for n, source in sources.items()
                if self.damaged(source)}
        found = {r["_id"]: r["next"] for r in db.checkpoints.find()
                 if str(r["source"]) in hurt}
        for view in self.affected:
            for doc in db[f"{view}.1"].find({}, {"_m": 1}):
                found[view, doc["_id"]] = {
                    n: at for n, at in doc["_m"]["p"].items() if n in hurt}
        return found

    def settle(self):
        if self.publisher.wait(60) != 0:
            raise AssertionError("publish failed:\n" + (
                self.dir / "publish.log").read_text()[-1000:])
        wait_until("what reads the topic is stopped by name",
                   self.named_stops, 90, 0.5)
        self.world.dump(self.prefix, self.dir / "log.ndjson")
        self.log = Log(self.dir / "log.ndjson")
        db = self.db()
        wait_until("everything else is at the log's end",
                   lambda: not self.behind(db), self.settle_s, 0.2)

    def behind(self, db):
        stopped = getattr(self, "before", None) is not None
        return [row for row in super().behind(db)
                if not stopped or row[0] not in self.affected]

    def named_stops(self):
        """Every view that reads it, by some process, naming the topic."""
        lines = [line for p in self.pair for line in p.text().splitlines()
                 if "event=projection.stopped" in line and
                 re.search(rf"\b{self.topic}\b", line.split("error=")[1])]
        return all(any(f"projection={v} " in line for line in lines)
                   for v in self.affected)

    def verify(self):
        wrong = []
        said = "\n".join(p.text() for p in self.pair)
        if self.words and not any(w in said for w in self.words):
            wrong.append(f"I8 none of {self.words} is said")
        after = self.frozen()
        for at, was in self.before.items():
            if after.get(at) != was:
                wrong.append(f"I8 {at} moved from {was} to {after.get(at)}")
        for view in VIEWS:
            if view not in self.affected:
                wrong += self.compare_dumped(view, Folded(view, self.log))
        wrong += self.stop_observing() + self.seen_wrong
        if wrong:
            raise AssertionError("\n".join(wrong[:6]))
        self.note(next(line for line in said.splitlines()
                       if "event=projection.stopped" in line)[25:330])

    def finish(self):
        super().finish()
        # To the end there is no way: 65, and nothing is done.
        last = self.projector("last", ["--until-end"]).start()
        status = last.wait(90)
        if status != STOP:
            raise AssertionError(f"--until-end ended with {status}, not "
                                 f"{STOP}:\n{last.text()[-1500:]}")
        after = self.frozen()
        if after != self.before and any(
                after.get(at) != was for at, was in self.before.items()):
            raise AssertionError("I8 --until-end moved something")


class Recreated(LogDrill):
    faults = "F21"
    says = "a topic is deleted and made anew, shorter, while nobody reads"
    words = ("made anew",)
    short = True

    def damage(self):
        self.recreate(self.random.choice((0, 50)))


class RecreatedLonger(LogDrill):
    faults = "F21"
    says = "a topic is deleted and made anew, longer than it was"
    words = ("another one now", "made anew")

    def damage(self):
        self.recreate(4 * self.events)


class RecreatedLive(LogDrill):
    faults = "F21"
    says = "a topic is deleted and made anew under its readers"
    words = ("made anew", "another one now")
    while_running = True

    def damage(self):
        self.recreate(30)


class Retention(LogDrill):
    faults = "F22"
    says = "records that nobody has applied yet are removed by retention"
    words = ("removed", "retention", "gone")

    def damage(self):
        self.publish_again(self.seed + 5, 2000)
        if self.publisher.wait(60) != 0:
            raise AssertionError("publish failed")
        for n, (_, high) in enumerate(self.watermarks()):
            self.world.kafka.admin("delete-records", self.prefix + self.topic,
                                   n, high - 1)

    def watermarks(self):
        lines = self.world.kafka.admin(
            "watermarks", self.prefix + self.topic).splitlines()
        return [(int(line.split()[2]), int(line.split()[3]))
                for line in lines]


class Truncated(LogDrill):
    faults = "F23"
    says = "the broker loses the end of a partition and takes other records"
    words = ("another one now", "truncated", "gone")
    has_api = False

    def damage(self):
        node = self.world.kafka.nodes[0]
        # The longest has an end to lose.
        folders = node.dir.glob(f"data/{self.prefix}{self.topic}-*")
        segment = max((f / f"{0:020d}.log" for f in folders),
                      key=lambda s: s.stat().st_size)
        self.part = int(segment.parent.name.rsplit("-", 1)[1])
        node.kill()
        with open(segment, "r+b") as file:
            file.truncate(segment.stat().st_size * 2 // 3)
        for index in segment.parent.glob("*.index"):
            index.unlink()
        for snapshot in segment.parent.glob("*.snapshot"):
            snapshot.unlink()
        node.start()
        self.recreated_end = None

    def damaged(self, source):
        return source == (self.topic, self.part) if hasattr(self, "part") \
            else source[0] == self.topic

    def frozen(self):
        found = super().frozen()
        if getattr(self, "before", None):
            return {at: found.get(at) for at in self.before}
        return found

    def inject(self):
        super().inject()
        # Positions of the other partitions are free to move.
        self.before = self.only_part(self.before)

    def only_part(self, before):
        sources = {(r["topic"], r["partition"]): str(r["index"])
                   for r in self.db().sources.find()}
        mine = sources[self.topic, self.part]
        found = {}
        for at, was in before.items():
            if isinstance(was, dict):
                if mine in was:
                    found[at] = {mine: was[mine]}
            elif at.endswith(mine) and int(at.replace(
                    "/", ".").rsplit(".", 1)[1]) == int(mine):
                found[at] = was
        return found


class TruncatedLive(Truncated):
    says = "the same under its readers"
    while_running = True


class PartitionsAdded(LogDrill):
    faults = "F24"
    says = "partitions are added to a keyed topic"
    words = ("partition",)
    settings = {"source.rdkafka": [
        "session.timeout.ms=3000", "heartbeat.interval.ms=500",
        "topic.metadata.refresh.interval.ms=2000"]}

    def damage(self):
        self.world.kafka.admin("add-partitions", self.prefix + self.topic,
                               self.partitions + 2)


class PartitionsAddedLive(PartitionsAdded):
    says = "the same under its readers"
    while_running = True

    def damage(self):
        super().damage()
        # Nothing moved yet; what comes from now on must not be applied.
        wait_until("the new partitions are noticed", self.named_stops, 90, 0.5)


DRILLS = (Recreated, RecreatedLonger, RecreatedLive, Retention, Truncated,
          TruncatedLive, PartitionsAdded, PartitionsAddedLive)
WORLD = {}
