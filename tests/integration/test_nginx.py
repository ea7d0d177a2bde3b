#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docker/nginx.conf in front of a real queryapi: what nginx keeps, asks for
again, and serves while the API is away.

nginx is Debian's, unpacked and not installed. Run one test: test_nginx.py
NAME. The last line is "N passed, N failed".
"""
import contextlib
import gzip
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / d) for d in ("support", "bench")]
from queryapi import (READER, Client, Server, Store, checkpoint,  # noqa: E402
                      document, generation, live, main, request, wait_for)
from servers import accepts, free_port, unpacked  # noqa: E402

# Old at once, then a while in which it is refreshed behind an answer.
QUICK = {**READER, "cache": {"maxAge": 1, "staleWhileRevalidate": 0,
                             "staleIfError": 300}}
BEHIND = {**READER, "cache": {"maxAge": 1, "staleWhileRevalidate": 60,
                              "staleIfError": 300}}
BIG = "x" * 5000
DOCUMENTS = [
    generation(1, reader=QUICK), live(0, 1), checkpoint(0, 42),
    document("a", 3, name="A"), document("b/c", 1, name="slash"),
    document("가,나", 2, name="가게"), document("big", 4, name=BIG),
    document("gone", 9, state=1),
    generation(1, "stock", BEHIND), live(0, 1, "stock"),
    document("s", 1, gen="stock.1", name="S")]


class Nginx:
    """The file as it is, but for the places and ports of this machine."""

    def __init__(self, place, api_port):
        self.port, self.place = free_port(), place
        self.address = ("127.0.0.1", self.port)
        conf = (ROOT / "docker" / "nginx.conf").read_text()
        temps = "".join(f"{kind}_temp_path {place}/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        for old, new in (
                ("listen 80;", f"listen 127.0.0.1:{self.port};"),
                ("server 127.0.0.1:8080;", f"server 127.0.0.1:{api_port};"),
                ("/var/cache/nginx/shopview", f"{place}/cache"),
                # Whoever is held up by another one waits in vain.
                ("proxy_cache_lock on;", "proxy_cache_lock on;\n"
                 "proxy_cache_lock_timeout 1h; proxy_cache_lock_age 1h;"),
                ("http {\n", "http {\naccess_log off;\n" + temps)):
            assert conf.count(old) == 1, old
            conf = conf.replace(old, new)
        (place / "nginx.conf").write_text(
            f"daemon off;\npid {place}/pid;\nerror_log {place}/error.log;\n" +
            conf)

    def __enter__(self):
        binary = unpacked("nginx") / "usr" / "sbin" / "nginx"
        self.process = subprocess.Popen(
            [binary, "-p", self.place, "-c", self.place / "nginx.conf", "-e",
             self.place / "error.log"], stderr=subprocess.DEVNULL)
        wait_for(lambda: accepts(self.port), "nginx")
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def get(self, target, *headers, method="GET"):
        with Client(self.address) as c:
            c.send(request(target, *headers, method=method))
            return c.answer(method == "HEAD")


def how(a):
    return a.status, a["X-Cache-Status"]


class Setup:
    def __init__(self, place):
        self.place, self.port = place, free_port()
        self.store = Store(str(place / "store"))
        self.store.fill(*DOCUMENTS)

    @contextlib.contextmanager
    def api(self):
        with Server(self.store.path,
                    f"queryapi.listen=127.0.0.1:{self.port}") as srv:
            yield srv.ready()


def with_nginx(test):
    with tempfile.TemporaryDirectory() as d:
        place = pathlib.Path(d)
        os.chmod(place, 0o755)  # its workers have a user of their own
        setup = Setup(place)
        with Nginx(place, setup.port) as front:
            test(setup, front)


def asked(srv):
    """Requests that the API has answered for documents."""
    text = srv.admin_get("/metrics").body.decode()
    return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith("shopview_http_requests_total{"
                                  'route="/v1/{view}/{key}"'))


def test_what_is_public_is_kept_and_asked_for_once():
    def t(setup, front):
        with setup.api() as srv:
            direct = srv.get("/v1/stock/s")
            first, second = (front.get("/v1/stock/s") for _ in range(2))
            assert how(first) == (200, "MISS"), how(first)
            assert how(second) == (200, "HIT"), how(second)
            for a in (first, second):
                assert a.body == direct.body
                for name in ("ETag", "Cache-Control", "Projection-Position"):
                    assert a[name] == direct[name], name
            assert asked(srv) == 2
            for target, body in (("/v1/shop/b%2Fc", "slash"),
                                 ("/v1/shop/%EA%B0%80%2C%EB%82%98", "가게")):
                assert front.get(target).json()["name"] == body, target
            a = front.get("/v1/shop?ids=a,b%2Fc")
            assert [i["found"] for i in a.json()["items"]] == [True, True]
            assert front.get("/openapi.json").json()["openapi"] == "3.1.0"
    with_nginx(t)


def test_conditions_are_met_by_either():
    def t(setup, front):
        with setup.api() as srv:
            tag = front.get("/v1/shop/a")["ETag"]
            a = front.get("/v1/shop/a", "If-None-Match: " + tag)
            assert a.status == 304 and a.body == b"", how(a)
            assert front.get("/v1/shop/a", 'If-None-Match: "1.2"'
                             ).status == 200
            # What has got old is asked for by its tag, and stays.
            before = srv.metric('shopview_http_requests_total{'
                                'route="/v1/{view}/{key}",status="304"}')
            a = wait_for(lambda: (lambda a: a["X-Cache-Status"] ==
                                  "REVALIDATED" and a)(
                                      front.get("/v1/shop/a")), "REVALIDATED")
            assert a.status == 200 and a["ETag"] == tag
            wait_for(lambda: srv.metric(
                'shopview_http_requests_total{'
                'route="/v1/{view}/{key}",status="304"}') > before,
                "it was asked for by its tag")
            # And goes when it has changed.
            setup.store.fill(document("a", 4, name="new"))
            wait_for(lambda: front.get("/v1/shop/a").json()["name"] == "new",
                     "the new one")
            a = front.get("/v1/shop/a", "If-None-Match: " + tag)
            assert a.status == 200 and a["ETag"] != tag
    with_nginx(t)


def test_that_there_is_none_is_kept_for_max_age_alone():
    def t(setup, front):
        with setup.api():
            for target, status in (("/v1/stock/none", 404),
                                   ("/v1/shop/gone", 410)):
                a = front.get(target)
                assert how(a) == (status, "MISS"), (target, how(a))
                assert a["Content-Type"] == "application/problem+json"
                assert a.json()["status"] == status
            assert how(front.get("/v1/stock/none")) == (404, "HIT")
            setup.store.fill(document("none", 1, gen="stock.1", name="now"))
            wait_for(lambda: front.get("/v1/stock/none").status == 200,
                     "the document")
            # Errors of the request are not kept.
            for _ in range(2):
                assert how(front.get("/v1/shop/a?x=1")) == (400, "MISS")
    with_nginx(t)


def test_head_is_get_without_the_body():
    def t(setup, front):
        with setup.api():
            whole = front.get("/v1/stock/s")
            head = front.get("/v1/stock/s", method="HEAD")
            assert how(head) == (200, "HIT") and head.body == b""
            assert head["Content-Length"] == str(len(whole.body))
            assert head["ETag"] == whole["ETag"]
            fresh = front.get("/v1/shop/big", method="HEAD")
            assert how(fresh) == (200, "MISS")
            assert len(front.get("/v1/shop/big").json()["name"]) == 5000
    with_nginx(t)


def test_each_coding_is_a_copy_of_its_own():
    def t(setup, front):
        with setup.api():
            for _ in range(2):
                plain = front.get("/v1/shop/big")
                packed = front.get("/v1/shop/big", "Accept-Encoding: gzip")
                assert plain["Content-Encoding"] is None
                assert packed["Content-Encoding"] == "gzip"
                assert gzip.decompress(packed.body) == plain.body
                assert packed["ETag"] == plain["ETag"][:-1] + '-gzip"'
                assert "Accept-Encoding" in packed["Vary"]
            a = front.get("/v1/shop/big", "Accept-Encoding: gzip",
                          "If-None-Match: " + packed["ETag"])
            assert a.status == 304
    with_nginx(t)


def test_what_is_asked_at_a_position_is_not_shared():
    def t(setup, front):
        with setup.api():
            front.get("/v1/shop/a")
            for _ in range(2):
                a = front.get("/v1/shop/a",
                              'Projection-Min-Position: "shop/0@5"')
                assert how(a) == (200, None), how(a)
                assert "no-store" in a["Cache-Control"]
    with_nginx(t)


def test_who_waits_for_a_position_holds_up_nobody_else():
    def t(setup, front):
        target, at = "/v1/shop/b%2Fc", 'Projection-Min-Position: "shop/0@50"'
        with setup.api() as srv, Client(front.address) as waits:
            waits.send(request(target, at, "Prefer: wait=60"))
            wait_for(lambda: srv.metric("shopview_watches") == 1, "the wait")
            # Nobody has it yet, and one may ask for all.
            a = front.get(target)
            assert how(a) == (200, "MISS"), how(a)
            assert waits.is_open()
            setup.store.fill(checkpoint(0, 51))
            a = waits.answer()
            assert a.status == 200 and a.json()["name"] == "slash"
            assert a["Preference-Applied"] == "wait=60"
    with_nginx(t)


def test_while_the_api_is_away_what_was_kept_is_served():
    def t(setup, front):
        with setup.api():
            for target in ("/v1/shop/a", "/v1/stock/s"):
                assert front.get(target).status == 200
            assert front.get("/v1/shop/gone").status == 410
        # Older than max-age, and nobody to ask.
        for target in ("/v1/shop/a", "/v1/stock/s"):
            a = wait_for(lambda t=target: (lambda a: a["X-Cache-Status"] in (
                "STALE", "UPDATING") and a)(front.get(t)), "STALE")
            assert a.status == 200 and a.json()["id"] == target[-1]
        assert front.get("/v1/shop/b%2Fc").status == 502
        wait_for(lambda: front.get("/v1/shop/gone").status == 502, "expiry")
        setup.store.fill(document("a", 8, name="meanwhile"))
        with setup.api():
            wait_for(lambda: front.get("/v1/shop/a").json()["name"] ==
                     "meanwhile", "the new one")
            wait_for(lambda: how(front.get("/v1/shop/b%2Fc"))[0] == 200,
                     "what was not kept")
    with_nginx(t)


def test_behind_an_answer_that_is_old_another_is_fetched():
    def t(setup, front):
        with setup.api():
            assert how(front.get("/v1/stock/s")) == (200, "MISS")
            setup.store.fill(document("s", 2, gen="stock.1", name="T"))
            seen = []

            def look():
                a = front.get("/v1/stock/s")
                seen.append((a["X-Cache-Status"], a.json()["name"]))
                return seen[-1][1] == "T"
            wait_for(look, "the new one")
            # The old one was given at once, and replaced behind its back.
            assert ("STALE", "S") in seen, seen
            assert seen[-1][0] == "HIT", seen[-1]
    with_nginx(t)


def test_who_waits_for_a_change_gets_through():
    def t(setup, front):
        with setup.api():
            tag = front.get("/v1/shop/a")["ETag"]
            begun = time.monotonic()
            with Client(front.address) as c:
                c.send(request("/v1/shop/a?wait=10", "If-None-Match: " + tag))
                setup.store.fill(document("a", 5, name="told"))
                a = c.answer()
            assert a.status == 200 and a.json()["name"] == "told"
            assert time.monotonic() - begun < 9
            a = front.get("/v1/shop/a?wait=1",
                          "If-None-Match: " + a["ETag"])
            assert a.status == 304
    with_nginx(t)


def test_events_come_as_they_are_sent():
    def t(setup, front):
        with setup.api(), Client(front.address) as c:
            c.send(request("/v1/shop/a/events", "Accept: text/event-stream"))
            wait_for(lambda: c.more() and b'"name":"A"' in c.rest,
                     "the document")
            assert c.rest.startswith(b"HTTP/1.1 200 ")
            setup.store.fill(document("a", 6, name="moved"))
            wait_for(lambda: c.more() and b'"name":"moved"' in c.rest,
                     "its change")
    with_nginx(t)


if __name__ == "__main__":
    sys.exit(main(globals()))
