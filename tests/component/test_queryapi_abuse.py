#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that behave badly: nothing of theirs may stay behind.

BUILD names the build directory (default build/release); ABUSE_SECONDS is how
long the random clients go on (default 3), SEED repeats them. The last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import random
import select
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (Client, document, main, request, wait_for,
                      with_basic_store)  # noqa: E402

SECONDS = float(os.environ.get("ABUSE_SECONDS", "3"))
SEED = int(os.environ.get("SEED", str(int.from_bytes(os.urandom(4), "big"))))
GOOD = request("/v1/shop/a", "X-Request-Id: x", "Accept-Encoding: gzip")
MANY = request("/v1/shop?ids=a,big,gone,parked,none,a")
ODD = [request("/v1/shop/big", "Accept-Encoding: gzip"),
       request("/v1/shop/a", 'If-None-Match: "1.3"'),
       request("/openapi.json"), request("/nothing"),
       request("/v1/shop/a", method="HEAD"),
       request("/v1/shop/a", "Content-Length: 9", method="PUT"),
       request("/v1/shop/a", "Transfer-Encoding: chunked"),
       request("/v1/shop/a", "Connection: close"),
       b"GET /v1/shop/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
       b"\r\n\r\n" + GOOD, b"\x16\x03\x01\x02\x00\x01\x00", b"G", b""]


def descriptors(srv):
    return len(os.listdir("/proc/%d/fd" % srv.proc.pid))


def nothing_left(srv, fds):
    """Every counter at rest, every descriptor back, and still at service."""
    wait_for(lambda: srv.metric("shopview_http_connections") == 0 and
             srv.metric("shopview_http_in_flight") == 0 and
             srv.metric("shopview_http_queue_depth") == 0, "the end of all")
    # The admin's own connection may be among them.
    wait_for(lambda: descriptors(srv) <= fds + 1, "descriptors back")
    assert srv.get("/v1/shop/a").status == 200
    wait_for(lambda: srv.metric("shopview_http_connections") == 0, "rest")


def warmed_up(srv):
    """The descriptors of a server whose workers all have a session."""
    for _ in range(3):
        held = [srv.connect() for _ in range(16)]
        for c in held:
            c.send(GOOD)
        for c in held:
            assert c.answer().status == 200
            c.sock.close()
    wait_for(lambda: srv.metric("shopview_http_connections") == 0, "rest")
    return descriptors(srv)


def leave(c, how):
    if how == 0:
        c.sock.close()
    elif how == 1:
        c.reset()
    else:
        c.sock.shutdown(socket.SHUT_WR)
        c.sock.settimeout(5)
        try:
            while c.sock.recv(65536):
                pass
        except OSError:
            pass
        c.sock.close()


def test_a_client_may_leave_at_every_byte():
    def t(srv, store):
        fds = warmed_up(srv)
        for data in (GOOD + MANY, MANY + GOOD):
            for cut in range(len(data) + 1):
                for how in range(3):
                    c = srv.connect()
                    c.send(data[:cut])
                    leave(c, how)
        nothing_left(srv, fds)
    with_basic_store(t)


def read_some(c, n):
    """So many bytes of what comes, and no more."""
    while n:
        got = c.sock.recv(min(n, 65536))
        if not got:
            return
        n -= len(got)


def test_a_client_may_leave_within_every_byte_of_an_answer():
    def t(srv, store):
        store.fill(document("huge", 1, name="x" * (6 << 20)))
        fds = warmed_up(srv)
        with srv.connect() as c:
            c.send(GOOD)
            a = c.answer()
            whole = len(a.body) + 2 + sum(
                len(k) + len(v) + 4 for k, v in a.fields.items()) + \
                len("HTTP/1.1 200 OK\r\n")
        for cut in range(whole + 1):
            for how in range(3):
                c = srv.connect()
                c.send(GOOD)
                read_some(c, cut)
                leave(c, how)
        # Of one that the system does not take at once.
        for cut in [1 << n for n in range(23)] + [100, 200, 300]:
            for how in range(2):
                c = Client(srv.data, rcvbuf=4096)
                c.send(request("/v1/shop/huge") + GOOD)
                read_some(c, cut)
                leave(c, how)
        nothing_left(srv, fds)
        assert srv.metric("shopview_http_cut_off_total") == 0
    with_basic_store(t)


