#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams of events: who is told of newer versions, of what, and how it ends.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import contextlib
import hashlib
import json
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (BASIC, BIG, Client, Server, Store, checkpoint,
                      document, generation, live, main, request, wait_for,
                      with_basic_store)  # noqa: E402

EVENTS = "/v1/shop/a/events"


class Stream:
    """An event stream's client, after WHATWG HTML, 9.2.6."""

    def __init__(self, srv, target, *headers, rcvbuf=None):
        self.client = Client(srv.data, rcvbuf)
        self.client.send(request(target, *headers))
        self.head = self.client.answer()
        self.beats = 0
        self.last_id = None
        self.retry = None

    def lines(self):
        c = self.client
        while True:
            while b"\n" not in c.rest:
                if not c.more():
                    return
            line, c.rest = c.rest.split(b"\n", 1)
            yield line.decode()

    def event(self):
        """(type, data) of the next one; None: the stream has ended."""
        kind, data = "message", []
        for line in self.lines():
            if line == "":
                if data:
                    return kind, json.loads("\n".join(data))
                continue
            if line.startswith(":"):
                self.beats += 1
                continue
            name, value = line.split(": ", 1)
            if name == "data":
                data.append(value)
            elif name == "event":
                kind = value
            elif name == "id":
                self.last_id = value
            elif name == "retry":
                self.retry = int(value)
            else:
                raise AssertionError("unknown field: " + line)
        return None

    def close(self):
        self.client.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def settled(srv, n):
    wait_for(lambda: srv.metric("shopview_streams") == n, "%d streams" % n)


def with_pages(test, *settings):
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC, document("a", 1, gen="stock.1", left=3))
        with open(d + "/conf", "w") as f:
            f.write('page "front" { parts = {"shop", "stock", "menu"} }\n'
                    'page "side" { parts = {"menu"} }\n')
        os.environ["SHOPVIEW_CONFIG"] = d + "/conf"
        try:
            with Server(store.path, *settings) as srv:
                srv.ready()
                test(srv, store)
        finally:
            del os.environ["SHOPVIEW_CONFIG"]


# ---- One document ------------------------------------------------------------

def test_a_stream_begins_with_the_document_and_goes_on_with_newer_ones():
    def t(srv, store):
        with Stream(srv, EVENTS) as s:
            assert s.head.status == 200
            assert s.head["Content-Type"] == "text/event-stream"
            assert s.head["Cache-Control"] == "no-store"
            assert s.head["Connection"] == "close"
            assert s.head["Content-Length"] is None
            assert s.head["X-Accel-Buffering"] == "no"
            assert s.event() == ("message", {"id": "a", "name": "A", "n": 7})
            assert s.last_id == srv.get("/v1/shop/a")["ETag"] == '"1.3"'
            assert 1000 <= s.retry < 3000
            store.fill(document("big", 5, name="not this one"))
            store.fill(document("a", 4, name="B"))
            assert s.event() == ("message", {"id": "a", "name": "B"})
            assert s.last_id == '"1.4"'
            store.fill(document("a", 5, state=1))
            assert s.event() == ("missing", {"id": "a", "missing": "deleted"})
            assert s.last_id == '"1.5"'
            store.fill(document("a", 6, name="again"))
            assert s.event() == ("message", {"id": "a", "name": "again"})
    with_basic_store(t)


def test_a_stream_of_what_is_not_there_waits_for_it():
    def t(srv, store):
        with Stream(srv, "/v1/shop/new/events") as s, \
                Stream(srv, "/v1/shop/parked/events") as p:
            assert s.event() == ("missing", {"id": "new", "missing": "absent"})
            assert p.event() == ("missing",
                                 {"id": "parked", "missing": "parked"})
            store.fill(document("new", 1, name="N"))
            assert s.event() == ("message", {"id": "new", "name": "N"})
    with_basic_store(t)


def test_a_client_that_comes_back_is_told_what_it_has_not():
    def t(srv, store):
        with Stream(srv, EVENTS, 'Last-Event-ID: "1.3"') as s:
            settled(srv, 1)
            store.fill(document("a", 4, name="B"))
            assert s.event() == ("message", {"id": "a", "name": "B"})
        for other in ['"1.2"', '"9.9"', "", "x", "a" * 1000]:
            with Stream(srv, EVENTS, "Last-Event-ID: " + other) as s:
                assert s.event()[1]["name"] == "B", other
    with_basic_store(t)


def test_a_promoted_generation_is_followed():
    def t(srv, store):
        with Stream(srv, EVENTS) as s:
            assert s.event()[1]["name"] == "A"
            store.fill(generation(2), checkpoint(0, 90, gen="shop.2"),
                       document("a", 1, gen="shop.2", name="new"), live(1, 2))
            assert s.event() == ("message", {"id": "a", "name": "new"})
            assert s.last_id == '"2.1"'
            store.fill(document("a", 2, gen="shop.2", name="newer"))
            assert s.event()[1]["name"] == "newer"
    with_basic_store(t)


