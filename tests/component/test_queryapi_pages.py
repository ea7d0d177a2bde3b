#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pages over HTTP: several views' documents of one key in one answer.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import gzip
import hashlib
import subprocess
import sys
import os
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (BIG, QUERYAPI, READER, Server, Store, checkpoint,
                      document, generation, live, main, request,
                      wait_for)  # noqa: E402

VARY = "Accept-Encoding, Projection-Min-Position"


def reader(max_age, revalidate, error):
    return dict(READER, cache={"maxAge": max_age,
                               "staleWhileRevalidate": revalidate,
                               "staleIfError": error})


def parked(key, gen):
    return {"op": "parked", "generation": gen, "key": key, "topic": "shop",
            "partition": 0, "offset": 7}


STORE = [
    generation(1, "shop", reader(5, 30, 300)), live(0, 1, "shop"),
    checkpoint(0, 42, "shop.1"),
    generation(1, "goods", reader(9, 20, 400)), live(0, 1, "goods"),
    checkpoint(0, 60, "goods.1"),
    generation(1, "review", reader(7, 40, 200)), live(0, 1, "review"),
    generation(1, "bare", []), live(0, 1, "bare"),
    document("a", 3, "shop.1", name="A"),
    document("a", 7, "goods.1", positions={"shop/0": 2}, list=[1, 2]),
    document("a", 1, "review.1", positions={"shop/0": 1}, stars=5),
    document("big", 1, "shop.1", name=BIG),
    document("big", 2, "goods.1", name=BIG),
    document("b/c", 4, "shop.1", name="slash"),
    document("b/c", 9, "goods.1", state=1),
    document("meta", 1, "review.1", state=2), parked("meta", "review.1"),
    document("meta", 2, "shop.1"),
    document("gone", 5, "shop.1", state=1),
    parked("waits", "shop.1"), parked("waits", "goods.1"),
    parked("waits", "review.1"), parked("half", "shop.1"),
]
PAGES = ["page.front.parts=shop,goods,review", "page.two.parts=goods,shop",
         "page.later.parts=shop,soon", "page.bare.parts=shop,bare"]


def with_pages(test, *settings):
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*STORE)
        with Server(store.path, *PAGES, *settings) as srv:
            srv.ready()
            test(srv, store)


def kind(a):
    return a.status, a.json()["type"].split(":")[-1]


def mark(*views):
    """FNV-1a of the names, each with its end: of no use but to differ."""
    h = 0x811c9dc5
    for byte in b"".join(v.encode() + b"\0" for v in views):
        h = (h ^ byte) * 0x01000193 & 0xffffffff
    return "%08x" % h


FRONT = mark("shop", "goods", "review")


def test_a_page_is_its_parts_in_the_declared_order():
    def t(srv, store):
        a = srv.get("/v1/pages/front/a")
        assert a.status == 200 and a["Content-Type"] == "application/json"
        assert a.body == (
            b'{"id":"a","parts":{'
            b'"shop":{"revision":3,"document":{"id":"a","name":"A"}},'
            b'"goods":{"revision":7,"document":{"id":"a","list":[1,2]}},'
            b'"review":{"revision":1,"document":{"id":"a","stars":5}}},'
            b'"missing":{}}'), a.body
        assert a["ETag"] == '"1.3_1.7_1.1_%s"' % FRONT
        assert a["Vary"] == VARY
        assert list(srv.get("/v1/pages/two/a").json()["parts"]) == ["goods",
                                                                    "shop"]
        for view, part in a.json()["parts"].items():
            one = srv.get("/v1/%s/a" % view)
            assert part["document"] == one.json()
            assert one["ETag"] == '"1.%d"' % part["revision"]
    with_pages(t)


def test_what_is_missing_is_named_with_its_reason():
    def t(srv, store):
        a = srv.get("/v1/pages/front/b%2Fc")
        assert a.status == 200 and a.json() == {
            "id": "b/c", "parts": {"shop": {
                "revision": 4, "document": {"id": "b/c", "name": "slash"}}},
            "missing": {"goods": "deleted", "review": "absent"}}
        assert a["ETag"] == '"1.4_1.9_x_%s"' % FRONT
        a = srv.get("/v1/pages/front/meta")
        assert a.json()["missing"] == {"goods": "absent", "review": "parked"}
        # not the tag of an absent one: it is another body
        assert a["ETag"] == '"1.2_x_p_%s"' % FRONT
    with_pages(t)


def test_without_any_document_it_is_not_found_or_gone():
    def t(srv, store):
        for key, want in [("none", (404, "not-found")),
                          ("half", (404, "not-found")),
                          ("waits", (404, "parked")),
                          ("gone", (410, "deleted"))]:
            a = srv.get("/v1/pages/front/" + key)
            assert kind(a) == want, (key, a.body)
            assert a["Cache-Control"] == "public, max-age=5"
            assert a["Vary"] == VARY and a["ETag"] is None
            a = srv.get("/v1/pages/front/" + key, "If-None-Match: *")
            assert kind(a) == want
        store.fill(document("none", 1, "review.1"))
        wait_for(lambda: srv.get("/v1/pages/front/none").status == 200,
                 "the new document")
    with_pages(t)


