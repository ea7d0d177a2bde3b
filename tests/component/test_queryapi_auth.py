#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens and rates of the read side: who may read what, and how often.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (BASIC, PATIENCE, QUERYAPI, Server, Store, main, request,
                      wait_for, with_basic_store)  # noqa: E402

ALL, SHOPS, MINE = "all-of-it", "shops.only", "my~keys=="
JSON = "Content-Type: application/json"


def hashed(token):
    return hashlib.sha256(token.encode()).hexdigest()


TOKENS = ["token.all.sha256=" + hashed(ALL),
          "token.shops.sha256=" + hashed(SHOPS).upper(),
          "token.shops.views=shop",
          "token.mine.sha256=" + hashed(MINE),
          "token.mine.key_prefix=b",
          "token.a.sha256=" + hashed("only-a"), "token.a.key_prefix=a"]


def bearer(token):
    return "Authorization: Bearer " + token


def kind(a):
    return a.status, a.json()["type"].split(":")[-1]


def batch(method, target, ids, *headers):
    body = json.dumps({"ids": ids}).encode()
    return request(target, JSON, "Content-Length: %d" % len(body), *headers,
                   method=method) + body


def test_without_a_token_nothing_is_read():
    def t(srv, store):
        for target in ("/v1/shop/a", "/v1/shop?ids=a", "/v1/nothing/a",
                       "/openapi.json", "/nothing", "/v1/shop/a?x=1"):
            for method in ("GET", "HEAD", "DELETE", "QUERY"):
                a = srv.get(target, method=method)
                assert a.status == 401, (target, method)
                assert a["WWW-Authenticate"] == 'Bearer realm="shopview"'
                assert a["Cache-Control"] == "no-store"
        assert kind(srv.get("/v1/shop/a")) == (401, "unauthorized")
        for other in ("Basic YTpi", "Bearerx " + ALL, "Digest x", "", ALL):
            a = srv.get("/v1/shop/a", "Authorization: " + other)
            assert a.status == 401, other
        a = srv.get("/v1/shop/a?access_token=" + ALL)
        assert a.status == 401
    with_basic_store(t, *TOKENS)


def test_a_wrong_token_is_told_from_a_malformed_one():
    def t(srv, store):
        for wrong in (ALL + "x", ALL[:-1], ALL.upper(), hashed(ALL), "x",
                      "x" * 512):
            a = srv.get("/v1/shop/a", bearer(wrong))
            assert kind(a) == (401, "unauthorized"), wrong
            assert 'error="invalid_token"' in a["WWW-Authenticate"]
        for bad in ("", "a b", "a,b", '"%s"' % ALL, "=", "a=b", "x" * 513):
            a = srv.get("/v1/shop/a", bearer(bad))
            # "Bearer" alone has lost its space, and is a scheme alone.
            assert kind(a) == (400, "bad-request"), bad
            assert 'error="invalid_request"' in a["WWW-Authenticate"]
        a = srv.get("/v1/shop/a", bearer(ALL), bearer(ALL))
        assert kind(a) == (400, "bad-request")
    with_basic_store(t, *TOKENS)


def test_a_good_token_reads_and_no_shared_cache_keeps_it():
    def t(srv, store):
        for scheme in ("Bearer ", "bearer ", "BEARER   "):
            a = srv.get("/v1/shop/a", "Authorization: " + scheme + ALL)
            assert a.status == 200
            assert a["Cache-Control"] == (
                "private, max-age=5, stale-while-revalidate=30, "
                "stale-if-error=300")
            assert a.json()["id"] == "a"
        for target, status in [("/v1/shop/a", 200), ("/v1/shop/none", 404),
                               ("/v1/shop/gone", 410), ("/v1/stock/s", 200),
                               ("/v1/shop?ids=a", 200), ("/nothing", 404),
                               ("/openapi.json", 200), ("/v1/shop/%00", 400)]:
            a = srv.get(target, bearer(ALL))
            assert a.status == status, target
            assert "public" not in (a["Cache-Control"] or ""), target
        a = srv.get("/v1/shop/a", bearer(ALL), 'If-None-Match: "1.3"')
        assert a.status == 304
        assert a["Cache-Control"].startswith("private, max-age=5")
        a = srv.get("/v1/shop/big", bearer(ALL))
        assert len(a.json()["name"]) == 5000
    with_basic_store(t, *TOKENS)