def test_descriptors_come_back():
    def t(srv, store):
        fds = warmed_up(srv)
        for i in range(5000):
            with srv.connect() as c:
                if i % 3:
                    c.send(GOOD)
                if i % 3 == 1:
                    assert c.answer().status == 200
        nothing_left(srv, fds)
        assert srv.metric("shopview_http_connections_accepted_total") >= 5000
    with_basic_store(t)


def test_refused_connections_leave_nothing():
    """Admission counts who it let in, and only those, exactly once."""
    def t(srv, store):
        fds = warmed_up_alone(srv)
        for i in range(40):
            held = [srv.connect() for _ in range(12)]
            for c in held:
                try:
                    c.send(GOOD)
                except OSError:
                    pass
            for c in held:
                leave(c, i % 2)
        nothing_left(srv, fds)
        # all places are free again
        held = [srv.connect() for _ in range(4)]
        for c in held:
            c.send(GOOD)
            assert c.answer().status == 200
        for c in held:
            c.sock.close()
    with_basic_store(t, "queryapi.max_connections_per_address=4")


def warmed_up_alone(srv):
    with srv.connect() as c:
        for _ in range(64):
            c.send(GOOD)
            assert c.answer().status == 200
    wait_for(lambda: srv.metric("shopview_http_connections") == 0, "rest")
    return descriptors(srv) + 4  # sessions of workers not yet awake


def garble(rnd, data):
    """The same bytes, or nearly."""
    data = bytearray(data)
    for _ in range(rnd.choice((0, 0, 1, 3))):
        if data:
            at = rnd.randrange(len(data))
            kind = rnd.randrange(3)
            if kind == 0:
                data[at] = rnd.randrange(256)
            elif kind == 1:
                del data[at]
            else:
                data[at:at] = rnd.choice((b"\r", b"\n", b" ", b":", b"%",
                                          b"\0", b"\r\n\r\n"))
    return bytes(data)


def random_client(srv, rnd, until, faults):
    while time.monotonic() < until:
        c = Client(srv.data, rcvbuf=rnd.choice((None, None, 2048)))
        c.sock.settimeout(5)
        try:
            for _ in range(rnd.randrange(1, 6)):
                data = b"".join(
                    garble(rnd, rnd.choice([GOOD, MANY] + ODD))
                    for _ in range(rnd.choice((1, 1, 2, 20))))
                at = 0
                while at < len(data):
                    n = rnd.choice((1, 3, 50, 5000))
                    c.send(data[at:at + n])
                    at += n
                    if n < 50 and rnd.random() < .2:
                        time.sleep(.001)
                if rnd.random() < .6:
                    while select.select([c.sock], [], [], .002)[0]:
                        if not c.sock.recv(rnd.choice((1, 100, 65536))):
                            break
            leave(c, rnd.randrange(3))
        except OSError:
            c.sock.close()
        except Exception as fault:
            faults.append(fault)
            return


def test_random_clients_leave_nothing():
    def t(srv, store):
        store.fill(document("big", 5, name="x" * 300000))
        fds = warmed_up(srv)
        until = time.monotonic() + SECONDS
        faults = []
        threads = [threading.Thread(target=random_client, args=(
            srv, random.Random(SEED + i), until, faults)) for i in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert srv.proc.poll() is None, "it died, SEED=%d" % SEED
            with srv.connect() as c:  # others are served all the while
                c.send(GOOD)
                assert c.answer().status == 200
            time.sleep(.05)
        for thread in threads:
            thread.join()
        assert not faults, (SEED, faults)
        nothing_left(srv, fds)
        print("      %d connections, SEED=%d" % (srv.metric(
            "shopview_http_connections_accepted_total"), SEED))
    with_basic_store(t, "queryapi.request_timeout_ms=1s",
                     "queryapi.header_timeout_ms=500ms",
                     "queryapi.idle_timeout_ms=1s", "queryapi.workers=2")


def test_slow_readers_together_are_bounded():
    """What all of them do not read stays below a bound: the rest is told."""
    def t(srv, store):
        store.fill(document("huge", 1, name="x" * 15000000))
        before = resident(srv)
        held = [Client(srv.data, rcvbuf=4096) for _ in range(30)]
        for c in held:
            c.send(request("/v1/shop/huge"))
        wait_for(lambda: srv.metric('shopview_http_requests_total{route='
                                    '"/v1/{view}/{key}",status="503"}') +
                 srv.metric('shopview_http_requests_total{route='
                            '"/v1/{view}/{key}",status="200"}') >= 30,
                 "all answered")
        refused = srv.metric('shopview_http_requests_total{route='
                             '"/v1/{view}/{key}",status="503"}')
        assert refused >= 5, refused
        # two loops of 128 MiB, and what four workers have in hand
        if "san" not in os.environ.get("BUILD", ""):  # theirs is extra
            assert resident(srv) - before < 700 << 20, resident(srv)
        for c in held:
            c.sock.close()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0, "rest")
        with srv.connect() as c:  # and there is room again
            c.send(request("/v1/shop/huge"))
            assert c.answer().status == 200
    with_basic_store(t, "queryapi.request_timeout_ms=20s")