def test_paths_and_keys_that_are_none():
    def t(srv, store):
        assert kind(srv.get("/v1/pages/none/a")) == (404, "page-not-found")
        assert kind(srv.get("/v1/pages/Front/a")) == (404, "page-not-found")
        assert kind(srv.get("/v1/pages/front")) == (404, "view-not-found")
        for target in ("/v1/pages/front/", "/v1/pages//a",
                       "/v1/pages/front/a/b", "/v1/pages/front/a/"):
            assert kind(srv.get(target)) == (404, "no-such-resource"), target
        for target in ("/v1/pages/front/a?x=1", "/v1/pages/front/%ff",
                       "/v1/pages/front/%00", "/v1/pages/front/%2e",
                       "/v1/pages/front/" + "k" * 481):
            assert kind(srv.get(target)) == (400, "bad-request"), target
        assert srv.get("/v1/pages/front/" + "k" * 480).status == 404
        a = srv.get("/v1/pages/front/a", method="POST")
        assert kind(a) == (405, "method-not-allowed")
        assert a["Allow"] == "GET, HEAD, OPTIONS"
        assert srv.get("/v1/pages/front/a", method="OPTIONS").status == 204
    with_pages(t)


def test_a_view_that_is_not_there_yet_is_absent():
    def t(srv, store):
        a = srv.get("/v1/pages/later/a")
        assert a.json()["missing"] == {"soon": "absent"}
        assert a["ETag"] == '"1.3_x_%s"' % mark("shop", "soon")
        # it may come any moment
        assert a["Cache-Control"] == "no-cache"
        assert kind(srv.get("/v1/pages/later/none")) == (404, "not-found")
        store.fill(generation(1, "soon"), live(0, 1, "soon"),
                   document("a", 2, "soon.1"))
        a = wait_for(lambda: (lambda a: a if not a.json()["missing"] else None)
                     (srv.get("/v1/pages/later/a")), "the view")
        assert a["ETag"].startswith('"1.3_1.2_')
    with_pages(t)


def test_the_strictest_policy_is_the_pages():
    def t(srv, store):
        a = srv.get("/v1/pages/front/a")
        assert a["Cache-Control"] == ("public, max-age=5, "
                                      "stale-while-revalidate=20, "
                                      "stale-if-error=200")
        assert srv.get("/v1/pages/bare/a")["Cache-Control"] == "no-cache"
    with_pages(t)


def test_conditions():
    def t(srv, store):
        def ask(*headers):
            return srv.get("/v1/pages/front/big", *headers)
        full = ask()
        tag = full["ETag"]
        coded = tag[:-1] + '-gzip"'
        for value in (tag, "W/" + tag, '"x", ' + tag, "*", coded):
            a = ask("If-None-Match: " + value)
            assert a.status == 304 and a.body == b"", value
            assert a["Content-Type"] is None and a["Content-Length"] is None
            assert a["ETag"] == (coded if value == coded else tag)
            for f in ("Cache-Control", "Vary", "Projection-Position"):
                assert a[f] == full[f]
        # of parts that do not match, and of the page's single parts
        for value in ('"1.1_1.3_x_%s"' % FRONT, '"1.1"', '"1.1_1.2_x"'):
            assert ask("If-None-Match: " + value).status == 200, value
        assert ask("If-Match: " + tag).status == 200
        assert ask("If-Match: *").status == 200
        a = ask('If-Match: "1.1"')
        assert kind(a) == (412, "precondition-failed")
        assert a["Cache-Control"] == "no-store"
        assert ask("If-Match: W/" + tag).status == 412
        store.fill(document("big", 3, "goods.1", name=BIG))
        assert ask("If-None-Match: " + tag)["ETag"] == \
            '"1.1_1.3_x_%s"' % FRONT
    with_pages(t)


def test_a_page_that_is_not_compressed_has_no_tag_of_that():
    def t(srv, store):
        def ask(*headers):
            return srv.get("/v1/pages/front/a", "Accept-Encoding: gzip",
                           *headers)
        full = ask()
        assert full["Content-Encoding"] is None
        assert ask("If-None-Match: *")["ETag"] == full["ETag"]
    with_pages(t)


def test_a_tag_is_not_that_of_other_parts():
    def t(srv, store):
        one, other = (srv.get("/v1/pages/%s/none1" % p)["ETag"]
                      for p in ("up", "down"))
        assert one.startswith('"1.1_1.1_') and other.startswith('"1.1_1.1_')
        assert one != other
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*STORE, *[document("none1", 1, v + ".1")
                             for v in ("shop", "goods")])
        with Server(store.path, "page.up.parts=shop,goods",
                    "page.down.parts=goods,shop") as srv:
            srv.ready()
            t(srv, store)