def test_a_token_reads_the_views_of_its_scope_alone():
    def t(srv, store):
        assert srv.get("/v1/shop/a", bearer(SHOPS)).status == 200
        assert srv.raw(batch("POST", "/v1/shop/batch", ["a"], bearer(SHOPS))
                       ).status == 200
        for target in ("/v1/stock/s", "/v1/stock?ids=s", "/v1/nothing/x",
                       "/v1/Shop/a", "/v1/shop2/a"):
            a = srv.get(target, bearer(SHOPS))
            assert kind(a) == (403, "forbidden"), target
            assert 'error="insufficient_scope"' in a["WWW-Authenticate"]
        for method, target in (("QUERY", "/v1/stock"),
                               ("POST", "/v1/stock/batch")):
            with srv.connect() as c:
                # Decided by the head: the body is not read.
                c.send(request(target, JSON, "Content-Length: 50",
                               bearer(SHOPS), "Expect: 100-continue",
                               method=method))
                a = c.answer()
                assert a.status == 403 and a["Connection"] == "close"
    with_basic_store(t, *TOKENS)


def test_a_token_reads_the_keys_of_its_scope_alone_each_of_a_batch():
    def t(srv, store):
        assert srv.get("/v1/shop/b%2Fc", bearer(MINE)).status == 200
        assert srv.get("/v1/shop/%62ig", bearer(MINE)).status == 200
        for target in ("/v1/shop/a", "/v1/shop/none", "/v1/shop/gone",
                       "/v1/stock/s", "/v1/shop/%61", "/v1/shop/B",
                       "/v1/shop?ids=a", "/v1/shop?ids=big,a",
                       "/v1/shop?ids=big,%61,big", "/v1/shop",
                       "/v1/shop?limit=5"):
            a = srv.get(target, bearer(MINE))
            assert kind(a) == (403, "forbidden"), target
        assert srv.get("/v1/shop?ids=big,b%2Fc", bearer(MINE)).status == 200
        # Naming some does not open the list of all.
        a = srv.get("/v1/shop?ids=big&limit=5", bearer(MINE))
        assert a.status == 400 and b'"id"' not in a.body
        for method, target in (("QUERY", "/v1/shop"),
                               ("POST", "/v1/shop/batch")):
            for ids, status in ((["big"], 200), (["big", "b/c"], 200),
                                (["a"], 403), (["big", "a"], 403),
                                (["b"] * 99 + ["\u0062"], 200),
                                (["b"] * 99 + ["\u0061"], 403)):
                a = srv.raw(batch(method, target, ids, bearer(MINE)))
                assert a.status == status, (ids, a.body)
        # "batch" is no key there
        a = srv.raw(batch("POST", "/v1/shop/batch", ["a"], bearer("only-a")))
        assert a.status == 200, a.body
    with_basic_store(t, *TOKENS)


def test_neither_token_nor_key_is_in_any_log_line():
    def t(srv, store):
        srv.get("/v1/shop/secret-key", bearer(ALL))
        srv.get("/v1/shop/secret-key", bearer("wrong-" + ALL))
        srv.get("/v1/shop?ids=secret-key", bearer(ALL))
        wait_for(lambda: srv.log_text().count("event=access") == 3, "lines")
        text = srv.log_text()
        assert ALL not in text and "secret-key" not in text
        assert hashed(ALL) not in text
        assert text.count("token=all") == 2
    with_basic_store(t, "queryapi.access_log=1", *TOKENS)


def test_the_verb_makes_a_token_that_works_and_keeps_none():
    seen = set()
    for _ in range(20):
        done = subprocess.run([QUERYAPI, "token", "web"], check=True,
                              capture_output=True)
        text = done.stdout.decode()
        m = re.search(r"^# (sv_[A-Za-z0-9_-]{43})$", text, re.M)
        token = m.group(1)
        assert 'token "web" { sha256 = "%s" }' % hashed(token) in text
        assert token not in seen
        seen.add(token)
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        conf = d + "/shopview.conf"
        with open(conf, "w") as f:
            f.write(text)  # as it was printed
        shown = subprocess.run([QUERYAPI, "config", "-c", conf], check=True,
                               capture_output=True).stdout.decode()
        assert hashed(token) not in shown and 'token "web"' in shown
        os.environ["SHOPVIEW_CONFIG"] = conf
        try:
            with Server(store.path) as srv:
                srv.ready()
                assert srv.get("/v1/shop/a").status == 401
                assert srv.get("/v1/shop/a", bearer(token)).status == 200
        finally:
            del os.environ["SHOPVIEW_CONFIG"]
    assert subprocess.run([QUERYAPI, "token", "a b"], capture_output=True
                          ).returncode == 64