def test_versions_may_be_left_out_but_never_the_last():
    def t(srv, store):
        with Stream(srv, EVENTS) as s:
            seen = [s.event()[1]["n"]]
            for i in range(100):
                store.fill(document("a", 4 + i, n=100 + i))
            while seen[-1] != 199:
                seen.append(s.event()[1]["n"])
            assert seen == sorted(set(seen))
    with_basic_store(t)


def test_who_does_not_read_gets_the_newest_later():
    def t(srv, store):
        with Stream(srv, "/v1/shop/big/events", rcvbuf=4096) as s:
            assert s.event()[1]["name"] == BIG
            for i in range(60):
                store.fill(document("big", 5 + i, n=i, name="x" * 1000000)
                           if i < 59 else document("big", 5 + i, n=i))
            assert srv.metric("shopview_stream_writes_total") < 30
            last = s.event()
            while last[1]["n"] != 59:
                last = s.event()
    with_basic_store(t, "queryapi.stream_heartbeat_ms=10m")


# ---- Next to clients that do not read ----------------------------------------

class Unread:
    """Holds a loop's answers up, to within a line of what it may keep."""

    def __init__(self, srv):
        self.srv = srv
        self.clients = []
        for target in ["/v1/shop/huge", "/v1/shop/large"]:
            while self.take(target):
                pass
        # The rest in answers that are never too much.
        while srv.get("/v1/shop/page").status == 200:
            self.flood("/v1/shop/line")

    def client(self):
        self.clients.append(Client(self.srv.data, rcvbuf=4096))
        return self.clients[-1]

    def take(self, target):
        c = self.client()
        c.send(request(target))
        return c.answer(head=True).status == 200

    def flood(self, target):
        c = self.client()
        c.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                c.send(request(target) * 100)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for c in self.clients:
            c.reset()


def test_a_stream_has_its_head_however_much_others_do_not_read():
    def t(srv, store):
        # The answer to the second is just too long to be always let through,
        # what a stream of it begins with is not.
        store.fill(document("huge", 1, name="x" * 15000000),
                   document("large", 1, name="x" * 4000000),
                   document("page", 1, name="x" * 3760),
                   document("line", 1, name="x" * 3600))
        with Stream(srv, "/v1/shop/big/events") as before:
            assert before.event()[1]["name"] == BIG
            with Unread(srv):
                with Stream(srv, "/v1/shop/page/events") as s:
                    assert s.head.status == 200
                    assert s.event()[1]["id"] == "page"
                refused = srv.get("/v1/shop/huge/events")
                assert refused.status == 503
                assert refused.json()["type"].endswith(":overloaded")
                store.fill(document("big", 5, name="y" * 6000))
                wait_for(lambda: before.client.more() and
                         before.client.rest.count(b":\n\n") >= 3, "beats")
                assert b"data" not in before.client.rest
            # What was too much then comes when there is room.
            assert before.event()[1]["name"] == "y" * 6000
    with_basic_store(t, "queryapi.loops=1", "queryapi.request_timeout_ms=60s",
                     "queryapi.stream_heartbeat_ms=200")


# ---- Life --------------------------------------------------------------------

def test_a_silent_stream_says_that_it_is_alive():
    def t(srv, store):
        with Stream(srv, EVENTS) as s:
            s.event()
            wait_for(lambda: s.client.more() and
                     s.client.rest.count(b":\n\n") >= 3, "heartbeats")
            store.fill(document("a", 4, name="B"))
            assert s.event()[1]["name"] == "B" and s.beats >= 3
    with_basic_store(t, "queryapi.stream_heartbeat_ms=100")


def test_who_takes_nothing_for_a_heartbeat_is_cut_off():
    def t(srv, store):
        with Stream(srv, "/v1/shop/big/events", rcvbuf=2048):
            i = [5]

            def gone():
                store.fill(document("big", i[0], name=str(i[0]) * 1000000))
                i[0] += 1
                return srv.metric("shopview_streams") == 0
            wait_for(gone, "the end of a client that does not read")
        assert srv.metric("shopview_http_cut_off_total") == 1
    with_basic_store(t, "queryapi.stream_heartbeat_ms=200")


def test_who_hangs_up_is_forgotten():
    def t(srv, store):
        streams = [Stream(srv, EVENTS) for _ in range(20)]
        settled(srv, 20)
        for s in streams[::2]:
            s.close()
        for s in streams[1::2]:
            s.client.reset()
        settled(srv, 0)
        assert srv.metric("shopview_watches") == 0
        wait_for(lambda: srv.metric("shopview_http_connections") == 0,
                 "the last connection's end")
    with_basic_store(t)


def test_a_stop_ends_streams_at_once():
    def t(srv, store):
        with Stream(srv, EVENTS) as s:
            s.event()
            srv.proc.send_signal(signal.SIGTERM)
            assert s.event() is None
            assert srv.proc.wait(20) == 0
            assert "event=stop.cut" not in srv.log_text()
    with_basic_store(t)


