#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""queryapi on a real MongoDB replica set: what it serves, and what it does
while the server is stopped, killed, rebuilt beneath it or not there yet.

Run one test: test_queryapi_mongodb.py NAME_PART. Logs are kept in
build/integration/queryapi.
"""
import contextlib
import gzip
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
import urllib.parse

from harness import (BUILD, ROOT, SUPPORT, Api, Program, Tests, differences,
                     mongo, read_ndjson, sh, wait_until)

WORK = ROOT / "build" / "integration" / "queryapi"
SAMPLE = ROOT / "tests" / "sample"
CLIENTS = 16
# An outage is noticed 1 s after the last answer, told at the next quarter.
TOLD_WITHIN_S = 2.5


def check(fact, *what):
    if not fact:
        raise AssertionError(" ".join(str(w) for w in what))


class Load:
    """CLIENTS keep-alive clients that ask one after the other; what they got:
    (when asked, seconds, status, problem, new, age). Only time-outs and
    answers that are broken off count as faults. mixed: every second request is
    new, for a key that nobody asked for before (and that does not exist).
    Where a tag was seen, every third request has it."""

    def __init__(self, address, targets, mixed=False, tags=False):
        self.address, self.targets, self.mixed = address, targets, mixed
        self.tags = tags
        self.over = threading.Event()
        self.rows, self.faults, self.refused = [], [], 0
        self.threads = [threading.Thread(target=self.client, args=(i,))
                        for i in range(CLIENTS)]

    def client(self, at):
        conn = http.client.HTTPConnection(self.address, timeout=30)
        seen = {}
        for n, target in enumerate(itertools.islice(
                itertools.cycle(self.targets), at, None)):
            if self.over.is_set():
                break
            new = self.mixed and n % 2 == 1
            if new:
                target = f"/v1/shop/new-{at}-{n}"
            begun = time.monotonic()
            try:
                known = self.tags and n % 3 == 0 and seen.get(target)
                conn.request("GET", target, headers={
                    "If-None-Match": known} if known else {})
                got = conn.getresponse()
                body = got.read()
                seen[target] = got.headers["ETag"]
                self.row(begun, got, body, new)
            except (http.client.RemoteDisconnected, ConnectionError):
                # Between two requests a server may end a connection.
                self.refused += 1
                conn.close()
                time.sleep(0.01)
            except Exception as fault:  # what must not happen
                self.faults.append(repr(fault))
                conn.close()
            time.sleep(0.005)
        conn.close()

    def row(self, begun, got, body, new):
        kind = None
        if got.headers["Content-Type"] == "application/problem+json":
            kind = json.loads(body)["type"].rsplit(":", 1)[1]
        elif got.status not in ((200, 304) if self.tags else (200,)):
            self.faults.append(f"{got.status} that is no problem")
        self.rows.append((begun, time.monotonic() - begun, got.status, kind,
                          new, got.headers["Age"]))

    def since(self, when):
        return [r for r in list(self.rows) if r[0] >= when]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        for thread in self.threads:
            thread.join()


class QueryapiMongodb(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        self.logs = itertools.count()
        self.events = WORK / "events"
        shutil.copytree(SAMPLE / "events", self.events)
        self.expected = {p.stem: read_ndjson(p)
                         for p in (SAMPLE / "expected").glob("*.ndjson")}

    # ---- servers and programs -----------------------------------------

    def mongo(self, verb):
        return mongo(verb, WORK / "mongo")

    def mongod(self):
        return int((WORK / "mongo" / "mongod.pid").read_text())

    def start(self):
        self.uri = self.mongo("start")
        self.store = {"store.type": "mongodb", "store.uri": self.uri,
                      "store.database": "sample"}
        self.projector("run", "--until-end")

    def log(self, name):
        return WORK / f"{name}-{next(self.logs)}.log"

    def projector(self, *args):
        program = Program("projector", args, {
            **self.store, "source.dir": self.events,
            "projector.admin_listen": ""}, self.log("projector")).start()
        status = program.wait()
        check(status == 0, "projector", *args, "ended with", status,
              program.text()[-1500:])

    @contextlib.contextmanager
    def api(self, wait=True, **settings):
        api = Api({**self.store, **{f"queryapi.{k}": v
                                    for k, v in settings.items()}},
                  self.log("queryapi")).start()
        api.admin = re.search(r"listener=admin address=(\S+)",
                              api.program.text()).group(1)
        try:
            if wait:
                wait_until("readyz", lambda: self.ask(
                    api, "/readyz") == 200, 20)
            yield api
        finally:
            status = api.stop()
        check(status == 0, "queryapi ended with", status,
              api.program.text()[-1500:])

    @staticmethod
    def ask(api, path, text=False):
        conn = http.client.HTTPConnection(api.admin, timeout=10)
        try:
            conn.request("GET", path)
            got = conn.getresponse()
            body = got.read().decode()
            return body if text else got.status
        finally:
            conn.close()

    def reachable(self, api):
        return json.loads(self.ask(api, "/status", True))["store"]["reachable"]

    def metric(self, api, name):
        found = re.search(rf"^{name} (\S+)$", self.ask(api, "/metrics", True),
                          re.M)
        return float(found.group(1))

    def targets(self):
        return [f"/v1/{view}/{urllib.parse.quote(doc['id'], safe='')}"
                for view, documents in sorted(self.expected.items())
                for doc in documents[:5]]

    # ---- what is served -----------------------------------------------

    def test_1_every_document_is_served_alone_and_in_batches(self):
        with self.api() as api:
            for view, documents in self.expected.items():
                keys = [d["id"] for d in documents]
                wrong = differences(documents, api.documents(view, keys))
                check(not wrong, view, *wrong)
                alone = []
                for key in keys:
                    status, headers, body = api.get(
                        f"/v1/{view}/{urllib.parse.quote(key, safe='')}")
                    check(status == 200, view, key, status)
                    check(headers["Projection-Position"], view, key)
                    alone.append(body)
                wrong = differences(documents, alone)
                check(not wrong, view, *wrong)

    def listed(self, api, view, limit=7, **by):
        """All documents of a list, by its links."""
        documents = []
        target = f"/v1/{view}?" + urllib.parse.urlencode({"limit": limit, **by})
        while target:
            status, headers, page = api.get(target)
            check(status == 200, target, status, page)
            check(len(page["items"]) <= limit, target)
            check(("next" in page) == ("Link" in headers), target)
            documents += [i["document"] for i in page["items"]]
            target = "Link" in headers and re.fullmatch(
                r'<(.+)>; rel="next"', headers["Link"]).group(1)
        return documents

    def test_1_lists_give_every_document_once_and_by_each_filter(self):
        filters = {"shop": ("areaId", "category", "status"),
                   "product": ("shopId",), "stock": ("shopId",),
                   "order": ("shopId", "memberId"),
                   "delivery": ("shopId", "state")}
        with self.api() as api:
            for view, documents in self.expected.items():
                documents = sorted(documents, key=lambda d: d["id"].encode())
                for limit in (7, 100):
                    wrong = differences(documents, self.listed(
                        api, view, limit=limit))
                    check(not wrong, view, *wrong)
                for field in filters.get(view, ()):
                    values = {d[field] for d in documents if d.get(field)}
                    check(values, view, field, "nobody has it")
                    for value in sorted(values)[:12] + ["$ne", '{"$gt":""}']:
                        want = [d for d in documents if d.get(field) == value]
                        wrong = differences(want, self.listed(
                            api, view, **{field: value}))
                        check(not wrong, view, field, value, *wrong)
                other = ({d for ds in filters.values() for d in ds} -
                         set(filters.get(view, ()))).pop()
                check(api.get(f"/v1/{view}?{other}=x")[0] == 400, view, other)

    def test_2_conditions_codings_and_absence(self):
        target = self.targets()[0]
        with self.api(gzip_min_bytes=1) as api:
            status, headers, body = api.get(target)
            tag = headers["ETag"]
            status, headers, none = api.get(target, {"If-None-Match": tag})
            check((status, none, headers["ETag"]) == (304, None, tag))
            api.client.request("GET", target, headers={
                "Accept-Encoding": "gzip"})
            got = api.client.getresponse()
            check(got.headers["Content-Encoding"] == "gzip", got.headers)
            check(json.loads(gzip.decompress(got.read())) == body)
            api.client.request("HEAD", target)
            got = api.client.getresponse()
            check((got.status, got.read()) == (200, b""))
            check(int(got.headers["Content-Length"]) > 2)
            for path, status, kind in (
                    ("/v1/shop/never-seen", 404, "not-found"),
                    ("/v1/nothing/x", 404, "view-not-found"),
                    ("/v1/shop?ids=", 400, "bad-request"),
                    ("/v1/shop?areaId[$ne]=x", 400, "bad-request"),
                    ("/v1/shop?$where=1", 400, "bad-request"),
                    ("/v1/shop?cursor=AQ", 400, "bad-request")):
                got = api.get(path)
                check(got[0] == status and got[2]["type"].endswith(kind), got)

    def test_3_deleted_documents_are_gone(self):
        events = (json.loads(line)
                  for path in (SAMPLE / "events/product").glob("*.ndjson")
                  for line in path.read_text(encoding="utf-8").splitlines())
        dead = [f"{e['value']['data']['shopId']}:"
                f"{e['value']['data']['productId']}" for e in events
                if e["value"]["eventType"] == "ProductDeleted"]
        # Some were registered again.
        dead = sorted(set(dead) - {d["id"] for d in self.expected["product"]})
        with self.api() as api:
            status, _, body = api.get(
                "/v1/product/" + urllib.parse.quote(dead[0], safe=""))
            check(status == 410 and body["type"].endswith("deleted"), status,
                  body)

    def admin(self, command):
        return json.loads(sh(BUILD / "tests/support/mongo_admin", self.uri,
                             "admin", json.dumps(command)))

    def hold_finds(self, mode, collection):
        self.admin({"configureFailPoint": "waitInFindBeforeMakingBatch",
                    "mode": mode, "data": {"nss": f"sample.{collection}",
                                           "shouldCheckForInterrupt": True}})

    def finds(self, collection):
        got = self.admin({"currentOp": 1, "appName": "shopview-queryapi",
                          "command.find": collection})
        return [op["command"] for op in got["inprog"]]

    def test_2_the_store_works_for_nobody_any_longer_than_two_seconds(self):
        target = next(t for t in self.targets() if t.startswith("/v1/shop/"))
        with self.api(request_timeout_ms=60000) as api:
            self.hold_finds("alwaysOn", "shop.1")
            try:
                status, headers, body = api.get(target)
                check(status == 503 and headers["Retry-After"] == "1", status)
                check(body["type"].endswith("store-unavailable"), body)
                # Of the catalog's own reads there may be one at any time.
                found = self.finds("shop.1")
                check(not found, found)
            finally:
                self.hold_finds("off", "shop.1")
            check(api.get(target)[0] == 200)

    def test_4_a_rebuild_is_followed_without_restart(self):
        target = next(t for t in self.targets() if t.startswith("/v1/shop/"))
        with self.api() as api:
            status, headers, before = api.get(target)
            old = headers["ETag"]
            self.projector("rebuild", "shop")
            wait_until("the new generation is served", lambda: api.get(
                target)[1]["ETag"] != old, 5)
            status, headers, body = api.get(target, {"If-None-Match": old})
            check(status == 200 and body == before, status, body)
            check(headers["ETag"].split(".")[0] != old.split(".")[0],
                  headers["ETag"], old)

    def test_4_what_changes_is_read_ahead(self):
        with self.api() as api:
            for view, documents in self.expected.items():
                api.documents(view, [d["id"] for d in documents])
            wait_until("it is followed", lambda: self.metric(
                api, "shopview_feed_following") == 1, 10)
            check(self.metric(api, "shopview_loads_ahead_total") == 0)
            sh("python3", SUPPORT / "sample_trickle.py", self.events,
               "--count", "100", "--interval-ms", "0", "--seed", "3")
            self.projector("run", "--until-end")
            wait_until("what was written is served", lambda:
                       self.documents_are_those_of_the_store(api), 20)
            ahead = self.metric(api, "shopview_loads_ahead_total")
            check(ahead > 10, ahead)
            with self.api() as fresh:
                self.same_answers(api, fresh)

    def same_answers(self, ahead, asked):
        """Byte by byte, whether the document was read ahead or not."""
        for view in self.expected:
            for line in sh(*Program(
                    "projector", ["dump", view], self.store,
                    self.log("dump")).argv()).splitlines():
                key = urllib.parse.quote(json.loads(line)["id"], safe="")
                one, other = (self.raw(api, f"/v1/{view}/{key}")
                              for api in (ahead, asked))
                check(one == other, view, key, one, other)

    @staticmethod
    def raw(api, target):
        conn = http.client.HTTPConnection(api.data, timeout=10)
        try:
            conn.request("GET", target)
            got = conn.getresponse()
            return (got.status, got.headers["ETag"],
                    got.headers["Projection-Position"],
                    got.headers["Projection-Parked"], got.read())
        finally:
            conn.close()

    # ---- outages ------------------------------------------------------

    def outage(self, begin, end, times=500):
        """Load over a server that goes away and comes back. Who asks for what
        is kept gets it, marked as stale; who asks for something new is told,
        `times`."""
        with self.api() as api, Load(api.data, self.targets(), True) as load:
            wait_until("all is kept", lambda: len(load.rows) >
                       4 * CLIENTS * len(self.targets()), 60)
            away_at = time.monotonic()
            begin()
            wait_until("everybody is told", lambda: sum(
                r[2] == 503 for r in load.since(away_at + TOLD_WITHIN_S)
            ) > times, 30)
            check(self.ask(api, "/livez") == 200)
            check(self.ask(api, "/readyz") == 200, "stale-if-error holds")
            check(not self.reachable(api), "the status knows")
            status, headers, _ = api.get(self.targets()[0])
            check(status == 200 and int(headers["Age"]) >= 1 and
                  headers["Cache-Status"] == "shopview; hit; detail=stale",
                  status, headers)
            back_at = time.monotonic()
            end()
            wait_until("reachable", lambda: self.reachable(api), 30)
            ready_at = time.monotonic()
            wait_until("answers again", lambda: sum(
                r[2] == 404 for r in load.since(ready_at)) > 300, 30)
            during = [r for r in list(load.rows)
                      if away_at <= r[0] < back_at]
            told = [r for r in during if r[2] == 503]
            slowest = max(r[1] for r in during)
            print(f"{len(told)} times 503, slowest answer {slowest:.2f} s; "
                  f"ready {ready_at - back_at:.2f} s after it was back")
            check(slowest < TOLD_WITHIN_S, "slowest answer", slowest)
            # Until it is known to be away, a queue that stands still is full.
            check({r[3] for r in told if r[0] < away_at + TOLD_WITHIN_S} <=
                  {"store-unavailable", "overloaded"} and
                  {r[3] for r in told if r[0] >= away_at + TOLD_WITHIN_S} <=
                  {"store-unavailable"}, {r[3] for r in told})
            check(not [r for r in during if r[2] == 503 and not r[4]],
                  "what is kept was refused")
            # What was asked before, and answered after it was back, may have
            # been looked for.
            late = [r for r in during
                    if r[0] > away_at + TOLD_WITHIN_S and
                    (r[1] > 0.5 or
                     (r[4] and r[2] != 503 and r[0] + r[1] < back_at))]
            check(not late, "not told at once:", late[:3])
            wait_until("no fetch is left over", lambda: self.metric(
                api, "shopview_http_queue_depth") == 0, 20)
        check(not load.faults, load.faults[:3])
        check(load.refused == 0, load.refused, "connections were ended")

    def test_5_a_server_that_hangs(self):
        pid = self.mongod()
        self.outage(lambda: os.kill(pid, signal.SIGSTOP),
                    lambda: os.kill(pid, signal.SIGCONT))

    def test_5_a_server_that_hangs_beyond_the_socket_timeout(self):
        pid = self.mongod()
        self.store["store.uri"] = self.uri + "&socketTimeoutMS=500"
        try:
            self.outage(lambda: os.kill(pid, signal.SIGSTOP),
                        lambda: os.kill(pid, signal.SIGCONT), 8000)
        finally:
            self.store["store.uri"] = self.uri

    def test_6_a_server_that_dies(self):
        self.outage(self.die, lambda: self.mongo("start"))

    def die(self):
        os.kill(self.mongod(), signal.SIGKILL)
        self.mongo("stop")

    def documents_are_those_of_the_store(self, api):
        """Every view's, and as new."""
        for view in self.expected:
            want = [json.loads(line) for line in sh(*Program(
                "projector", ["dump", view], self.store,
                self.log("dump")).argv()).splitlines()]
            check(want, "nothing is dumped of", view)
            if api.documents(view, [d["id"] for d in want]) != want:
                return False
            for doc in want[:3]:
                key = urllib.parse.quote(doc["id"], safe="")
                status, headers, got = api.get(f"/v1/{view}/{key}")
                if status != 200 or got != doc or headers["Age"]:
                    return False
        return True

    def test_6_what_changes_when_a_server_is_back_is_seen(self):
        """It dies under load, comes back, and is written to at once: answers
        that are no older than told meanwhile, and the new ones thereafter."""
        targets = [*self.targets(), "/v1/shop/nobody"]
        with self.api() as api, Load(api.data, targets, True, True) as load:
            wait_until("all is kept", lambda: len(load.rows) >
                       4 * CLIENTS * len(targets), 60)
            away_at = time.monotonic()
            self.die()
            wait_until("it is served stale", lambda: sum(
                bool(r[5]) for r in load.since(away_at)) > 500, 30)
            self.mongo("start")
            sh("python3", SUPPORT / "sample_trickle.py", self.events,
               "--count", "200", "--interval-ms", "0", "--seed", "7")
            self.projector("run", "--until-end")
            wait_until("what was written is served", lambda:
                       self.documents_are_those_of_the_store(api), 20)
            settled_at = time.monotonic()
            for _ in range(3):
                check(self.documents_are_those_of_the_store(api), "it is not")
            check(api.program.alive())
        check(not load.faults, load.faults[:3])
        seen = {r[2] for r in load.rows}
        check(seen == {200, 304, 404, 503}, seen)
        stale = [r for r in load.rows if r[5]]
        wrong = [r for r in stale if not
                 0 <= int(r[5]) <= min(300, r[0] + r[1] - away_at + 2)]
        check(not wrong, "ages", wrong[:3])
        check(not [r for r in stale if r[0] > settled_at], "still stale")
        check({r[2] for r in load.since(settled_at)} <= {200, 304, 404},
              "still refused")

    def test_7_started_before_the_server(self):
        self.mongo("stop")
        with self.api(wait=False) as api:
            check(self.ask(api, "/livez") == 200)
            begun = time.monotonic()
            status, headers, body = api.get(self.targets()[0])
            check(status == 503 and headers["Retry-After"] == "1", status)
            check(body["type"].endswith("store-unavailable"), body)
            check(time.monotonic() - begun < 1, "not told at once")
            check(self.ask(api, "/readyz") == 503)
            wait_until("it says so", lambda: "event=store.away" in
                       api.program.text(), 20)
            check(api.program.text().count("event=store.away") == 1)
            self.mongo("start")
            wait_until("readyz", lambda: self.ask(api, "/readyz") == 200, 20)
            check(api.get(self.targets()[0])[0] == 200)

    # ---- stop ---------------------------------------------------------

    def test_8_a_stop_under_load_answers_what_was_asked(self):
        with self.api(stop_timeout_ms="5s") as api:
            with Load(api.data, self.targets()) as load:
                wait_until("answers", lambda: len(load.rows) > 500, 30)
                begun = time.monotonic()
                check(api.stop() == 0)
                took = time.monotonic() - begun
            check(took < 5, took)
            check(not load.faults, load.faults[:3])
            check({r[2] for r in load.rows} == {200},
                  {r[2] for r in load.rows})

    def test_9_a_stop_while_the_server_hangs(self):
        pid = self.mongod()
        with self.api(stop_timeout_ms="5s") as api:
            with Load(api.data, self.targets()) as load:
                wait_until("answers", lambda: len(load.rows) > 100, 30)
                os.kill(pid, signal.SIGSTOP)
                try:
                    time.sleep(0.3)  # every worker is stuck in a read
                    begun = time.monotonic()
                    check(api.stop() == 0)
                    took = time.monotonic() - begun
                finally:
                    os.kill(pid, signal.SIGCONT)
            check(took < 5, took)
            check(not load.faults, load.faults[:3])


def main():
    tests = QueryapiMongodb()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.mongo("stop")


if __name__ == "__main__":
    sys.exit(main())