def test_an_address_for_others_is_bound_with_a_token_or_a_choice_only():
    def start(*settings):
        args = [QUERYAPI, "run", "-s", "store.path=/nonexistent/store",
                "-s", "queryapi.admin_listen=127.0.0.1:0"]
        for s in settings:
            args += ["-s", s]
        return subprocess.run(["timeout", "-s", "TERM", "2"] + args,
                              capture_output=True, timeout=PATIENCE)
    done = start("queryapi.listen=0.0.0.0:0")
    assert done.returncode == 78, done
    assert b"queryapi.public" in done.stderr and b"token" in done.stderr
    for how in (["queryapi.public=true"], TOKENS):
        done = start("queryapi.listen=0.0.0.0:0", *how)
        assert b"listener=data address=0.0.0.0:" in done.stderr, done
    # A token is not what the admin listener asks for.
    done = start("queryapi.listen=127.0.0.1:0",
                 "queryapi.admin_listen=0.0.0.0:0", *TOKENS)
    assert done.returncode == 78, done


def test_a_hash_that_is_none_is_refused():
    for bad in ("", "abc", "g" * 64, "a" * 63, "a" * 65):
        done = subprocess.run([QUERYAPI, "config", "-s",
                               "token.x.sha256=" + bad], capture_output=True)
        assert done.returncode == 78 and b"sha256" in done.stderr, bad
        assert not bad or bad.encode() not in done.stderr
    done = subprocess.run([QUERYAPI, "config", "-s", "token.x.views=shop"],
                          capture_output=True)
    assert done.returncode == 78, done


def asked(srv, n, *headers):
    with srv.connect() as c:
        c.send(request("/v1/shop/a", *headers) * n)
        return [c.answer() for _ in range(n)]


def test_a_token_that_asks_too_often_is_told_when_to_come_again():
    def t(srv, store):
        got = asked(srv, 60, bearer(ALL))
        statuses = [a.status for a in got]
        assert statuses[:3] == [200] * 3 and 429 in statuses, statuses
        late = next(a for a in got if a.status == 429)
        assert kind(late) == (429, "too-many-requests")
        assert late["Retry-After"] == "1" and late["Connection"] is None
        # Another token is not concerned, and neither is who waited.
        assert srv.get("/v1/shop/a", bearer(SHOPS)).status == 200
        time.sleep(int(late["Retry-After"]))
        assert srv.get("/v1/shop/a", bearer(ALL)).status == 200
    with_basic_store(t, "token.all.rate=3", *TOKENS)


def test_an_address_that_asks_too_often_is_told_so():
    def t(srv, store):
        statuses = [a.status for a in asked(srv, 100)]
        assert statuses[:5] == [200] * 5 and 429 in statuses, statuses
        # Whatever it asks, also what there is not, and on a new connection.
        with srv.connect() as c:
            c.send(request("/nothing") * 100)
            assert 429 in [c.answer().status for _ in range(100)]
    with_basic_store(t, "queryapi.address_rate=5")


def test_guessing_tokens_is_limited_and_a_good_token_is_not():
    def t(srv, store):
        statuses = [a.status for a in asked(srv, 100, bearer("guess"))]
        assert statuses[0] == 401 and 429 in statuses, statuses
        assert [a.status for a in asked(srv, 20, bearer(ALL))] == [200] * 20
    with_basic_store(t, "queryapi.address_rate=5", *TOKENS)


def test_a_body_is_counted_once_and_a_refused_one_is_not_read():
    def t(srv, store):
        with srv.connect() as c:
            data = batch("POST", "/v1/shop/batch", ["a"])
            for _ in range(5):  # each looked at twice
                c.send(data[:-1])
                time.sleep(0.02)
                c.send(data[-1:])
                assert c.answer().status == 200
        with srv.connect() as c:
            c.send(request("/nothing") * 100 +
                   request("/v1/shop/batch", JSON, "Content-Length: 9",
                           "Expect: 100-continue", method="POST"))
            for _ in range(100):
                c.answer()
            a = c.answer()
            assert a.status == 429 and a["Connection"] == "close"
    with_basic_store(t, "queryapi.address_rate=5")


if __name__ == "__main__":
    sys.exit(main(globals()))
