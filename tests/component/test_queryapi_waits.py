#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who waits: for a position of their own writes, for a document's next version.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (Client, checkpoint, document, generation, live, main,
                      request, wait_for, with_basic_store)  # noqa: E402


LARGE = 20000  # bytes of a document


def at_least(*positions):
    return "Projection-Min-Position: " + ", ".join(
        '"%s"' % p for p in positions)


def problem(answer):
    assert answer["Content-Type"] == "application/problem+json", answer.status
    return answer.json()["type"].rsplit(":", 1)[1]


def ask(srv, target, *headers, method="GET"):
    c = srv.connect()
    c.send(request(target, *headers, method=method))
    return c


def is_parked(srv, n=1):
    wait_for(lambda: srv.metric("shopview_watches") == n, "%d watches" % n)


def in_system(c):
    """Of what was sent to this client, at most so many bytes are not the
    server's any more and not read (proc(5): tx_queue and rx_queue)."""
    ends = {":%04X" % at[1]
            for at in (c.sock.getsockname(), c.sock.getpeername())}
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f][1:]
    queues = [row[4] for row in rows if {row[1][8:], row[2][8:]} == ends]
    assert len(queues) == 2, (ends, queues)
    return sum(int(n, 16) for both in queues for n in both.split(":"))


def test_a_position_that_is_reached_is_answered_for_this_client_alone():
    def t(srv, store):
        for target in ["/v1/shop/a", "/v1/shop?ids=a,b%2Fc", "/v1/shop?limit=2",
                       "/v1/shop/none", "/v1/shop/gone", "/v1/shop/parked"]:
            plain = srv.get(target)
            a = srv.get(target, at_least("shop/0@41"))
            assert a.status == plain.status, target
            assert a["Cache-Control"] == "private, no-store", target
            assert a["ETag"] == plain["ETag"]
            assert a["Preference-Applied"] is None
            if a.status == 200:
                assert a.json() == plain.json(), target
            a = srv.get(target, at_least("shop/0@41"), "Prefer: wait=2")
            assert a["Preference-Applied"] == "wait=2"
        a = srv.get("/v1/shop/a", at_least("shop/0@41"), 'If-None-Match: "1.3"')
        assert a.status == 304 and a["Cache-Control"] == "private, no-store"
        assert problem(srv.get("/v1/shop/parked", at_least("shop/0@7"))
                       ) == "parked"
    with_basic_store(t)


def test_a_position_beyond_is_refused_at_once_without_a_wait():
    def t(srv, store):
        for target in ["/v1/shop/a", "/v1/shop/none", "/v1/shop/gone",
                       "/v1/shop?ids=a", "/v1/shop"]:
            a = srv.get(target, at_least("shop/1@2", "shop/0@42"))
            assert a.status == 503 and problem(a) == "position-not-reached"
            assert a["Retry-After"] == "1"
            assert a["Projection-Position"] == '"shop/1@2", "shop/0@41"'
            assert "no-store" in a["Cache-Control"]
        # The document itself is further than its checkpoint; that is no
        # promise for what the client wrote.
        assert srv.get("/v1/shop/b%2Fc", at_least("shop/0@60")).status == 503
    with_basic_store(t)


def test_a_position_of_no_source_of_the_view_is_not_applicable():
    def t(srv, store):
        for pos in ["shop/7@1", "order/0@1", "shop/0/0@1"]:
            a = srv.get("/v1/shop/a", at_least("shop/0@1", pos),
                        "Prefer: wait=30")
            assert a.status == 409, pos
            assert problem(a) == "position-not-applicable"
        # known to the store, but not a source of this view
        a = srv.get("/v1/stock/s", at_least("shop/0@1"))
        assert a.status == 409
    with_basic_store(t)


def test_what_is_no_position_is_refused():
    def t(srv, store):
        for bad in ['shop/0@1', '"shop/0@1', '"shop/0"', '"shop@1"', '"/0@1"',
                    '"shop/x@1"', '"shop/0@-1"', '"shop/0@1"x', '"shop/0@"',
                    '"shop/0@9223372036854775807"', '"shop/2147483648@1"',
                    '"shop/0@1";a=b',
                    ", ".join(['"shop/0@1"'] * 65)]:
            a = srv.get("/v1/shop/a", "Projection-Min-Position: " + bad)
            assert a.status == 400, bad
        for good in ['', ' , ', '"shop/0@1",', '"shop/0@1" , "shop/1@0"',
                     '"shop/0@0001"']:
            a = srv.get("/v1/shop/a", "Projection-Min-Position: " + good)
            assert a.status == 200, good
        a = srv.get("/v1/shop/a", at_least("shop/0@1"), at_least("shop/0@99"))
        assert a.status == 503  # every line counts
    with_basic_store(t)


