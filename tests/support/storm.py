# SPDX-License-Identifier: Apache-2.0
"""Many clients at once that do whatever clients do, while documents change and
generations are switched under them. What holds for each answer:

* it is whole and well-formed, and answers come in the order of their requests;
* a document is exactly the version that its tag names;
* it is not older than what anybody had been told before it was asked for (in
  the embedded store: than what had been written);
* a position that was asked for is in it;
* no answer has documents of two generations;
* 503 is answered only when the store was away.

And when all have gone, nothing of them is left.

STORM_SEED and STORM_ROUNDS (of each client) repeat or lengthen it.
"""
import json
import os
import random
import re
import socket
import subprocess
import tempfile
import threading
import time

from queryapi import (FILL, Client, Server, checkpoint, document, generation,
                      live, request, wait_for)

SEED = int(os.environ.get("STORM_SEED", "7"))
ROUNDS = int(os.environ.get("STORM_ROUNDS", "60"))
CLIENTS = 8
KEYS = ["k%d" % n for n in range(12)]
PAUSE_S = 0.002  # between two writes
# Now and then: what is kept is not current while somebody writes all the time.
LULL_S, LULLS = 0.3, 0.02
SWITCH_EVERY = 150  # writes
BAD = (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\x00\r\n\r\n",
       b"GET /v1/shop/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
       b"POST /v1/shop/batch HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
       b"Content-Type: application/json\r\n\r\n[1,2",
       b"GET /v1/shop/k1 HTTP/1.1\nHost: a\n\n", b"PRI * HTTP/2.0\r\n\r\n")


def content(key, gen, revision):
    """Some are small, some beyond what a stream of changes brings along."""
    size = (10, 3000, 20000)[KEYS.index(key) % 3]
    return ("%s of %d.%d " % (key, gen, revision) * size)[:size]


