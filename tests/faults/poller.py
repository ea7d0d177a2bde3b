#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at the store while a drill runs, and says what must never be seen.

    poller.py PYMONGO URI DATABASE FILE

Majority reads in one causally consistent session, so what is read later is
later. Each look reads the checkpoints first and the documents second. Breaches
are lines on standard output: a revision or an applied offset that goes back
(I2), a checkpoint or an epoch that goes back (I4). All looks go to FILE (JSON,
one per line) for oracle.py, which knows what the documents have to be (I3, I5).
Ends on SIGTERM. Outages are passed over.
"""
import base64
import datetime
import json
import signal
import sys

from until import Until

EVERY_S = 0.3


class Poller:
    def __init__(self, pymongo, uri, database, out):
        self.pymongo = pymongo
        self.client = pymongo.MongoClient(
            uri, readConcernLevel="majority", w="majority",
            serverSelectionTimeoutMS=2000, socketTimeoutMS=5000,
            appname="drill")
        self.db = self.client[database]
        self.session = None
        self.out = out
        self.documents = {}  # (collection, key) → _m
        self.checkpoints = {}  # id → row
        self.breaches = self.looks = 0

    def breach(self, text):
        self.breaches += 1
        print(text, flush=True)

    def look(self):
        if self.session is None:
            self.session = self.client.start_session(causal_consistency=True)
        before = dict(self.documents)
        try:
            self.look_whole()
        except self.pymongo.errors.PyMongoError:
            # A server is away. What was not written down is seen again.
            self.documents = before

    def look_whole(self):
        checkpoints = {}
        for row in self.checkpoint_rows():
            self.check_checkpoint(row)
            at = f"{row['generation']} {row['source']}"
            checkpoints[at] = row["next"]
        found = {}
        for gen in self.db.generations.find({}, session=self.session):
            name = gen["collection"]
            for doc in self.db[name].find({}, session=self.session):
                if self.check_document(name, doc):
                    found.setdefault(name, []).append(plain(doc))
        self.looks += 1
        self.out.write(json.dumps({"checkpoints": checkpoints,
                                   "documents": found}) + "\n")

    def checkpoint_rows(self):
        return list(self.db.checkpoints.find({}, session=self.session))

    def check_checkpoint(self, row):
        was = self.checkpoints.get(row["_id"], row)
        for field in ("next", "epoch"):
            if row.get(field, 0) < was.get(field, 0):
                self.breach(f"I4 {row['_id']}: {field} went from "
                            f"{was[field]} to {row[field]}")
        self.checkpoints[row["_id"]] = row

    def check_document(self, name, doc):
        """True when it was written since the last look."""
        meta, at = doc["_m"], (name, doc["_id"])
        was = self.documents.get(at)
        self.documents[at] = meta
        if was is None:
            return True
        if was["w"] == meta["w"]:
            return False
        if meta["r"] < was["r"]:
            self.breach(f"I2 {at}: revision went from {was['r']} to "
                        f"{meta['r']}")
        for source, offset in was["p"].items():
            if meta["p"].get(source, -1) < offset:
                self.breach(f"I2 {at}: source {source} went from {offset} to "
                            f"{meta['p'].get(source)}")
        return True

    def run(self, stop):
        # Once more after the stop: the end is looked at, too.
        last = False
        while not last:
            last = stop.wait(EVERY_S)
            self.look()
        print(f"looks {self.looks} breaches {self.breaches}", flush=True)


def plain(value):
    """BSON as JSON: dates and bytes as one-member objects."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$date": value.isoformat(timespec="milliseconds")}
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value


def main():
    folder, uri, database, path = sys.argv[1:]
    sys.path.insert(0, folder)
    import pymongo  # its place is an argument
    stop = Until(signal.SIGTERM)
    with open(path, "w", encoding="utf-8") as out:
        poller = Poller(pymongo, uri, database, out)
        poller.run(stop)
    sys.exit(1 if poller.breaches else 0)


if __name__ == "__main__":
    main()
