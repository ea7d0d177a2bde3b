#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections, limits, start and stop of the read side, on raw sockets.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (BASIC, Client, PATIENCE, QUERYAPI, Server, Store,
                      document, generation, live, main, request,
                      wait_for, with_basic_store)  # noqa: E402


def test_pipelined_requests_are_answered_in_order():
    def t(srv, store):
        n = 2000
        with srv.connect() as c:
            wants = []
            data = b""
            for i in range(n):
                kind = i % 5
                rid = "r%d" % i
                target, method, status = [
                    ("/v1/shop/a", "GET", 200), ("/x", "GET", 404),
                    ("/v1/shop/gone", "GET", 410), ("/v1/shop/a", "HEAD", 200),
                    ("/v1/shop/a", "PUT", 405)][kind]
                data += request(target, "X-Request-Id: " + rid, method=method)
                wants.append((rid, status, method == "HEAD"))
            # The server takes in no more than it answers: write and read.
            c.sock.setblocking(False)
            sent = got = 0
            until = time.monotonic() + 60
            while got < n:
                assert time.monotonic() < until, (sent, got)
                r, w, _ = select.select([c.sock], [c.sock] if
                                        sent < len(data) else [], [], 1)
                if w:
                    sent += c.sock.send(data[sent:sent + 65536])
                if r:
                    assert c.more()
                while got < n and whole(c.rest, wants[got][2]):
                    rid, status, head = wants[got]
                    a = c.answer(head)
                    assert (a["X-Request-Id"], a.status) == (rid, status), got
                    got += 1
    with_basic_store(t)


def whole(data, head):
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    m = re.search(rb"Content-Length: (\d+)", data[:end])
    return head or len(data) >= end + 4 + int(m.group(1))


def test_nothing_is_answered_behind_close():
    def t(srv, store):
        with srv.connect() as c:
            c.send(request("/v1/shop/a", "Connection: close") +
                   request("/v1/shop/a"))
            assert c.answer()["Connection"] == "close"
            assert c.closed()
    with_basic_store(t)


def test_a_request_may_come_byte_by_byte():
    def t(srv, store):
        with srv.connect() as c:
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for b in request("/v1/shop/a"):
                c.send(bytes([b]))
            assert c.answer().status == 200
    with_basic_store(t)


def test_a_body_behind_a_refusal_does_not_reset_the_answer():
    def t(srv, store):
        for _ in range(20):
            with srv.connect() as c:
                c.send(b"POST /v1/shop/a HTTP/1.1\r\nHost: a\r\n"
                       b"Content-Length: 100000\r\n\r\n" + b"x" * 100000)
                assert c.answer().status == 405
                assert c.closed()
    with_basic_store(t)


def test_a_client_may_finish_sending_behind_its_answer():
    def t(srv, store):
        with srv.connect() as c:
            c.send(b"POST /v1/shop/a HTTP/1.1\r\nHost: a\r\n"
                   b"Content-Length: 5000\r\n\r\n")
            assert c.answer().status == 405
            for _ in range(5):  # a reset would fail the second of these
                c.send(b"x" * 1000)
                time.sleep(0.02)
            assert c.closed()
    with_basic_store(t)


def test_a_slow_head_is_cut_off_however_it_trickles():
    def t(srv, store):
        with srv.connect() as c:
            begun = time.monotonic()
            c.send(b"GET / HTTP/1.1\r\n")
            while not select.select([c.sock], [], [], 0.05)[0]:
                assert time.monotonic() - begun < PATIENCE
                c.send(b"X: y\r\n")
            a = c.answer()
            assert a.status == 408 and a["Connection"] == "close"
            assert 0.25 < time.monotonic() - begun
            assert a.json()["type"].endswith("request-timeout")
            c.sock.shutdown(socket.SHUT_WR)
            assert c.closed()
        with srv.connect() as c:  # the second request's head as well
            c.send(request("/v1/shop/a") + b"GET")
            assert c.answer().status == 200
            assert c.answer().status == 408
    with_basic_store(t, "queryapi.header_timeout_ms=300ms")


def test_an_idle_connection_is_closed_silently():
    def t(srv, store):
        with srv.connect() as fresh, srv.connect() as used:
            used.send(request("/v1/shop/a"))
            assert used.answer().status == 200
            assert used.closed() and fresh.closed()
    with_basic_store(t, "queryapi.idle_timeout_ms=200ms")


