#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS of the data listener: handshakes, large answers, reload, bad clients.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (QUERYAPI, Client, document, main, request, wait_for,
                      with_basic_store)  # noqa: E402

DIR = tempfile.TemporaryDirectory()


def certificate(name, days=30):
    """A certificate of its own authority, for localhost; its files."""
    cert, key = (os.path.join(DIR.name, name + end)
                 for end in (".pem", ".key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    str(days), "-subj", "/CN=" + name, "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                    cert], check=True, capture_output=True)
    return cert, key


FIRST, SECOND = certificate("first"), certificate("second", 60)


def context(trusted=FIRST, version=None, alpn=None):
    ctx = ssl.create_default_context(cafile=trusted[0])
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    if alpn:
        ctx.set_alpn_protocols(alpn)
    return ctx


def connect(srv, ctx=None):
    c = Client(srv.data)
    # A connection that is cut is an error, and not the end.
    c.sock = (ctx or context()).wrap_socket(
        c.sock, server_hostname="localhost", suppress_ragged_eofs=False)
    return c


def get(srv, target, ctx=None):
    with connect(srv, ctx) as c:
        c.send(request(target))
        return c.answer()


def with_tls(test, *settings, pair=FIRST):
    with_basic_store(test, "queryapi.tls_certificate=" + pair[0],
                     "queryapi.tls_key=" + pair[1], *settings)


def test_answers_come_by_tls_1_2_and_1_3():
    def t(srv, store):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with connect(srv, context(version=version)) as c:
                for _ in range(3):
                    c.send(request("/v1/shop/a"))
                    a = c.answer()
                    assert a.status == 200 and a.json()["id"] == "a"
                c.send(request("/v1/shop/a", "Connection: close"))
                assert c.answer().status == 200
                assert c.closed()  # by close_notify
        # The admin listener is as it was.
        assert srv.admin_get("/livez").status == 200
        assert "event=tls.certificate" in srv.log_text()
    with_tls(t)


def test_older_versions_are_refused():
    def t(srv, store):
        for flag in ("-tls1", "-tls1_1"):
            done = subprocess.run(
                ["openssl", "s_client", flag, "-cipher", "ALL:@SECLEVEL=0",
                 "-connect", "%s:%d" % srv.data], stdin=subprocess.DEVNULL,
                capture_output=True, timeout=20)
            assert done.returncode != 0
            assert b"alert protocol version" in done.stderr, done.stderr
        assert get(srv, "/v1/shop/a").status == 200
    with_tls(t)


def test_http_1_1_is_what_is_agreed_on():
    def t(srv, store):
        with connect(srv, context(alpn=["h2", "http/1.1"])) as c:
            assert c.sock.selected_alpn_protocol() == "http/1.1"
        try:
            connect(srv, context(alpn=["h2"]))
            assert False, "h2 alone was agreed on"
        except ssl.SSLError:
            pass
    with_tls(t)


def test_large_answers_arrive_whole_and_at_once():
    def t(srv, store):
        for size in (16 << 10, 64 << 10, 8 << 20):
            store.fill(document("huge", size, name="x" * size))
            assert len(get(srv, "/v1/shop/huge").json()["name"]) == size
        store.fill(document("huge", 1, name="x" * (64 << 10)))
        with connect(srv) as c:
            took = []
            for _ in range(50):
                begun = time.monotonic()
                c.send(request("/v1/shop/huge"))
                assert c.answer().status == 200
                took.append(time.monotonic() - begun)
            assert sorted(took)[25] < 0.03, sorted(took)[25]
    with_tls(t)


def test_pipelined_requests_and_bodies_in_pieces_are_answered_in_order():
    def t(srv, store):
        body = b'{"ids":["a"]}'
        post = request("/v1/shop/batch", "Content-Type: application/json",
                       "Content-Length: %d" % len(body), method="POST") + body
        data = (request("/v1/shop/a") + post + request("/nothing")) * 20
        for step in (len(data), 200, 1):
            with connect(srv) as c:
                c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for at in range(0, len(data), step):
                    c.send(data[at:at + step])
                got = [c.answer().status for _ in range(60)]
                assert got == [200, 200, 404] * 20
    with_tls(t)


def test_more_than_a_watermark_in_one_record_is_not_left_lying():
    """What TLS has decrypted no socket tells of any more."""
    def t(srv, store):
        with connect(srv) as c:
            c.send(request("/v1/shop/a") * 150)
            for i in range(150):
                a = c.answer()
                assert a.status == 200, (i, a.body)
            body = b'{"ids":["a"]}' + b" " * 60000
            c.send(request("/v1/shop/batch", "Content-Type: application/json",
                           "Content-Length: %d" % len(body), method="POST") +
                   body + request("/v1/shop/gone"))
            assert c.answer().status == 200
            assert c.answer().status == 410
    with_tls(t, "queryapi.header_bytes=1k")


def test_what_a_client_sends_without_reading_is_bounded():
    def t(srv, store):
        store.fill(document("huge", 1, name="x" * 4000000))
        with connect(srv) as c:
            c.sock.settimeout(3)
            data, sent = request("/v1/shop/huge") * 1000, 0
            try:
                while sent < 64 << 20:
                    c.send(data)
                    sent += len(data)
                assert False, "64 MB were taken in"
            except (TimeoutError, ssl.SSLError):
                pass
            with open("/proc/%d/status" % srv.proc.pid) as f:
                rss = [line for line in f if line.startswith("VmRSS:")]
            assert int(rss[0].split()[1]) < 200 << 10, rss
        assert get(srv, "/v1/shop/a").status == 200
    with_tls(t, "queryapi.request_timeout_ms=60s")


