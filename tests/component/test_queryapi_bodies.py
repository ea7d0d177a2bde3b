#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Request bodies of the read side: QUERY and POST, however they arrive.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import json
import os
import select
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (main, request, wait_for,
                      with_basic_store)  # noqa: E402

JSON = "Content-Type: application/json"
WAYS = [("QUERY", "/v1/shop"), ("POST", "/v1/shop/batch")]


def asking(way, body, *headers, length=None):
    """The head, and the body behind it."""
    method, target = way
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    n = len(body) if length is None else length
    return request(target, JSON, "Content-Length: %d" % n, *headers,
                   method=method) + body


def kind(answer):
    return answer.status, answer.json()["type"].split(":")[-1]


def test_both_ways_answer_like_the_parameter():
    def t(srv, store):
        ids = ["gone", "가,나", "none", "a", "b/c", "a"]
        got = srv.get("/v1/shop?ids=gone,%EA%B0%80%2C%EB%82%98,none,a,"
                      "b%2Fc,a")
        for way in WAYS:
            for headers in ([], ["Accept-Encoding: gzip"]):
                a = srv.raw(asking(way, {"ids": ids}, *headers))
                assert a.status == 200, a.body
                assert a.json() == got.json()
                for f in ("Cache-Control", "Vary", "Projection-Position"):
                    assert a[f] == got[f], f
    with_basic_store(t, "queryapi.gzip_min_bytes=10")


def test_compressing_them_all_asks_for_no_documents_gzip():
    def t(srv, store):
        assert srv.get("/v1/shop/a").status == 200
        before = srv.metric("shopview_loads_total")
        for way in WAYS:
            a = srv.raw(asking(way, {"ids": ["a"]}, "Accept-Encoding: gzip"))
            assert a["Content-Encoding"] == "gzip"
        assert srv.metric("shopview_loads_total") == before
        # The document's own is made when it is asked for, by one more load.
        assert srv.get("/v1/shop/a", "Accept-Encoding: gzip").status == 200
        assert srv.metric("shopview_loads_total") == before + 1
    with_basic_store(t, "queryapi.gzip_min_bytes=10")


def test_ids_that_no_url_has_room_for_are_read():
    def t(srv, store):
        ids = [chr(0xAC00 + i) * 160 for i in range(100)]
        for way in WAYS:
            a = srv.raw(asking(way, {"ids": ids}))
            assert a.status == 200, a.body
            assert [i["id"] for i in a.json()["items"]] == ids
    with_basic_store(t, "queryapi.body_bytes=1m")


def test_a_body_that_is_no_list_of_ids_is_400_and_the_connection_goes_on():
    def t(srv, store):
        for body in [b"", b"{", b"[]", b'{"ids":[]}', b'{"ids":["a"],"x":1}',
                     b'{"ids":["a"],"ids":["a"]}', b'{"ids":[1]}',
                     b'{"ids":{"$gt":""}}', b'{"ids":[{"$ne":null}]}',
                     b'{"ids":["\\u0000"]}', b'{"ids":["a"]}}',
                     json.dumps({"ids": ["x"] * 101}).encode(),
                     json.dumps({"ids": ["x" * 481]}).encode()]:
            for way in WAYS:
                with srv.connect() as c:
                    c.send(asking(way, body) + request("/v1/shop/a"))
                    a = c.answer()
                    assert kind(a) == (400, "bad-request"), (body, a.body)
                    assert a["Connection"] is None and a.json()["detail"]
                    assert c.answer().status == 200
    with_basic_store(t)


def test_parameters_beside_a_body_are_refused():
    def t(srv, store):
        for method, target in WAYS:
            a = srv.raw(asking((method, target + "?ids=a"), {"ids": ["a"]}))
            assert kind(a) == (400, "bad-request"), a.body
    with_basic_store(t)


def test_content_that_is_not_json_is_415_and_not_read():
    def t(srv, store):
        for method, target in WAYS:
            for headers in (["Content-Type: text/plain"], [],
                            ["Content-Type: application/jsonx"],
                            ["Content-Type: application/json, text/plain"],
                            [JSON, JSON], ["Content-Type:"]):
                with srv.connect() as c:
                    c.send(request(target, "Content-Length: 11", *headers,
                                   method=method))
                    a = c.answer()
                    assert kind(a) == (415, "unsupported-media-type"), headers
                    assert a["Accept"] == "application/json"
                    assert a["Accept-Query"] == ("application/json" if
                                                 method == "QUERY" else None)
                    assert a["Connection"] == "close" and c.closed()
            for ok in ("application/json; charset=utf-8",
                       "Application/JSON ;x=y"):
                a = srv.raw(request(target, "Content-Length: 13",
                                    "Content-Type: " + ok, method=method) +
                            b'{"ids":["a"]}')
                assert a.status == 200, a.body
            a = srv.raw(asking((method, target), {"ids": ["a"]},
                               "Content-Encoding: gzip"))
            assert kind(a) == (415, "unsupported-media-type")
            assert a["Accept-Encoding"] == "identity"
    with_basic_store(t)