def test_gzip_and_head():
    def t(srv, store):
        plain = srv.get("/v1/pages/front/big")
        assert plain["Content-Encoding"] is None
        a = srv.get("/v1/pages/front/big", "Accept-Encoding: gzip")
        assert a["Content-Encoding"] == "gzip"
        assert a["ETag"] == plain["ETag"][:-1] + '-gzip"'
        assert gzip.decompress(a.body) == plain.body
        assert a["Vary"] == VARY and len(a.body) < 1000
        a = srv.get("/v1/pages/front/a", "Accept-Encoding: gzip")
        assert a["Content-Encoding"] is None and "gzip" not in a["ETag"]
        for key in ("a", "big", "none", "gone"):
            target = "/v1/pages/front/" + key
            get, head = srv.get(target), srv.get(target, method="HEAD")
            assert head.status == get.status
            for f in ("Content-Type", "ETag", "Cache-Control", "Vary",
                      "Projection-Position"):
                assert head[f] == get[f], (key, f)
            if get.status == 200:
                assert head["Content-Length"] == get["Content-Length"]
        with srv.connect() as c:  # nothing is left over on the connection
            c.send(request("/v1/pages/front/big", "Accept-Encoding: gzip",
                           method="HEAD") * 2)
            assert c.answer(head=True).status == 200
            assert c.answer(head=True).status == 200
            assert c.rest == b""
    with_pages(t)


def test_the_position_is_what_all_parts_contain():
    def t(srv, store):
        # shop is through with 41, goods with 59
        a = srv.get("/v1/pages/two/a")
        assert a["Projection-Position"] == '"shop/0@41"'
        store.fill(checkpoint(0, 51, "shop.1"))
        wait_for(lambda: srv.get("/v1/pages/two/a")["Projection-Position"] ==
                 '"shop/0@50"', "the checkpoint")
        # review has no checkpoint: what its document contains
        a = srv.get("/v1/pages/front/a")
        assert a["Projection-Position"] == '"shop/0@1"'
    with_pages(t)


def test_a_view_says_nothing_about_topics_that_it_does_not_read():
    def at(topic, partition, nxt, gen):
        return {"op": "checkpoint", "generation": gen, "topic": topic,
                "partition": partition, "next": nxt}
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*[op for v in ("shop", "goods")
                     for op in (generation(1, v), live(0, 1, v))],
                   at("shop", 0, 10, "shop.1"), at("price", 0, 20, "goods.1"),
                   at("both", 0, 30, "shop.1"), at("both", 1, 40, "goods.1"),
                   document("a", 1, "shop.1",
                            positions={"shop/0": 1, "both/0": 2}),
                   document("a", 1, "goods.1",
                            positions={"price/0": 3, "both/1": 4}))
        with Server(store.path, *PAGES) as srv:
            srv.ready()
            # both read "both", and neither has the other's partition
            assert srv.get("/v1/pages/two/a")["Projection-Position"] == \
                '"price/0@19", "shop/0@9"'


def test_a_token_reaches_the_page_when_it_reaches_every_part():
    def t(srv, store):
        def ask(target, token):
            return srv.get(target, "Authorization: Bearer " + token)
        assert srv.get("/v1/pages/front/a").status == 401
        assert ask("/v1/pages/front/a", "whole").status == 200
        assert ask("/v1/pages/front/a", "whole")["Cache-Control"].startswith(
            "private, ")
        a = ask("/v1/pages/two/a", "some")
        assert a.status == 200, a.body
        a = ask("/v1/pages/front/a", "some")
        assert kind(a) == (403, "forbidden")
        assert 'error="insufficient_scope"' in a["WWW-Authenticate"]
        assert ask("/v1/pages/front/b%2Fc", "keys").status == 200
        assert kind(ask("/v1/pages/front/a", "keys")) == (403, "forbidden")
    hashes = {n: hashlib.sha256(n.encode()).hexdigest()
              for n in ("whole", "some", "keys")}
    with_pages(t, *["token.%s.sha256=%s" % row for row in hashes.items()],
               "token.some.views=shop,goods", "token.keys.key_prefix=b")


def test_pages_are_described_counted_and_checked():
    def t(srv, store):
        paths = srv.get("/openapi.json").json()["paths"]
        for name in ("front", "two", "later", "bare"):
            assert "get" in paths["/v1/pages/%s/{key}" % name]
        schema = paths["/v1/pages/later/{key}"]["get"]["responses"]["200"][
            "content"]["application/json"]["schema"]
        parts = schema["properties"]["parts"]["properties"]
        assert list(parts) == ["shop", "soon"]
        assert parts["shop"]["properties"]["document"] == {
            "$ref": "#/components/schemas/shop"}
        assert parts["soon"]["properties"]["document"] == {"type": "object"}
        srv.get("/v1/pages/front/a")
        srv.counts('shopview_http_requests_total{route='
                   '"/v1/pages/{page}/{key}",status="200"}', 1)
    with_pages(t)
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*STORE)
        for pages, status in ((PAGES[:2], 0), (PAGES, 1)):
            args = [QUERYAPI, "check", "-s", "store.path=" + store.path]
            for s in pages:
                args += ["-s", s]
            done = subprocess.run(args, capture_output=True, text=True)
            assert done.returncode == status, done.stdout + done.stderr
            assert "ok      page front\n" in done.stdout
        assert "fault   page later: no view soon is live\n" in done.stdout


if __name__ == "__main__":
    sys.exit(main(globals()))