def resident(srv):
    with open("/proc/%d/statm" % srv.proc.pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_steady_pipeliner_that_reads_is_not_cut_off():
    """Its output is never quite empty, but it reads well."""
    def t(srv, store):
        one = request("/nothing", "X-Request-Id: " + "r" * 120)
        until = time.monotonic() + 4
        with Client(srv.data, rcvbuf=16384) as c:
            c.sock.setblocking(False)
            left, read_at = b"", 0
            while time.monotonic() < until:
                r, w, _ = select.select([c.sock], [c.sock], [], .01)
                if w:
                    left = left or one * 500
                    try:
                        left = left[c.sock.send(left):]
                    except BlockingIOError:
                        pass
                # 1.6 MB/s of the 16 KB/s it has to, and less than comes
                if r and time.monotonic() - read_at > .01:
                    read_at = time.monotonic()
                    assert c.sock.recv(16384), "cut off"
        assert srv.metric("shopview_http_cut_off_total") == 0
    with_basic_store(t, "queryapi.request_timeout_ms=300ms")


def writes(srv):
    with open("/proc/%d/io" % srv.proc.pid) as f:
        return int(f.read().split("syscw: ")[1].split()[0])


def test_an_answer_is_one_write_whatever_its_size():
    """Two would meet the client's delayed acknowledgement: 40 ms."""
    def t(srv, store):
        for size in (16 << 10, 64 << 10):
            store.fill(document("large", size, name="x" * size))
            with srv.connect() as c:
                for _ in range(50):  # the system's buffers grow meanwhile
                    c.send(request("/v1/shop/large"))
                    assert c.answer().status == 200
                before = writes(srv)
                for _ in range(200):
                    c.send(request("/v1/shop/large"))
                    assert c.answer().status == 200
                # One for the socket, one to wake the loop.
                each = (writes(srv) - before) / 200
                assert each < 2.5, (size, each)
    with_basic_store(t)


def test_a_batch_counts_repeated_ids_as_they_are_sent():
    def t(srv, store):
        store.fill(document("huge", 1, name="x" * 4000000))
        assert srv.get("/v1/shop?ids=huge,huge").status == 200
        a = srv.get("/v1/shop?ids=" + ",".join(["huge"] * 9))
        assert a.status == 400 and "32 MiB" in a.json()["detail"]
    with_basic_store(t)


def test_a_request_sent_before_the_stop_is_answered():
    """On a connection at rest and on many that were not accepted yet."""
    def t(srv, store):
        with srv.connect() as rested:
            rested.send(GOOD)
            assert rested.answer().status == 200
            # Nothing is read while it is stopped: all of this arrives before
            # the signal does.
            srv.proc.send_signal(signal.SIGSTOP)
            wait_for(lambda: stopped(srv.proc.pid), "the halt")
            srv.proc.send_signal(signal.SIGTERM)
            rested.send(GOOD)
            fresh = [srv.connect() for _ in range(200)]
            for c in fresh:
                c.send(GOOD)
            srv.proc.send_signal(signal.SIGCONT)
            for c in [rested] + fresh:
                assert c.answer().status == 200
                assert c.closed()
                c.sock.close()
        assert srv.proc.wait(10) == 0
    with_basic_store(t)


def stopped(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "T"


if __name__ == "__main__":
    sys.exit(main(globals()))