def test_a_body_beyond_the_limit_is_413_and_not_read():
    def t(srv, store):
        for way in WAYS:
            fits = b'{"ids":["a"]}'
            assert srv.raw(asking(way, fits + b" " * (2048 - len(fits)))
                           ).status == 200
            for length in (2049, 10 ** 17):
                with srv.connect() as c:
                    c.send(asking(way, b"{", length=length))
                    a = c.answer()
                    assert kind(a) == (413, "content-too-large"), a.body
                    assert a["Connection"] == "close"
                    # What is sent all the same does not reset the answer.
                    c.send(b"x" * 1000)
                    assert c.closed()
    with_basic_store(t, "queryapi.body_bytes=2k")


def test_a_body_may_arrive_in_two_pieces_cut_anywhere():
    def t(srv, store):
        for way in WAYS:
            data = asking(way, {"ids": ["a", "gone"]}, "X-Request-Id: b")
            with srv.connect() as c:
                c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for cut in range(1, len(data)):
                    c.send(data[:cut])
                    # The rest goes only once the first piece was taken in.
                    srv_reads(c)
                    c.send(data[cut:])
                    a = c.answer()
                    assert a.status == 200, (cut, a.body)
                    assert a["X-Request-Id"] == "b"
                for b in data:
                    c.send(bytes([b]))
                assert c.answer().status == 200
    with_basic_store(t)


def srv_reads(c):
    """Waits until the peer has taken what was sent."""
    port = "%04X" % c.sock.getsockname()[1]

    def empty():
        with open("/proc/net/tcp") as rows:
            rows = [row.split()[1:5] for row in rows]
        ends = [queue for local, remote, state, queue in rows
                if state == "01" and port in (local[-4:], remote[-4:])]
        return ends == ["00000000:00000000"] * 2
    wait_for(empty, "what was sent to be read")


def test_requests_behind_a_body_are_answered_in_order():
    def t(srv, store):
        data, wants = b"", []
        for i in range(300):
            rid = "r%d" % i
            way = WAYS[i % 2]
            body = [b'{"ids":["a"]}', b"{", b'{"ids":["gone","a"]}'][i % 3]
            data += asking(way, body, "X-Request-Id: " + rid)
            wants.append((rid, 400 if body == b"{" else 200))
            data += request("/v1/shop/none", "X-Request-Id: g" + rid)
            wants.append(("g" + rid, 404))
        for step in (len(data), 1000, 37):
            with srv.connect() as c:
                c.sock.setblocking(False)
                sent = 0
                for rid, status in wants:
                    while not whole(c.rest):
                        r, w, _ = select.select(
                            [c.sock], [c.sock] if sent < len(data) else [],
                            [], 20)
                        assert r or w, (sent, rid)
                        if w:
                            sent += c.sock.send(data[sent:sent + step])
                        if r:
                            assert c.more()
                    a = c.answer()
                    assert (a["X-Request-Id"], a.status) == (rid, status)
                assert c.rest == b""
    with_basic_store(t)


def whole(data):
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = [line for line in data[:end].split(b"\r\n")
              if line.startswith(b"Content-Length: ")]
    return len(data) >= end + 4 + int(length[0].split(b": ")[1])


def test_100_is_said_when_the_body_will_be_read_and_only_then():
    def t(srv, store):
        body = b'{"ids":["a"]}'
        for method, target in WAYS:
            head = request(target, JSON, "Content-Length: %d" % len(body),
                           "Expect: 100-continue", method=method)
            with srv.connect() as c:
                for _ in range(3):  # on the same connection
                    c.send(head)
                    while b"\r\n\r\n" not in c.rest:
                        assert c.more()
                    assert c.rest == b"HTTP/1.1 100 Continue\r\n\r\n"
                    c.rest = b""
                    c.send(body)
                    a = c.answer()
                    assert a.status == 200 and a["Connection"] is None
                # RFC 9110, 10.1.1: needless when the body is on its way.
                c.send(head + body[:1])
                srv_reads(c)
                c.send(body[1:])
                assert c.answer().status == 200
                c.send(head + body)
                assert c.answer().status == 200
            for bad, status in [
                    (request(target, "Content-Length: 13",
                             "Expect: 100-continue", method=method), 415),
                    (request(target, JSON, "Content-Length: 99999999",
                             "Expect: 100-continue", method=method), 413),
                    (request("/v1/shop/a", JSON, "Content-Length: 13",
                             "Expect: 100-continue", method=method), 405),
                    (request("/nothing", JSON, "Content-Length: 13",
                             "Expect: 100-continue", method=method), 404)]:
                with srv.connect() as c:
                    c.send(bad)
                    a = c.answer()
                    assert a.status == status, a.body
                    assert a["Connection"] == "close" and c.closed()
        # RFC 9110, 10.1.1: an HTTP/1.0 client never gets it.
        with srv.connect() as c:
            c.send(b"POST /v1/shop/batch HTTP/1.0\r\n%s\r\n"
                   b"Content-Length: 13\r\nExpect: 100-continue\r\n\r\n"
                   % JSON.encode())
            srv_reads(c)
            assert c.is_open()
            c.send(body)
            assert c.answer().status == 200
    with_basic_store(t)