def test_an_active_connection_outlives_the_idle_timeout():
    def t(srv, store):
        with srv.connect() as c:
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                c.send(request("/v1/shop/a"))
                assert c.answer().status == 200
                time.sleep(0.1)
    with_basic_store(t, "queryapi.idle_timeout_ms=400ms")


def test_a_client_that_does_not_read_is_bounded_and_cut_off():
    def t(srv, store):
        store.fill(document("huge", 1, name="x" * 4000000))
        with Client(srv.data, rcvbuf=4096) as c:
            c.send(request("/v1/shop/huge") * 50)
            # one answer at a time is made; then the deadline ends it
            wait_for(lambda: srv.metric("shopview_http_cut_off_total") >= 1,
                     "the cut")
            assert srv.metric('shopview_http_requests_total{route='
                              '"/v1/{view}/{key}",status="200"}') <= 2
        assert srv.get("/v1/shop/a").status == 200
    with_basic_store(t, "queryapi.request_timeout_ms=300ms")


def test_a_large_document_arrives_whole_and_at_once():
    def t(srv, store):
        for size in (16 << 10, 64 << 10, 8 << 20):
            store.fill(document("huge", size, name="x" * size))
            a = srv.get("/v1/shop/huge")
            assert len(a.json()["name"]) == size
        # one write per response: no 40 ms of delayed acknowledgement
        store.fill(document("huge", 1, name="x" * (16 << 10)))
        with srv.connect() as c:
            took = []
            for _ in range(50):
                begun = time.monotonic()
                c.send(request("/v1/shop/huge"))
                assert c.answer().status == 200
                took.append(time.monotonic() - begun)
            assert sorted(took)[25] < 0.03, sorted(took)[25]
    with_basic_store(t)


def test_clients_that_hang_up_are_forgotten():
    def t(srv, store):
        for i in range(200):
            c = srv.connect()
            c.send(request("/v1/shop/a"))
            if i % 2:
                c.reset()
            else:
                c.sock.close()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0 and
                 srv.metric("shopview_http_in_flight") == 0, "the end of all")
        assert srv.get("/v1/shop/a").status == 200
    with_basic_store(t)


def test_connections_are_limited_per_address():
    def t(srv, store):
        held = [srv.connect() for _ in range(3)]
        for c in held:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
        with srv.connect() as c:
            a = c.answer()
            assert a.status == 503 and a["Retry-After"] == "1"
            assert a["Connection"] == "close"
            assert "address" in a.json()["detail"]
            assert c.closed()
        held.pop().sock.close()
        wait_for(lambda: srv.get("/v1/shop/a").status == 200, "a free place")
        for c in held:
            c.sock.close()
    with_basic_store(t, "queryapi.max_connections_per_address=3")


def test_connections_are_limited_in_all():
    def t(srv, store):
        held = [srv.connect() for _ in range(5)]
        for c in held:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
        # Even when very many are turned away, those inside are served.
        for _ in range(150):
            with srv.connect() as c:
                try:
                    c.more()
                except ConnectionResetError:
                    pass
                assert c.rest == b"" or c.rest.startswith(b"HTTP/1.1 503")
        for c in held:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
            c.sock.close()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0,
                 "all gone")
        assert srv.get("/v1/shop/a").status == 200
    with_basic_store(t, "queryapi.max_connections=5")


def test_running_out_of_descriptors_is_survived():
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        with Server(store.path, preexec=limit) as srv:
            srv.ready()
            held = [srv.connect() for _ in range(100)]
            wait_for(lambda: sum(not c.is_open() for c in held) > 20,
                     "clients turned away")
            wait_for(lambda: len(os.listdir("/proc/%d/fd" % srv.proc.pid))
                     == 60, "no descriptor left")
            asking = [Client(srv.admin) for _ in range(20)]
            cpu = cpu_seconds(srv.proc.pid)
            time.sleep(0.5)
            assert cpu_seconds(srv.proc.pid) - cpu < 0.3, "accept() spins"
            for c in held + asking:
                c.sock.close()
            def served():
                try:
                    return srv.get("/v1/shop/a").status == 200
                except (AssertionError, OSError):
                    return False
            wait_for(served, "service again")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        parts = f.read().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def test_a_moved_live_pointer_is_followed():
    def t(srv, store):
        assert srv.get("/v1/shop/a")["ETag"] == '"1.3"'
        store.fill(generation(2, reader={"cache": {"maxAge": 9},
                                         "fields": []}),
                   document("a", 1, gen="shop.2", name="new"), live(1, 2))
        a = wait_for(lambda: (lambda r: r["ETag"] == '"2.1"' and r)(
            srv.get("/v1/shop/a")), "the new generation")
        assert a.json()["name"] == "new"
        assert a["Cache-Control"].startswith("public, max-age=9")
        # A key of the old one only is absent, at once: never half and half.
        assert srv.get("/v1/shop/big").status == 404
        assert srv.get("/v1/shop/a", 'If-None-Match: "1.3"').status == 200
        store.fill(live(2, 1))
        wait_for(lambda: srv.get("/v1/shop/a")["ETag"] == '"1.3"', "the old")
        assert srv.metric('shopview_view_generation{view="shop"}') == 1
    with_basic_store(t)