def test_what_a_client_sends_behind_is_never_answered():
    def t(srv, store):
        with Stream(srv, EVENTS) as s:
            s.event()
            s.client.send(request("/v1/shop/big") * 500)
            store.fill(document("a", 4, name="B"))
            assert s.event()[1]["name"] == "B"
    with_basic_store(t)


def test_what_is_no_stream_is_refused():
    def t(srv, store):
        for target, status in [("/v1/none/a/events", 404),
                               (EVENTS + "?x=1", 400),
                               ("/v1/shop/%s/events" % ("k" * 481), 400),
                               ("/v1/pages/none/a/events", 404),
                               ("/v1/pages/a/events", 404)]:
            a = srv.get(target)
            assert a.status == status, (target, a.status)
            assert a["Content-Type"] == "application/problem+json"
        a = srv.get(EVENTS, method="HEAD")
        assert a.status == 200 and a["Content-Type"] == "text/event-stream"
        assert srv.get(EVENTS, method="POST").status in (400, 405)
        assert srv.metric("shopview_streams") == 0
    with_basic_store(t)


def test_a_stream_may_wait_for_a_position_first():
    def t(srv, store):
        c = srv.connect()
        c.send(request(EVENTS, 'Projection-Min-Position: "shop/0@50"',
                       "Prefer: wait=30"))
        wait_for(lambda: srv.metric("shopview_watches") == 1, "the wait")
        store.fill(document("a", 4, name="B"), checkpoint(0, 51))
        a = c.answer()
        assert a.status == 200 and a["Preference-Applied"] == "wait=30"
        wait_for(lambda: b'"B"' in c.rest or not c.more(), "the document")
        store.fill(document("a", 5, name="C"))
        wait_for(lambda: b'"C"' in c.rest or not c.more(), "the next")
        c.sock.close()
        settled(srv, 0)
    with_basic_store(t)


def test_a_token_that_is_taken_away_ends_its_streams():
    def token(name, secret):
        return 'token "%s" { sha256 = "%s" }\n' % (
            name, hashlib.sha256(secret.encode()).hexdigest())

    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        with open(d + "/conf", "w") as f:
            f.write(token("one", "secret-1") + token("two", "secret-2"))
        os.environ["SHOPVIEW_CONFIG"] = d + "/conf"
        try:
            with Server(store.path,
                        "queryapi.stream_heartbeat_ms=200") as srv:
                srv.ready()
                bearer = "Authorization: Bearer secret-1"
                assert srv.get(EVENTS).status == 401
                with Stream(srv, EVENTS, bearer) as s:
                    s.event()
                    with open(d + "/conf", "w") as f:
                        f.write(token("two", "secret-2"))
                    srv.proc.send_signal(signal.SIGHUP)
                    assert s.event() is None
                assert srv.get(EVENTS, bearer).status == 401
        finally:
            del os.environ["SHOPVIEW_CONFIG"]


# ---- Pages -------------------------------------------------------------------

def test_a_page_comes_whole_and_then_part_by_part():
    def t(srv, store):
        with Stream(srv, "/v1/pages/front/a/events") as s:
            page = srv.get("/v1/pages/front/a")
            assert s.event() == ("message", page.json())
            assert s.last_id == page["ETag"]
            store.fill(document("a", 2, gen="stock.1", left=2))
            assert s.event() == ("part", {
                "part": "stock", "revision": 2,
                "document": {"id": "a", "left": 2}})
            assert s.last_id == srv.get("/v1/pages/front/a")["ETag"]
            store.fill(document("a", 4, state=1))
            assert s.event() == ("part", {"part": "shop",
                                          "missing": "deleted"})
    with_pages(t)


def test_a_page_none_of_whose_views_is_live_is_told_when_one_is():
    def t(srv, store):
        with Stream(srv, "/v1/pages/side/a/events") as s:
            assert s.event()[1]["missing"] == {"menu": "absent"}
            store.fill(generation(1, "menu"),
                       document("a", 1, gen="menu.1", name="M"),
                       live(0, 1, "menu"))
            kind, part = s.event()
            assert kind == "part" and part["document"]["name"] == "M"
    with_pages(t)


def test_a_page_that_is_come_back_to_is_told_in_parts():
    def t(srv, store):
        tag = srv.get("/v1/pages/front/a")["ETag"]
        store.fill(document("a", 4, name="B"),
                   document("a", 2, gen="stock.1", left=1))
        with Stream(srv, "/v1/pages/front/a/events",
                    "Last-Event-ID: " + tag) as s:
            kind, first = s.event()
            assert kind == "part" and first["part"] == "shop"
            assert s.last_id is None  # not all of it is told yet
            kind, second = s.event()
            assert kind == "part" and second["part"] == "stock"
            assert s.last_id == srv.get("/v1/pages/front/a")["ETag"]
        for other in ['"1.3_1.1"', '"x_x_x_00000000"', '"1.3"', "_", '""']:
            with Stream(srv, "/v1/pages/front/a/events",
                        "Last-Event-ID: " + other) as s:
                assert s.event()[0] == "message", other
    with_pages(t)


if __name__ == "__main__":
    sys.exit(main(globals()))