def test_a_wait_ends_when_the_checkpoint_is_there():
    def t(srv, store):
        targets = ["/v1/shop/a", "/v1/shop/none", "/v1/shop/gone",
                   "/v1/shop?ids=a,none", "/v1/shop?limit=1"]
        clients = [ask(srv, target, at_least("shop/0@49"), "Prefer: wait=30")
                   for target in targets]
        is_parked(srv, len(targets))
        store.fill(checkpoint(0, 49))  # one is missing
        for c in clients:
            assert c.is_open()
        store.fill(document("a", 4, positions={"shop/0": 49}, name="B"),
                   checkpoint(0, 50))
        for target, c in zip(targets, clients):
            a = c.answer()
            assert a.status in (200, 404, 410), (target, a.status)
            assert a["Preference-Applied"] == "wait=30"
            assert a["Cache-Control"] == "private, no-store"
            assert '"shop/0@49"' in (a["Projection-Position"] or
                                     '"shop/0@49"'), target
            if target == "/v1/shop/a":
                assert a.json()["name"] == "B"
            c.send(request("/v1/shop/a"))  # the connection goes on
            assert c.answer().json()["name"] == "B"
            c.sock.close()
        assert srv.metric("shopview_watches") == 0
    with_basic_store(t)


def test_a_wait_that_is_over_says_how_far_it_is():
    def t(srv, store):
        before = time.monotonic()
        a = srv.get("/v1/shop/a", at_least("shop/0@50"),
                    'Prefer: respond-async, wait="1";x=y')
        assert time.monotonic() - before > 0.9  # it was waited for
        assert a.status == 503 and problem(a) == "position-not-reached"
        assert a["Preference-Applied"] == "wait=1"
        assert a["Projection-Position"] == '"shop/0@41"'
        for no in ["wait=0", "wait=-1", "wait=x", "wait", 'a="wait=9, wait=9"',
                   "wait=1.5"]:
            a = srv.get("/v1/shop/a", at_least("shop/0@50"), "Prefer: " + no)
            assert a.status == 503, no
    with_basic_store(t)


def test_a_request_that_waits_can_be_a_body():
    def t(srv, store):
        body = b'{"ids":["a"]}'
        c = srv.connect()
        c.send(request("/v1/shop", at_least("shop/0@45"), "Prefer: wait=30",
                       "Content-Type: application/json",
                       "Content-Length: %d" % len(body), method="QUERY") +
               body + request("/v1/shop/a"))
        is_parked(srv)
        store.fill(checkpoint(0, 46))
        assert c.answer().json()["items"][0]["id"] == "a"
        assert c.answer().json()["id"] == "a"  # what was pipelined behind
        c.sock.close()
    with_basic_store(t)


def test_a_generation_that_is_promoted_meanwhile_is_the_one_that_counts():
    def t(srv, store):
        c = ask(srv, "/v1/shop/a", at_least("shop/0@50"), "Prefer: wait=30")
        is_parked(srv)
        store.fill(generation(2), checkpoint(0, 90, gen="shop.2"),
                   document("a", 1, gen="shop.2", name="new"), live(1, 2))
        a = c.answer()
        assert a.status == 200 and a.json()["name"] == "new"
        c.sock.close()
    with_basic_store(t)


def test_whoever_hangs_up_waits_no_more():
    def t(srv, store):
        clients = [ask(srv, "/v1/shop/a", at_least("shop/0@50"),
                       "Prefer: wait=60") for _ in range(5)]
        is_parked(srv, 5)
        for c in clients[:3]:
            c.sock.close()
        for c in clients[3:]:
            c.reset()
        is_parked(srv, 0)
        wait_for(lambda: srv.metric("shopview_http_connections") == 0,
                 "the last connection's end")
    with_basic_store(t)


