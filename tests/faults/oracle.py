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

from reference import to_json
from reference_input import raw_record
from reference_parking import Parking
from reference_views import VIEWS

# Views that one topic feeds by its own key: a document's state follows from how
# far that one partition was applied.
ONE_SOURCE = ("shop", "stock", "order", "review_summary", "delivery", "coupon")


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
        self.records[at].append(raw_record(*at, row["offset"],
                                           row["timestamp"], key, value))

    def count(self, topics):
        return sum(len(recs) for (topic, _), recs in self.records.items()
                   if topic in topics)

    def of(self, topics):
        """All records of these topics, each partition in its order."""
        for topic in topics:
            for at in sorted(self.records):
                if at[0] == topic:
                    yield from self.records[at]


class Folded:
    """One view, folded from the log, and how it came to be."""

    def __init__(self, name, log):
        self.name = name
        self.view = VIEWS[name]()
        self.changes = collections.defaultdict(list)  # (key, source) → offsets
        self.states = collections.defaultdict(list)  # same, what is served
        self.at = None
        self.plain_apply = self.view.apply_to
        self.view.apply_to = self.apply_to
        parking = Parking(self.view)
        for record in log.of(self.view.topics):
            self.at = (record.topic, record.partition, record.offset)
            parking.take(record)
        # (topic, partition, offset) → reference_parking.Row
        self.parked = {(r.topic, r.partition, r.offset): r for r in parking.rows}

    def apply_to(self, key, event, change):
        def told(doc, ev):
            changed = change(doc, ev)
            self.changed = changed
            return changed
        self.changed = False
        self.plain_apply(key, event, told)
        if self.changed:
            where = (key, self.at[:2])
            self.changes[where].append(self.at[2])
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
        self.metas[gen][doc["_id"]] = meta["p"]
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
            have = self.metas[gen].get(key, {}).get(source, -1)
            if have < offset:
                self.breaches.append(
                    f"I3 {gen}: checkpoint {self.sources[int(source)]} is at "
                    f"{upto}, {key} has {have} of {offset}")


def compare(want, have, what, limit=3):
    """Readable differences between {key: JSON} dictionaries."""
    out = []
    for key in sorted(set(want) | set(have)):
        a, b = want.get(key), have.get(key)
        if a != b:
            out.append(f"{what} {key!r}:\n  expected {str(a)[:700]}\n"
                       f"  got      {str(b)[:700]}")
    more = len(out) - limit
    return out[:limit] + ([f"{what}: {more} more"] if more > 0 else [])
