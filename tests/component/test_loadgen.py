#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's load generator against the real `queryapi run`, and against
servers that misbehave: what it counts, not how fast anything is.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(__file__)
sys.path[:0] = [os.path.join(HERE, "..", d) for d in ("support", "bench")]
from data import BEGIN_MS, event, shop  # noqa: E402
from queryapi import BUILD, Server, main  # noqa: E402

SAMPLE = pathlib.Path(__file__).resolve().parents[1] / "sample"
LOADGEN = os.path.join(BUILD, "tests", "bench", "loadgen")
KEYS = [json.loads(line)["id"] for line in
        (SAMPLE / "expected" / "stock.ndjson").read_text().splitlines()]


def load(port, keys, *options, status=0):
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("".join(key + "\n" for key in keys))
        f.flush()
        done = subprocess.run(
            [LOADGEN, f"127.0.0.1:{port}", "--keys", f.name,
             "--target", "/v1/stock/{}", *map(str, options)],
            capture_output=True, timeout=60)
    assert done.returncode == status, (done.returncode, done.stderr)
    return json.loads(done.stdout)


def clean(got, sent):
    """Nothing but proper answers, one per request."""
    assert got["sent"] == got["answered"] == sent, got
    for name in ("hung_up", "malformed", "unanswered", "reconnects"):
        assert got[name] == 0, got


@contextlib.contextmanager
def sample():
    """queryapi on what the projector makes of the sample events."""
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(
            [os.path.join(BUILD, "projector", "projector"), "run",
             "--until-end", "-c", "/dev/null", "-s", f"source.dir={SAMPLE}"
             "/events", "-s", f"store.path={d}/store", "-s",
             f"projector.state_dir={d}/state", "-s",
             "projector.admin_listen="], check=True, capture_output=True)
        with Server(d + "/store") as srv:
            yield srv.ready()


def test_counts_what_the_read_api_answers():
    with sample() as srv:
        port = srv.data[1]
        bodies = [srv.get("/v1/stock/" + key).body for key in KEYS]
        got = load(port, KEYS, "--choice", "sequence", "--requests",
                   3 * len(KEYS))
        clean(got, 3 * len(KEYS))
        assert got["status"] == {"200": 3 * len(KEYS)}, got
        assert got["body_bytes"] == 3 * sum(map(len, bodies)), got
        got = load(port, [*KEYS, "nobody"], "--choice", "sequence",
                   "--requests", 2 * len(KEYS) + 2, "--browser", 1)
        clean(got, 2 * len(KEYS) + 2)
        assert got["status"] == {"200": 2 * len(KEYS), "404": 2}, got


def test_conditions_are_met_once_a_tag_was_seen():
    with sample() as srv:
        got = load(srv.data[1], KEYS, "--choice", "sequence", "--requests",
                   3 * len(KEYS), "--conditional", 100, "--connections", 1)
        clean(got, 3 * len(KEYS))
        assert got["status"] == {"200": len(KEYS), "304": 2 * len(KEYS)}, got
        assert got["conditional"] == 2 * len(KEYS), got
        got = load(srv.data[1], KEYS[:1], "--requests", 501,
                   "--conditional", 60, "--connections", 1)
        clean(got, 501)
        assert got["conditional"] == got["status"]["304"], got
        # Of 500: five standard deviations.
        assert 245 <= got["conditional"] <= 355, got


def test_batches_and_a_schedule_send_what_they_should():
    with sample() as srv:
        got = load(srv.data[1], KEYS, "--target", "/v1/stock?ids={}",
                   "--batch", 20, "--requests", 50, "--choice", "uniform")
        clean(got, 50)
        assert got["status"] == {"200": 50}, got
        got = load(srv.data[1], KEYS, "--rate", 400, "--seconds", 0.5)
        clean(got, 200)
        assert got["status"] == {"200": 200}, got


def test_documents_are_as_large_as_the_benchmark_says():
    for size in (2048, 16384, 65536):
        events = "".join(json.dumps({
            "topic": "shop", "partition": 0, "offset": n, "timestamp":
            BEGIN_MS, "key": f"shop-{n}", "headers": {}, "value": event(
                "ShopRegistered", n, shop(n, size), BEGIN_MS)}) + "\n"
            for n in range(30))
        done = subprocess.run(
            [os.path.join(BUILD, "projector", "projector"), "fold", "shop"],
            input=events.encode(), capture_output=True, check=True)
        lengths = [len(line) for line in done.stdout.splitlines()]
        assert lengths == [size] * 30, (size, set(lengths), done.stderr)


# ---- Servers that misbehave --------------------------------------------------

@contextlib.contextmanager
def server(answer):
    """A port; answer(connection) for each connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(conn,), daemon=True).start()

    def one(conn):
        with conn, contextlib.suppress(OSError):
            while conn.recv(65536):
                if not answer(conn):
                    return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def good(conn):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return True


def test_an_answer_in_single_bytes_is_one_answer():
    def slowly(conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":
            conn.sendall(bytes([byte]))
        return True
    with server(slowly) as port:
        got = load(port, ["a"], "--requests", 20, "--connections", 2)
        clean(got, 20)
        assert got["body_bytes"] == 40, got


def test_a_hang_up_and_a_malformed_answer_are_failures():
    def hangs_up(conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        return False

    def too_much(conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay")
        return True

    for answer, name in ((hangs_up, "hung_up"), (too_much, "malformed")):
        with server(answer) as port:
            got = load(port, ["a"], "--requests", 8, "--connections", 2,
                       status=1)
            assert got["sent"] == got[name] == 8, got
            assert got["answered"] == 0 and got["reconnects"] == 8, got


def test_a_close_that_was_announced_is_none():
    def once(conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                     b"Content-Length: 2\r\n\r\nok")
        return False
    with server(once) as port:
        got = load(port, ["a"], "--requests", 8, "--connections", 2)
        assert got["answered"] == 8 and got["reconnects"] == 8, got
        assert got["hung_up"] == 0, got


def test_waiting_counts_from_when_a_request_was_due():
    def late(conn):
        time.sleep(0.05)
        return good(conn)
    with server(late) as port:
        # Due within 0.2 s, answered one after the other in 1 s and more.
        got = load(port, ["a"], "--rate", 100, "--seconds", 0.2,
                   "--connections", 1)
        clean(got, 20)
        assert got["latency_us"]["max"] >= 800000, got
        # In a closed loop nothing is due before it is sent.
        got = load(port, ["a"], "--requests", 20, "--connections", 1)
        assert got["latency_us"]["p50"] >= 50000, got


def test_a_server_that_never_answers_does_not_hold_it_up():
    with server(lambda conn: True) as port:
        got = load(port, ["a"], "--rate", 10, "--seconds", 0.5,
                   "--connections", 2, status=1)
        assert got["answered"] == 0 and got["unanswered"] == 5, got


if __name__ == "__main__":
    sys.exit(main(dict(globals())))