def test_who_ends_its_side_gets_what_was_answered_and_waits_no_more():
    def t(srv, store):
        store.fill(document("large", 1, name="x" * LARGE))
        made = 'shopview_http_requests_total{route="/v1/{view}/{key}",' \
               'status="200"}'
        with Client(srv.data, rcvbuf=4096) as c:
            n = 0
            # Nobody reads; the server would take no more at 256 KB unsent.
            while n * LARGE - in_system(c) < 2 * LARGE:
                c.send(request("/v1/shop/large"))
                n += 1
                wait_for(lambda: srv.metric(made) == n, "%d answers" % n)
            c.send(request("/v1/shop/large?wait=60", 'If-None-Match: "1.1"'))
            is_parked(srv)
            # The server itself still has some of them.
            assert n * LARGE - in_system(c) > LARGE, (n, in_system(c))
            c.sock.shutdown(socket.SHUT_WR)
            is_parked(srv, 0)
            for _ in range(n):
                assert c.answer().status == 200
            assert c.closed()
    with_basic_store(t)


def test_a_stop_answers_whoever_waits():
    def t(srv, store):
        c = ask(srv, "/v1/shop/a", at_least("shop/0@50"), "Prefer: wait=60")
        d = ask(srv, "/v1/shop/a?wait=60", 'If-None-Match: "1.3"')
        is_parked(srv, 2)
        srv.proc.send_signal(signal.SIGTERM)
        a, b = c.answer(), d.answer()
        assert a.status == 503 and problem(a) == "position-not-reached"
        assert b.status == 304 and b["Connection"] == "close"
        assert c.closed() and d.closed()
        assert srv.proc.wait(20) == 0
    with_basic_store(t)


def test_a_long_poll_is_answered_with_the_next_version():
    def t(srv, store):
        c = ask(srv, "/v1/shop/a?wait=60", 'If-None-Match: "1.3"')
        is_parked(srv)
        store.fill(document("big", 5, name="other"))
        store.fill(document("a", 4, name="B"))
        a = c.answer()
        assert a.status == 200 and a["ETag"] == '"1.4"'
        assert a.json()["name"] == "B"
        assert a["Cache-Control"].startswith("public")
        c.send(request("/v1/shop/a?wait=60", 'If-None-Match: "1.4"'))
        is_parked(srv)
        store.fill(document("a", 5, state=1))
        assert c.answer().status == 410
        c.sock.close()
    with_basic_store(t)


def test_a_long_poll_ends_with_304():
    def t(srv, store):
        before = time.monotonic()
        a = srv.get("/v1/shop/a?wait=1", 'If-None-Match: "1.3"')
        assert a.status == 304 and a["ETag"] == '"1.3"'
        assert time.monotonic() - before > 0.9  # it was waited for
    with_basic_store(t)


def test_a_long_poll_waits_for_nothing_when_there_is_news():
    def t(srv, store):
        assert srv.get("/v1/shop/a?wait=60").status == 200
        assert srv.get("/v1/shop/a?wait=60", 'If-None-Match: "1.2"'
                       ).status == 200
        assert srv.get("/v1/shop/none?wait=60", 'If-None-Match: "1.2"'
                       ).status == 404
        assert srv.get("/v1/shop/a?wait=60", 'If-None-Match: "1.3"',
                       'If-Match: "1.2"').status == 412
        for bad in ["0", "61", "", "1.5", "-1", "x", "1s", "%31", "99999999999"]:
            a = srv.get("/v1/shop/a?wait=" + bad)
            assert a.status == 400, bad
        assert srv.get("/v1/shop/a?wait=1&wait=1").status == 400
        assert srv.get("/v1/shop/a?wait=1&x=1").status == 400
        assert srv.get("/v1/shop?ids=a&wait=1").status == 400
    with_basic_store(t)


def test_a_document_with_parked_records_says_so():
    def t(srv, store):
        store.fill(document("q", 3, name="Q", positions={"shop/0": 9},
                            meta={"k": {"0": {"first": 12, "tail": 30, "n": 2},
                                        "1": {"first": 1, "tail": 1, "n": 1}}}))
        for headers in [(), (at_least("shop/0@20"),),
                        ('If-None-Match: "1.3"',)]:
            a = srv.get("/v1/shop/q", *headers)
            assert a.status == (304 if "None" in str(headers) else 200)
            assert a["Projection-Parked"] == '"shop/0@12", "shop/1@1"'
        assert srv.get("/v1/shop/a")["Projection-Parked"] is None
        store.fill(document("q", 4, name="Q", positions={"shop/0": 30}))
        assert srv.get("/v1/shop/q")["Projection-Parked"] is None
    with_basic_store(t)


if __name__ == "__main__":
    sys.exit(main(globals()))