def test_a_view_appears_without_restart():
    def t(srv, store):
        assert srv.get("/v1/order/o").status == 404
        store.fill(generation(1, "order"), document("o", 1, gen="order.1"))
        assert srv.get("/v1/order/o").status == 404
        store.fill(live(0, 1, "order"))
        wait_for(lambda: srv.get("/v1/order/o").status == 200, "the view")
        assert "/v1/order" in srv.get("/openapi.json").json()["paths"]
    with_basic_store(t)


def test_it_starts_without_a_store_and_waits():
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        with Server(store.path) as srv:
            assert srv.admin_get("/livez").status == 200
            assert srv.admin_get("/readyz").status == 503
            for target in ("/v1/shop/a", "/v1/shop?ids=a", "/openapi.json"):
                a = srv.get(target)
                assert a.status == 503 and a["Retry-After"] == "1", target
                assert a.json()["type"].endswith(":store-unavailable")
                assert a["Cache-Control"] == "no-store"
            assert srv.get("/x").status == 404
            wait_for(lambda: "event=store.away" in srv.log_text(), "a word")
            assert not os.path.exists(store.path), "it made a store"
            store.fill(*BASIC)
            srv.ready()
            assert srv.get("/v1/shop/a").status == 200


def test_the_admin_listener_tells_what_goes_on():
    def t(srv, store):
        for _ in range(3):
            srv.get("/v1/shop/a")
        srv.get("/v1/shop/none")
        name = 'shopview_http_requests_total{route="/v1/{view}/{key}",'
        srv.counts(name + 'status="200"}', 3)
        srv.counts(name + 'status="404"}', 1)
        s = srv.admin_get("/status").json()
        assert s["ready"] is True and s["statuses"] == {"200": 3, "404": 1}
        assert sum(s["latency_counts"]) == s["requests"] == 4
        assert {"view": "shop", "generation": 1, "version": 1,
                "next": {"shop/0": 42, "shop/1": 3}} in s["views"]
        assert srv.metric('shopview_http_request_seconds_count{route='
                          '"/v1/{view}/{key}"}') == 4
        assert srv.metric("shopview_store_up") == 1
        page = srv.admin_get("/")
        assert page["Content-Type"].startswith("text/html")
        assert b"http://" not in page.body.replace(
            b"http://www.w3.org/2000/svg", b"") and b"https://" not in page.body
        assert srv.admin_get("/nothing").status == 404
        assert srv.get("/livez").status == 404  # not on the data listener
    with_basic_store(t)


def test_a_stop_ends_idle_connections_and_exits_0():
    def t(srv, store):
        with srv.connect() as idle, srv.connect() as fresh:
            idle.send(request("/v1/shop/a"))
            assert idle.answer().status == 200
            begun = time.monotonic()
            assert srv.stop() == 0
            assert time.monotonic() - begun < 5
            assert idle.closed() and fresh.closed()
    with_basic_store(t, "queryapi.stop_timeout_ms=10s")


def taken_in(*clients):
    """Waits until the server has read every byte that these have sent."""
    ports = {"%04X" % c.sock.getsockname()[1] for c in clients}

    def queues_are_empty():
        # Both ends of each: on a busy machine what was sent may not have
        # arrived, and then only the sender's queue holds it.
        with open("/proc/net/tcp") as rows:
            rows = [row.split()[1:5] for row in rows]
        ends = [queue for local, remote, state, queue in rows
                if state == "01" and ports & {local[-4:], remote[-4:]}]
        return len(ends) == 2 * len(ports) and set(ends) == {"0" * 8 + ":" +
                                                              "0" * 8}
    wait_for(queues_are_empty, "what was sent to be read")