class World:
    """What has been written, by one writer, and what anybody was told."""

    def __init__(self, kind, where):
        self.kind, self.where = kind, where
        self.lock = threading.Lock()
        self.gen, self.revisions = 1, dict.fromkeys(KEYS, 1)
        self.told = {key: (1, 1) for key in KEYS}
        self.offset = 0
        self.written = []  # by offset - 1: the key and its version
        self.fill = subprocess.Popen([FILL, kind, where], text=True,
                                     stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        self.over, self.error = threading.Event(), None
        self.away = 0  # how often the store has been, or is

    def does(self, *ops):
        for op in ops:
            self.fill.stdin.write(json.dumps(op) + "\n")
            self.fill.stdin.flush()
            assert self.fill.stdout.readline() == "ok\n", op

    def document(self, key):
        rev = self.revisions[key]
        return document(key, rev, gen="shop.%d" % self.gen,
                        positions={"shop/0": self.offset},
                        text=content(key, self.gen, rev), gen_=self.gen)

    def begins(self):
        self.does(generation(1), *map(self.document, KEYS),
                  checkpoint(0, 1), live(0, 1),
                  generation(1, "stock"), live(0, 1, "stock"),
                  document("k1", 1, gen="stock.1"))

    def is_told(self, key, version):
        with self.lock:
            self.told[key] = max(self.told[key], version)

    def floor(self, keys=KEYS):
        with self.lock:
            return {key: self.told[key] for key in keys}

    def version_at(self, key, offset):
        return max((version for name, version in self.written[:offset]
                    if name == key), default=(1, 1))

    def changes(self, key):
        self.revisions[key] += 1
        self.offset += 1
        self.written.append((key, (self.gen, self.revisions[key])))
        self.does(self.document(key),
                  checkpoint(0, self.offset + 1, gen="shop.%d" % self.gen))
        if self.kind == "lmdb":
            self.is_told(key, (self.gen, self.revisions[key]))

    def switches(self):
        self.gen += 1
        self.does(generation(self.gen), *map(self.document, KEYS),
                  checkpoint(0, self.offset + 1, gen="shop.%d" % self.gen),
                  live(self.gen - 1, self.gen))

    def lives(self):
        try:
            self.runs()
        except Exception as e:
            self.error = "the writer: %r" % e
            raise

    def runs(self):
        dice = random.Random(SEED)
        for n in range(1, 1 << 30):
            if self.over.is_set():
                break
            self.changes(dice.choice(KEYS))
            if n % SWITCH_EVERY == 0:
                self.switches()
            time.sleep(LULL_S if dice.random() < LULLS else PAUSE_S)
        self.fill.stdin.close()
        assert self.fill.wait(20) == 0


# ---- What holds of an answer -------------------------------------------------

def version_of(tag):
    gen, revision = re.match(r'"(\d+)\.(\d+)(?:-gzip)?"$', tag).groups()
    return int(gen), int(revision)


def checked(world, floor, doc, version, tells=True):
    key = doc["id"]
    assert doc["gen_"] == version[0], (doc["gen_"], version)
    assert doc["text"] == content(key, *version), (key, version, doc["text"])
    assert version >= floor[key], (key, version, floor[key])
    if tells:
        world.is_told(key, version)


def checked_items(world, floor, items, tells=True):
    gens = {item["document"]["gen_"] for item in items}
    assert len(gens) == 1, gens
    for item in items:
        checked(world, floor, item["document"],
                (*gens, item["revision"]), tells)


# ---- What clients do ---------------------------------------------------------

class Visitor:
    def __init__(self, world, srv, number):
        self.world, self.srv = world, srv
        self.dice = random.Random(SEED * 1000 + number)
        self.error, self.refused = None, 0
        self.done = dict.fromkeys(self.ways(), 0)

    @classmethod
    def ways(cls):
        return [name for name in dir(cls) if name.startswith("may_")]

    def lives(self):
        try:
            for _ in range(ROUNDS):
                way = self.dice.choice(self.ways())
                getattr(self, way)()
                self.done[way] += 1
        except Exception as e:
            self.error = "%s: %s: %s" % (way, type(e).__name__, e)
            raise

    def gzip(self):
        return ["Accept-Encoding: gzip"] if self.dice.random() < .5 else []

    def was_away(self, before):
        return before % 2 or self.world.away != before

    def is_refused(self, answer, away):
        if answer.status != 503:
            return False
        assert self.was_away(away), answer.body
        self.refused += 1
        return True

    def answers(self, client, data, n=1):
        """What was told before; and the answers, but those of an outage."""
        floor, away = self.world.floor(), self.world.away
        client.send(data)
        got = [client.answer() for _ in range(n)]
        return floor, [None if self.is_refused(answer, away) else answer
                       for answer in got]

    def reads(self, client, targets, *headers):
        """All at once; the answers in that order."""
        return self.answers(client, b"".join(
            request(t, *headers) for t in targets), len(targets))

    def may_read_documents(self):
        keys = self.dice.choices(KEYS, k=self.dice.randint(1, 8))
        with self.srv.connect() as client:
            for _ in range(self.dice.randint(1, 5)):
                floor, got = self.reads(
                    client, ["/v1/shop/" + key for key in keys], *self.gzip())
                for key, answer in zip(keys, got):
                    if not answer:
                        continue
                    assert answer.status == 200, answer.body
                    doc = answer.json()
                    assert doc["id"] == key
                    checked(self.world, floor, doc,
                            version_of(answer["ETag"]))

    def may_read_several(self):
        keys = self.dice.sample(KEYS, 5)
        body = json.dumps({"ids": keys}).encode()
        asked = request("/v1/shop", "Content-Type: application/json",
                        "Content-Length: %d" % len(body), *self.gzip(),
                        method="QUERY") + body
        with self.srv.connect() as client:
            floor, (answer,) = self.answers(client, asked)
            if not answer:
                return
            items = answer.json()["items"]
            assert [item["id"] for item in items] == keys, items
            checked_items(self.world, floor, items)

    def may_list(self):
        with self.srv.connect() as client:
            floor, (answer,) = self.reads(client, ["/v1/shop?limit=100"],
                                          *self.gzip())
            if not answer:
                return
            items = answer.json()["items"]
            assert [item["id"] for item in items] == sorted(KEYS), items
            # Read from the store, it may be ahead of what a stream of changes
            # has told of single documents.
            checked_items(self.world, floor, items,
                          tells=self.world.kind == "lmdb")

    def may_read_a_page(self):
        away = self.world.away
        with self.srv.connect() as client:
            floor, (answer,) = self.reads(client, ["/v1/pages/both/k1"],
                                          *self.gzip())
            if not answer:
                return
            part = answer.json()["parts"].get("shop")
            if not part:  # late
                assert self.was_away(away), answer.body
                return
            checked(self.world, floor, part["document"],
                    (part["document"]["gen_"], part["revision"]))

    def may_wait_for_a_newer_one(self):
        key = self.dice.choice(KEYS)
        target = "/v1/shop/%s" % key
        with self.srv.connect() as client:
            _, (answer,) = self.reads(client, [target])
            if not answer:
                return
            had = version_of(answer["ETag"])
            floor, (answer,) = self.reads(client, [target + "?wait=1"],
                                          "If-None-Match: " + answer["ETag"])
            assert not answer or answer.status in (200, 304), answer.status
            if answer and answer.status == 200:
                assert version_of(answer["ETag"]) > had
                checked(self.world, floor, answer.json(),
                        version_of(answer["ETag"]))

    def may_wait_for_a_position(self):
        key = self.dice.choice(KEYS)
        with self.srv.connect() as client:
            ahead = self.world.offset + self.dice.randint(0, 5)
            floor, (answer,) = self.reads(
                client, ["/v1/shop/" + key], "Prefer: wait=5",
                'Projection-Min-Position: "shop/0@%d"' % ahead)
            if not answer:
                return
            assert answer.status == 200, answer.body
            position = re.fullmatch(r'"shop/0@(\d+)"',
                                    answer["Projection-Position"])
            assert int(position.group(1)) >= ahead, (position, ahead)
            version = version_of(answer["ETag"])
            assert version >= self.world.version_at(key, ahead), (key, ahead)
            checked(self.world, floor, answer.json(), version)

    def may_listen(self):
        key, last = self.dice.choice(KEYS), (0, 0)
        with self.srv.connect() as client:
            client.send(request("/v1/shop/%s/events" % key))
            assert client.answer().status == 200
            events = 0
            while events < 3 and not self.world.error:
                while b"\n\n" not in client.rest:
                    assert client.more(), client.rest
                event, client.rest = client.rest.split(b"\n\n", 1)
                found = re.search(rb'^id: (.*)$', event, re.M)
                if not found:
                    continue
                version = version_of(found.group(1).decode())
                assert version > last, (version, last)
                doc = re.search(rb"^data: (.*)$", event, re.M).group(1)
                checked(self.world, {key: last}, json.loads(doc), version)
                last, events = version, events + 1

    def may_close_its_side_early(self):
        keys = self.dice.choices(KEYS, k=self.dice.randint(1, 12))
        away = self.world.away
        with self.srv.connect() as client:
            client.send(b"".join(request("/v1/shop/" + k) for k in keys))
            if self.dice.random() < .3:
                client.send(request("/v1/shop/k3?wait=30",
                                    'If-None-Match: "9.9"'))
            client.sock.shutdown(socket.SHUT_WR)
            while client.more():
                pass
            whole = Client.__new__(Client)
            whole.rest, whole.more = client.rest, lambda: False
            while whole.rest:
                answer = whole.answer()
                assert answer.status == 200 or self.is_refused(answer, away)

    def may_vanish(self):
        client = self.srv.connect()
        ask = request(self.dice.choice((
            "/v1/shop/k2", "/v1/shop?limit=100", "/v1/shop/k4/events",
            "/v1/shop/k5?wait=20", "/v1/pages/both/k1/events")),
            'If-None-Match: "9.9"')
        client.send(ask[:self.dice.randint(1, len(ask))] if
                    self.dice.random() < .5 else ask * self.dice.randint(1, 9))
        if self.dice.random() < .5:
            time.sleep(self.dice.random() * .02)
        if self.dice.random() < .5:
            client.reset()
        else:
            client.sock.close()

    def may_be_wrong(self):
        away = self.world.away
        with self.srv.connect() as client:
            client.send(request("/v1/shop/k1") + self.dice.choice(BAD))
            answer = client.answer()
            assert answer.status == 200 or self.is_refused(answer, away)
            assert 400 <= client.answer().status < 600


def no_one_is_left(srv):
    return srv.metric("shopview_http_connections") == 0 and \
        srv.metric("shopview_http_in_flight") == 0


# A slow machine is no reason to refuse anybody.
PATIENT = ("queryapi.queue_wait_ms=0", "queryapi.part_timeout_ms=4s")


def storm(world, *settings, beside=None):
    """Until every client has done its rounds; beside(server) runs meanwhile."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write('page "both" { parts = {"shop", "stock"} }\n')
        conf.flush()
        world.begins()
        with Server(world.where, *PATIENT, *settings,
                    config=conf.name) as srv:
            srv.ready()
            visitors = [Visitor(world, srv, n) for n in range(CLIENTS)]
            threads = [threading.Thread(target=v.lives) for v in visitors]
            writer = threading.Thread(target=world.lives)
            for thread in [writer, *threads]:
                thread.start()
            if beside:
                beside(srv)
            for thread in threads:
                thread.join()
            world.over.set()
            writer.join()
            errors = [x.error for x in (world, *visitors) if x.error]
            assert not errors, errors
            for way in Visitor.ways():
                assert sum(v.done[way] for v in visitors) > 0, way
            assert world.gen > 1, "no generation was switched"
            with srv.connect():
                wait_for(lambda: not no_one_is_left(srv), "one is counted")
            wait_for(lambda: no_one_is_left(srv), "all have gone")
        return visitors
