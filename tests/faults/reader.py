#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the read API that never forgets what it was told.

    reader.py ADDRESS FILE SEED

FILE has one path per line (/v1/VIEW/KEY). Until SIGTERM it asks for random ones
over one connection and says, one line each, what one client must never see (I11):
a revision that goes back within its generation, an entity tag that means two
bodies, a position that goes back (over generations, too), a batch whose items are
older than the same client's single reads.
"""
import http.client
import json
import random
import re
import signal
import sys

from until import Until

ETAG = re.compile(r'"(\d+)\.(\d+)(?:-gzip)?"')
POSITION = re.compile(r'"([^"/]+/\d+)@(\d+)"')


class Reader:
    def __init__(self, address, paths, seed):
        self.client = http.client.HTTPConnection(address, timeout=10)
        self.paths = paths
        self.random = random.Random(seed)
        self.tags, self.positions, self.bodies = {}, {}, {}
        self.moves = 0  # from one generation to another
        self.breaches = self.answers = self.refused = 0

    def breach(self, text):
        self.breaches += 1
        print(text, flush=True)

    def get(self, path):
        self.client.request("GET", path)
        got = self.client.getresponse()
        return got.status, got.headers, got.read()

    def one(self):
        path = self.random.choice(self.paths)
        if self.random.randrange(8) == 0:
            return self.batch(path)
        status, headers, body = self.get(path)
        if status >= 500:
            self.refused += 1
            return None
        self.answers += 1
        if found := ETAG.search(headers.get("ETag", "")):
            self.check_tag(path, (int(found[1]), int(found[2])), body)
        self.check_positions(path, headers)
        return None

    def check_tag(self, path, tag, body):
        was = self.tags.get(path, (0, 0))
        if tag[0] == was[0] and tag[1] < was[1]:
            self.breach(f"I11 {path}: from {was} to {tag}")
        self.moves += tag[0] != was[0] != 0
        self.tags[path] = tag
        if self.bodies.setdefault((path, tag), body) != body:
            self.breach(f"I11 {path}: {tag} means two bodies")

    def check_positions(self, path, headers):
        known = self.positions.setdefault(path, {})
        for source, offset in POSITION.findall(
                headers.get("Projection-Position", "")):
            if int(offset) < known.get(source, -1):
                self.breach(f"I11 {path}: {source} from {known[source]} to "
                            f"{offset}")
            known[source] = max(int(offset), known.get(source, -1))

    def batch(self, path):
        view = path.split("/")[2]
        same = [p for p in self.paths if p.split("/")[2] == view]
        some = self.random.sample(same, min(len(same), 20))
        ids = ",".join(p.split("/")[3] for p in some)
        status, _, body = self.get(f"/v1/{view}?ids={ids}")
        if status != 200:
            self.refused += 1
            return
        self.answers += 1
        for one, item in zip(some, json.loads(body)["items"]):
            was = self.tags.get(one)
            revision = item.get("revision")
            if was is None or revision is None:
                continue
            # Another generation counts anew; a tag tells that.
            if revision < was[1] and not self.newer([one, *same], was):
                self.breach(f"I11 {one}: revision {revision} in a batch "
                            f"after {was}")

    def newer(self, paths, was):
        """Whether the view has moved to another generation. What is deleted
        has no tag; then any other document of the view tells."""
        for path in paths:
            if found := ETAG.search(self.get(path)[1].get("ETag", "")):
                return int(found[1]) != was[0]
        return True  # nothing is left that could tell

    def run(self, stop):
        while not stop.wait(0.005):
            try:
                self.one()
            except (OSError, http.client.HTTPException):
                self.client.close()
                stop.wait(0.2)
        print(f"answers {self.answers} refused {self.refused} moves {self.moves} "
              f"breaches {self.breaches}", flush=True)


def main():
    address, path, seed = sys.argv[1:]
    stop = Until(signal.SIGTERM)
    with open(path, encoding="utf-8") as lines:
        reader = Reader(address, lines.read().splitlines(), int(seed))
    reader.run(stop)
    sys.exit(1 if reader.breaches else 0)


if __name__ == "__main__":
    main()