def test_a_stop_lets_a_begun_request_end():
    def t(srv, store):
        with srv.connect() as c, srv.connect() as other:
            c.send(b"GET /v1/shop/a HTTP/1.1\r\n")
            other.send(b"GET /nothing HTTP/1.1\r\n")
            taken_in(c, other)
            srv.proc.send_signal(signal.SIGINT)
            wait_for(lambda: "event=stop " in srv.log_text(), "the stop")
            # Refused from now on, ready no more.
            def refused():
                try:
                    Client(srv.data).sock.close()
                    return False
                except ConnectionError:
                    return True
            wait_for(refused, "the listener's end")
            assert srv.admin_get("/readyz").status == 503
            c.send(b"Host: a\r\n\r\n" + request("/v1/shop/a"))
            a = c.answer()
            assert a.status == 200 and a["Connection"] == "close"
            c.sock.shutdown(socket.SHUT_WR)
            assert c.closed()
            other.send(b"Host: a\r\n\r\n")
            a = other.answer()
            assert a.status == 404 and a["Connection"] == "close"
            other.sock.shutdown(socket.SHUT_WR)
            assert other.closed()
            assert srv.proc.wait(PATIENCE) == 0
    with_basic_store(t)


def test_a_stop_is_bounded():
    def t(srv, store):
        with srv.connect() as c:
            c.send(b"GET /v1/shop/a HTTP/1.1\r\n")
            taken_in(c)
            begun = time.monotonic()
            assert srv.stop() == 0
            took = time.monotonic() - begun
            assert 0.2 < took < 5, took
            assert c.closed()
    with_basic_store(t, "queryapi.stop_timeout_ms=400ms")


def test_a_second_signal_ends_it_at_once():
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        srv = Server(store.path, "queryapi.stop_timeout_ms=600s").ready()
        with srv.connect() as c:
            c.send(b"GET")
            taken_in(c)
            srv.proc.send_signal(signal.SIGTERM)
            wait_for(lambda: "event=stop " in srv.log_text(), "the stop")
            time.sleep(0.1)
            assert srv.proc.poll() is None
            srv.proc.send_signal(signal.SIGTERM)
            assert srv.proc.wait(5) == 1


def test_check_tells_what_is_wrong():
    with tempfile.TemporaryDirectory() as d:
        def check(*args):
            done = subprocess.run([QUERYAPI, "check"] + list(args),
                                  capture_output=True)
            return done.returncode, (done.stdout + done.stderr).decode()
        path = "store.path=" + d + "/store"
        code, text = check("-s", path)
        assert code == 1 and "fault" in text
        assert not os.path.exists(d + "/store")
        Store(d + "/store").fill(generation(1))
        code, text = check("-s", path)
        assert code == 1 and "no view" in text, text
        Store(d + "/store").fill(live(0, 1))
        code, text = check("-s", path)
        assert code == 0 and "view shop generation 1" in text, text
        assert check("-s", "queryapi.lissten=x")[0] == 78
        assert check("-c", d + "/none.conf")[0] == 78


def test_only_loopback_is_bound_without_a_choice():
    for key in ("listen", "admin_listen"):
        done = subprocess.run(
            [QUERYAPI, "run", "-s", "queryapi.%s=0.0.0.0:0" % key,
             "-s", "store.path=/nonexistent/store"],
            capture_output=True, timeout=PATIENCE)
        assert done.returncode == 78, done
        assert b"public" in done.stderr, done.stderr


def test_an_address_in_use_is_told():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = subprocess.run(
            [QUERYAPI, "run", "-s", "queryapi.listen=127.0.0.1:%d" %
             s.getsockname()[1], "-s", "store.path=/nonexistent/store",
             "-s", "queryapi.admin_listen=127.0.0.1:0"],
            capture_output=True, timeout=PATIENCE)
        assert done.returncode == 1 and b"in use" in done.stderr, done


def test_the_configuration_is_printed():
    out = subprocess.run([QUERYAPI, "config", "--reference"],
                         capture_output=True, check=True).stdout
    assert b"max_connections" in out
    out = subprocess.run([QUERYAPI, "config", "-s", "queryapi.workers=3"],
                         capture_output=True, check=True).stdout
    assert re.search(rb"workers\s*=\s*3", out), out


if __name__ == "__main__":
    sys.exit(main(globals()))