def test_a_slow_body_is_cut_off_however_it_trickles():
    def t(srv, store):
        for way in WAYS:
            with srv.connect() as c:
                # A first one, so that the second has a deadline of its own.
                c.send(asking(way, {"ids": ["a"]}))
                assert c.answer().status == 200
                begun = time.monotonic()
                c.send(asking(way, b"", "X-Request-Id: slow", length=1000))
                while not select.select([c.sock], [], [], 0.05)[0]:
                    assert time.monotonic() - begun < 10
                    c.send(b" ")
                a = c.answer()
                assert kind(a) == (408, "request-timeout")
                assert "body" in a.json()["detail"]
                assert a["X-Request-Id"] == "slow"
                assert 0.25 < time.monotonic() - begun
                assert a["Connection"] == "close"
                # Also when it never ends its own side.
                assert c.closed()
        wait_for(lambda: srv.metric("shopview_http_cut_off_total") == 2,
                 "the count")
    with_basic_store(t, "queryapi.body_timeout_ms=300ms")


def test_each_body_has_a_deadline_of_its_own():
    def t(srv, store):
        whole = asking(WAYS[0], {"ids": ["a"]})
        begun = time.monotonic()
        with srv.connect() as c:
            c.send(whole[:-1])
            while time.monotonic() - begun < 1.5:
                time.sleep(0.1)
                c.send(whole[-1:] + whole[:-1])
                assert c.answer().status == 200
    with_basic_store(t, "queryapi.body_timeout_ms=600ms")


def test_who_leaves_at_any_byte_of_a_body_leaves_nothing():
    def t(srv, store):
        data = asking(WAYS[1], {"ids": ["a"]}, "Expect: 100-continue")
        for cut in range(len(data) + 1):
            for end in range(3):
                c = srv.connect()
                c.send(data[:cut])
                if end == 0:
                    c.reset()
                elif end == 1:
                    c.sock.shutdown(socket.SHUT_WR)
                c.sock.close()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0 and
                 srv.metric("shopview_http_in_flight") == 0, "the end of all")
        assert srv.raw(data).status in (100, 200)
    with_basic_store(t)


def test_a_stop_lets_a_begun_body_end():
    def t(srv, store):
        with srv.connect() as c:
            data = asking(WAYS[1], {"ids": ["a"]})
            c.send(data[:-3])
            srv_reads(c)
            srv.proc.send_signal(signal.SIGTERM)
            wait_for(lambda: srv.admin_get("/readyz").status == 503,
                     "the stop")
            c.send(data[-3:] + request("/v1/shop/a"))
            a = c.answer()
            assert a.status == 200 and a["Connection"] == "close"
            c.sock.shutdown(socket.SHUT_WR)
            assert c.closed()
            assert srv.proc.wait(20) == 0
    with_basic_store(t)


def test_a_key_named_batch_is_a_document_like_any_other():
    def t(srv, store):
        a = srv.get("/v1/shop/batch")
        assert kind(a) == (404, "not-found")
        a = srv.get("/v1/shop/batch", method="DELETE")
        assert a.status == 405
        assert a["Allow"] == "GET, HEAD, OPTIONS, POST"
        a = srv.get("/v1/shop/a", method="POST")
        assert a.status == 405 and a["Allow"] == "GET, HEAD, OPTIONS"
        assert a["Accept-Query"] is None
        a = srv.get("/v1/shop", method="POST")
        assert a.status == 405 and a["Allow"] == "GET, HEAD, OPTIONS, QUERY"
        assert a["Accept-Query"] == "application/json"
        name = 'shopview_http_requests_total{route="/v1/{view}/batch",'
        assert srv.raw(asking(WAYS[1], {"ids": ["a"]})).status == 200
        srv.counts(name + 'status="200"}', 1)
    with_basic_store(t)


def test_options_tells_what_can_be_asked():
    def t(srv, store):
        for target, allow in [("/v1/shop/a", "GET, HEAD, OPTIONS"),
                              ("/v1/shop", "GET, HEAD, OPTIONS, QUERY"),
                              ("/v1/shop/batch", "GET, HEAD, OPTIONS, POST"),
                              ("/openapi.json", "GET, HEAD, OPTIONS"),
                              ("*", "GET, HEAD, OPTIONS, POST, QUERY")]:
            with srv.connect() as c:
                c.send(request(target, method="OPTIONS") +
                       request("/v1/shop/a"))
                a = c.answer()
                assert a.status == 204 and a["Allow"] == allow, target
                # RFC 9110, 8.6: no length with 204.
                assert a["Content-Length"] is None
                assert a["Accept-Query"] == (
                    "application/json" if "QUERY" in allow else None)
                assert c.answer().status == 200
        assert srv.get("/nothing", method="OPTIONS").status == 404
    with_basic_store(t)


if __name__ == "__main__":
    sys.exit(main(globals()))