def test_a_handshake_that_takes_too_long_is_cut_off():
    def t(srv, store):
        with Client(srv.data) as c:
            begun = time.monotonic()
            c.send(b"\x16\x03\x01\x02\x00")
            assert c.closed()
            assert time.monotonic() - begun > 0.25
        with Client(srv.data) as c:
            assert c.closed()
        wait_for(lambda: srv.metric("shopview_http_cut_off_total") == 2,
                 "the count")
        assert get(srv, "/v1/shop/a").status == 200
    with_tls(t, "queryapi.header_timeout_ms=300ms")


def test_who_does_not_speak_tls_is_told_nothing():
    def t(srv, store):
        for data in (request("/v1/shop/a"), b"\0" * 100,
                     b"\x16\x03\x01\xff\xff" + b"x" * 70000):
            with Client(srv.data) as c:
                try:
                    c.send(data)
                    while c.more():
                        pass
                except ConnectionError:
                    pass
                assert b"HTTP/" not in c.rest and b"shop" not in c.rest
        assert get(srv, "/v1/shop/a").status == 200
    with_tls(t)


def hello():
    """The first bytes that a client sends."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def test_who_leaves_at_any_byte_of_the_handshake_leaves_nothing():
    def t(srv, store):
        data = hello()
        for cut in range(len(data) + 1):
            c = Client(srv.data)
            c.send(data[:cut])
            if cut % 2:
                c.reset()
            else:
                c.sock.close()
        for _ in range(50):  # and right behind it
            c = connect(srv)
            c.send(request("/v1/shop/a"))
            c.reset()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0 and
                 srv.metric("shopview_http_in_flight") == 0, "the end of all")
        assert get(srv, "/v1/shop/a").status == 200
    with_tls(t)


def test_a_connection_too_many_is_told_so_by_tls_too():
    def t(srv, store):
        held = [connect(srv) for _ in range(3)]
        for c in held:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
        with connect(srv) as c:
            assert c.answer().status == 503
        for c in held:
            c.sock.close()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0, "rest")
        assert get(srv, "/v1/shop/a").status == 200
    with_tls(t, "queryapi.max_connections=3")


def test_an_idle_connection_is_closed_with_a_word():
    def t(srv, store):
        with connect(srv) as c:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
            assert c.closed()
    with_tls(t, "queryapi.idle_timeout_ms=200ms")


def test_certificates_are_exchanged_without_a_pause():
    def t(srv, store):
        old = connect(srv)
        old.send(request("/v1/shop/a"))
        assert old.answer().status == 200
        for file, other in zip(pair, SECOND):
            shutil.copyfile(other, file)
        srv.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: srv.log_text().count("event=tls.certificate") == 2,
                 "the new one")
        assert get(srv, "/v1/shop/a", context(SECOND)).status == 200
        try:
            get(srv, "/v1/shop/a")
            assert False, "the old one is still in use"
        except ssl.SSLCertVerificationError:
            pass
        old.send(request("/v1/shop/a"))  # what was begun goes on
        assert old.answer().status == 200
        # A pair that does not fit changes nothing.
        shutil.copyfile(FIRST[1], pair[1])
        srv.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=tls.refused" in srv.log_text(), "the refusal")
        assert get(srv, "/v1/shop/a", context(SECOND)).status == 200
        os.unlink(pair[0])
        srv.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: srv.log_text().count("event=tls.refused") == 2,
                 "the second")
        assert get(srv, "/v1/shop/a", context(SECOND)).status == 200
    pair = [os.path.join(DIR.name, "live" + end) for end in (".pem", ".key")]
    for file, first in zip(pair, FIRST):
        shutil.copyfile(first, file)
    with_tls(t, pair=pair)


def test_sighup_without_tls_changes_nothing():
    def t(srv, store):
        srv.proc.send_signal(signal.SIGHUP)
        for _ in range(20):
            assert srv.get("/v1/shop/a").status == 200
    with_basic_store(t)


def test_files_that_cannot_be_used_are_told_at_the_start():
    def start(cert, key):
        return subprocess.run(
            [QUERYAPI, "run", "-s", "queryapi.listen=127.0.0.1:0", "-s",
             "queryapi.admin_listen=127.0.0.1:0", "-s",
             "store.path=/nonexistent/store", "-s",
             "queryapi.tls_certificate=" + cert, "-s",
             "queryapi.tls_key=" + key], capture_output=True, timeout=20)
    none = os.path.join(DIR.name, "none")
    for cert, key, what in [(FIRST[0], "", b"tls_certificate"),
                            ("", FIRST[1], b"tls_key"),
                            (none, FIRST[1], b"tls_certificate"),
                            (FIRST[0], none, b"tls_key"),
                            (FIRST[0], SECOND[1], b"tls_key"),
                            (FIRST[1], FIRST[1], b"tls_certificate")]:
        done = start(cert, key)
        assert done.returncode == 78 and what in done.stderr, done


if __name__ == "__main__":
    sys.exit(main(globals()))
