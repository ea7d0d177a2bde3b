# SPDX-License-Identifier: Apache-2.0
"""Producers that disagree where a key belongs (F24): librdkafka's default CRC32
beside Java's murmur2. Between partitions there is no order, so that a key's
documents are any that keep the order within each of its partitions. Numbered
events have the order that their numbers say.
"""
import collections
import json
import re
import zlib

from archive_writer import ArchiveWriter, partition_of
from drill import Drill
from frame import TOPICS
from generate_events import Generator
from input import Discards
from oracle import ONE_SOURCE, Folded, short
from reference_views import VIEWS as REFERENCE


class Ordered:
    """Records in an order that no partition has, as Folded wants them."""

    def __init__(self, records):
        self.records = records

    def of(self, topics):
        return [r for r in self.records if r.topic in topics]


class Strays(Drill):
    """What both drills share: who writes where, and that it is said."""
    faults = "F24"
    seconds = 10
    has_api = False
    settings = {"projector.admin_listen": "127.0.0.1:0"}
    at_least = 20
    permille = 100  # of the events are the other producer's
    numbered = False

    def make_events(self, folder, events, seed):
        archive = ArchiveWriter(str(folder), self.partitions)
        for topic in TOPICS:
            archive.open_topic(topic, self.partitions)
        self.strays = collections.Counter()  # (topic, key) → events astray
        # A text of each partition, for those that do not go by their key.
        places = {partition_of(str(n), self.partitions): str(n)
                  for n in range(100)}
        source = Generator(seed, events, gaps=0 if self.numbered else None)
        numbers = set()
        for _ in range(events):
            topic, key, value, ms, owner = source.record()
            if self.numbered and not self.is_next(topic, owner, value, numbers):
                continue
            if self.goes_astray(topic, owner):
                self.strays[topic, owner] += 1
                owner = places[zlib.crc32(owner.encode()) % self.partitions]
            archive.append(topic, key, value, ms, owner)
        archive.close()
        self.tried = sum(self.strays.values())

    @staticmethod
    def is_next(topic, owner, value, numbers):
        """Repeats and deletions have no place that their number tells."""
        at = (topic, owner, value and value["sequence"])
        new = value is not None and at not in numbers
        numbers.add(at)
        return new

    def goes_astray(self, topic, key):
        away = zlib.crc32(key.encode()) % self.partitions
        return away != partition_of(key, self.partitions) and \
            self.random.randrange(1000) < self.permille

    def inject(self):
        while self.publishing():
            self.pause(0.2)

    def check_said(self):
        said = "".join(p.text() for p in self.pair)
        counted = sum(int(n) for p in self.pair for n in re.findall(
            r"keys_strayed_total (\d+)", p.metrics()))
        if "event=key.strayed " not in said or counted == 0:
            raise AssertionError("nobody says that keys go astray")
        self.note(f"{len(self.strays)} keys went astray, {counted} said")


class Partitioners(Strays):
    says = "another partitioner for some events: their order is lost, nothing else"
    short = True
    permille = 300

    def goes_astray(self, topic, key):
        # One of a key: then all orders can be tried.
        return not self.strays[topic, key] and super().goes_astray(topic, key)

    def verify(self):
        self.check_said()
        wrong = self.stop_observing() + self.compare_parked(
            {v: Folded(v, Ordered([])) for v in REFERENCE})
        for view in ONE_SOURCE:
            wrong += self.compare_view(view, self.dumped(view))
        if wrong:
            raise AssertionError("\n".join(wrong[:6]))

    def compare_view(self, view, have):
        by_key = collections.defaultdict(list)
        for record in self.log.of(REFERENCE[view].topics):
            by_key[record.topic, record.key].append(record)
        allowed = {}
        for at, records in by_key.items():
            allowed.update(self.possible(view, at, records))
        wrong = [f"I1 {view} {key!r}: {short(have.get(key))} is none of "
                 f"{len(texts)} that could be"
                 for key, texts in allowed.items()
                 if have.get(key) not in texts]
        wrong += [f"I1 {view} {key!r} is of no event"
                  for key in have if key not in allowed]
        self.note(f"{view}: {len(have)} documents, "
                  f"{sum(len(t) > 1 for t in allowed.values())} of which may "
                  f"be one of several")
        return wrong

    def possible(self, view, at, records):
        """{document key: texts} over all orders of one record key."""
        home = partition_of(at[1], self.partitions)
        rest = [r for r in records if r.partition == home]
        away = [r for r in records if r.partition != home]
        if len(away) != self.strays[at]:
            raise AssertionError(f"{at}: {len(away)} are away")
        orders = [rest[:n] + away + rest[n:] for n in range(len(rest) + 1)] \
            if away else [rest]
        found = [Folded(view, Ordered(order)).documents() for order in orders]
        keys = set().union(*found)
        return {key: {docs.get(key) for docs in found} for key in keys}


class Numbered(Strays):
    says = "the same with numbered events: parked at the gap, applied by retries"
    events = 3000
    permille = 20
    numbered = True

    def settle(self):
        super().settle()
        rounds, waiting = 0, self.waiting()
        self.note(f"{waiting} records whose number came too early, or behind "
                  f"one of those")
        while waiting:
            for view in Discards.NUMBERED:
                Discards.verb(self, "retry", view)
            rounds += 1
            before, waiting = waiting, self.waiting()
            # The lowest number that is missing heads some queue.
            if waiting >= before:
                raise AssertionError(f"{waiting} stay, retry or not")
        self.note(f"none after {rounds} retries")

    def waiting(self):
        return sum(json.loads(line)["queued"] + 1
                   for view in Discards.NUMBERED
                   for line in Discards.verb(self, "list", view, "--json"))

    def verify(self):
        self.check_said()
        # No queue is left; rows of markers that lost a race are in none.
        wrong = self.stop_observing() + self.compare_parked(
            {v: Folded(v, Ordered([])) for v in REFERENCE})
        for view in Discards.NUMBERED:
            folded = Folded(view, Ordered(sorted(
                self.log.of(REFERENCE[view].topics),
                key=lambda r: (r.topic, r.key, r.value["sequence"]))))
            if folded.parked:
                raise AssertionError(f"{view}: the numbers have gaps")
            wrong += self.compare_dumped(view, folded)
        self.note(f"{self.db().parked.count_documents({})} rows in no queue")
        if wrong:
            raise AssertionError("\n".join(wrong[:6]))


DRILLS = (Partitioners, Numbered)
WORLD = {}
