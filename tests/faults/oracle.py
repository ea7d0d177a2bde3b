# SPDX-License-Identifier: Apache-2.0
"""What the documents have to be, from the log alone.

Kafka's own client has written the log to a file (KafkaDump.java); the reference
projections fold it, and what was stored, served and seen meanwhile is compared
with that. Nothing here asks the projector anything.
"""
import base64
import bisect
import collections
import json
import re

from reference import to_json
from reference_base import SequenceGap
from reference_input import Parked, raw_record
from reference_parking import DOCUMENT, Parking
from reference_views import VIEWS

# No document may be larger; only large values count (drills keep off the edge).
CAP, LARGE = 15 * 1024 * 1024, 1024 * 1024
# As part and as served.
KEPT = {"shop_products": 2}
# Views that one topic feeds by its own key: a document's state follows from how
# far that one partition was applied.
ONE_SOURCE = ("shop", "stock", "order", "review_summary", "delivery", "coupon")
PLAIN_UNIT = 60  # bytes that a unit's id holds in full


class Log:
    """The records of the eight topics as another client read them."""

    def __init__(self, path):
        self.records = collections.defaultdict(list)  # (topic, n) → [Record]
        self.begin, self.end = {}, {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                self.add(json.loads(line))

    def add(self, row):
        at = (row["topic"], row["partition"])
        if "end" in row:
            self.begin[at], self.end[at] = row["begin"], row["end"]
            return
        key, value = (None if row[name] is None else
                      base64.b64decode(row[name]) for name in ("key", "value"))
        record = raw_record(*at, row["offset"], row["timestamp"], key, value)
        record.size = len(value or b"")
        self.records[at].append(record)

    def count(self, topics):
        return sum(len(recs) for (topic, _), recs in self.records.items()
                   if topic in topics)

    def of(self, topics):
        """All records of these topics, each partition in its order."""
        for topic in topics:
            for at in sorted(self.records):
                if at[0] == topic:
                    yield from self.records[at]


class TooLarge(Parked):
    cause = "document cannot be stored"


class Folded:
    """One view, folded from the log, and how it came to be."""

    def __init__(self, name, log, discarded=False):
        """discarded: records behind a gap of their sequence were given up."""
        self.name = name
        self.view = VIEWS[name]()
        if discarded:
            self.plain_whole, self.view.apply = self.view.apply, self.or_give_up
        self.changes = collections.defaultdict(list)  # (key, source) → offsets
        self.states = collections.defaultdict(list)  # same, what is served
        self.record, self.taken, self.skipped = None, 0, 0
        self.large = collections.Counter()  # key → bytes of its large values
        self.plain_apply, self.view.apply_to = self.view.apply_to, self.apply_to
        self.plain_concerns = self.view.concerns
        self.view.concerns = self.concerns
        parking = Parking(self.view)
        for self.record in log.of(self.view.topics):
            parking.take(self.record)
            self.taken += 1
        self.parked = {row.compared() for row in parking.rows}

    def or_give_up(self, key, event):
        try:
            self.plain_whole(key, event)
        except SequenceGap:
            self.view.sequences[event.topic, key] = event.sequence

    def concerns(self, event):
        its = self.plain_concerns(event)
        self.skipped += not its
        return its

    def apply_to(self, key, event, how):
        if self.record.size > LARGE:
            size = self.record.size * KEPT.get(self.name, 1)
            if self.large[key] + size > CAP:
                raise TooLarge("over 15 MiB")
            self.large[key] += size

        def told(doc, ev):
            self.changed = how(doc, ev)
            return self.changed
        self.changed = False
        self.plain_apply(key, event, told)
        if self.changed:
            where = (key, (self.record.topic, self.record.partition))
            self.changes[where].append(self.record.offset)
            if self.name in ONE_SOURCE:
                self.states[where].append(self.now(key))

    def now(self, key):
        doc = self.view.documents[key]
        return to_json(self.view.served(doc)) if doc.live else None

    def documents(self):
        """{key: served JSON}; None = deleted."""
        return {d["id"]: None if d.get("deleted") else to_json(d)
                for d in self.view.output(deleted=True)}

    def must_have(self, source, below):
        """{key: the last offset below `below` that changed it}."""
        found = {}
        for (key, at), offsets in self.changes.items():
            if at == source:
                n = bisect.bisect_left(offsets, below)
                if n:
                    found[key] = offsets[n - 1]
        return found

    def state_at(self, key, source, offset):
        """Served JSON when the partition was applied up to `offset`."""
        n = bisect.bisect_right(self.changes.get((key, source), []), offset)
        return self.states[(key, source)][n - 1] if n else None


def served(doc):
    """A stored document, as the poller wrote it, as it is served."""
    body = {"id": doc["_id"]}
    body.update({k: shown(v) for k, v in doc.items() if not k.startswith("_")})
    return to_json(body)


def shown(value):
    if isinstance(value, dict):
        if list(value) == ["$date"]:
            return value["$date"] + "Z"
        return {k: shown(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shown(v) for v in value]
    return value


def in_a_queue(db, row, sources):
    """Whether a parked row exists for the protocol: its marker says so. sources:
    (topic, partition) → index."""
    source = sources[row["topic"], row["partition"]]
    if row["unitType"] == DOCUMENT:
        unit = db[row["generation"]].find_one(
            {"_id": bytes(row["unit"]).decode("utf-8")})
    else:
        unit = db.parked_units.find_one({"_id": unit_id(row, source)})
    queue = (unit or {}).get("_m", {}).get("k", {}).get(str(source))
    return bool(queue) and queue["first"] <= row["offset"] <= queue["tail"]


def unit_id(row, source):
    """As lib/readmodel.h makes it; long keys have a hash there."""
    unit = bytes(row["unit"])
    if row["unitType"] == "record":
        unit = b"%020d" % row["offset"]
    head = f"{row['generation']}!{source}!{row['unitType']}!"
    if len(unit) > PLAIN_UNIT:
        return {"$regex": "^" + re.escape(head + unit[:PLAIN_UNIT - 17].hex()
                                          + "~")}
    return head + unit.hex()


class Looks:
    """The poller's file against the reference: I3 and I5."""

    def __init__(self, path, folded, sources, generations):
        """sources: index → (topic, partition); generations: id → view."""
        self.folded, self.sources = folded, sources
        self.generations = generations
        self.metas = collections.defaultdict(dict)  # generation → key → p
        self.breaches, self.checked = [], 0
        self.covered = {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                self.look(json.loads(line))

    def look(self, row):
        for gen, docs in row["documents"].items():
            for doc in docs:
                self.document(gen, doc)
        for at, upto in row["checkpoints"].items():
            gen, source = at.split()
            # Only what moved can be wrong for the first time.
            if gen in self.generations and self.covered.get(at) != upto:
                self.covered[at] = upto
                self.covers(gen, source, upto)

    def document(self, gen, doc):
        meta = doc["_m"]
        self.metas[gen][doc["_id"]] = meta
        view = self.generations.get(gen)
        if view not in ONE_SOURCE or meta.get("k") or meta.get("o"):
            return
        for source, offset in meta["p"].items():
            want = self.folded[view].state_at(
                doc["_id"], self.sources[int(source)], offset)
            have = served(doc) if meta["d"] == 0 else None
            self.checked += 1
            if want != have:
                self.breaches.append(
                    f"I5 {gen} {doc['_id']} at {self.sources[int(source)]}"
                    f"@{offset}: expected {want}, seen {have}")

    def covers(self, gen, source, upto):
        folded = self.folded[self.generations[gen]]
        must = folded.must_have(self.sources[int(source)], upto)
        for key, offset in must.items():
            self.checked += 1
            meta = self.metas[gen].get(key, {})
            queue = meta.get("k", {}).get(source, {})
            have = max(meta.get("p", {}).get(source, -1),
                       queue.get("tail", -1))
            if have < offset:
                self.breaches.append(
                    f"I3 {gen}: checkpoint {self.sources[int(source)]} is at "
                    f"{upto}, {key} has {have} of {offset}")


def short(text):
    return re.sub(r"(.)\1{99,}", r"\1…", str(text))[:700]


def compare(want, have, what, limit=3):
    """Readable differences between {key: JSON} dictionaries."""
    out = []
    for key in sorted(set(want) | set(have)):
        a, b = want.get(key), have.get(key)
        if a != b:
            out.append(f"{what} {key!r}:\n  expected {short(a)}\n"
                       f"  got      {short(b)}")
    more = len(out) - limit
    return out[:limit] + ([f"{what}: {more} more"] if more > 0 else [])
