#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Documents over HTTP: what is served, with which headers, and when.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import gzip
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (BIG, QUERYAPI, checkpoint, document, main, request,
                      wait_for, with_basic_store)  # noqa: E402


def test_a_document_is_served_with_its_headers():
    def t(srv, store):
        a = srv.get("/v1/shop/a", "X-Request-Id: my-id.1")
        assert a.status == 200 and a["Content-Type"] == "application/json"
        assert a.body == b'{"id":"a","name":"A","n":7}', a.body
        assert a["ETag"] == '"1.3"'
        assert a["Cache-Control"] == ("public, max-age=5, "
                                      "stale-while-revalidate=30, "
                                      "stale-if-error=300")
        assert a["Vary"] == "Accept-Encoding, Projection-Min-Position"
        assert a["X-Content-Type-Options"] == "nosniff"
        assert a["X-Request-Id"] == "my-id.1"
        assert "Last-Modified" not in a.fields
    with_basic_store(t)


def test_positions_are_the_larger_of_document_and_checkpoint():
    def t(srv, store):
        assert srv.get("/v1/shop/a")["Projection-Position"] == '"shop/0@41"'
        a = srv.get("/v1/shop/b%2Fc")
        assert a["Projection-Position"] == '"shop/0@60", "shop/1@2"'
        a = srv.get("/v1/shop/gone")
        assert a.status == 410 and a["Projection-Position"] == '"shop/0@41"'
        # of several, what all of them contain
        a = srv.get("/v1/shop?ids=a,b%2Fc")
        assert a["Projection-Position"] == '"shop/0@41", "shop/1@2"'
        store.fill(checkpoint(0, 100))
        wait_for(lambda: srv.get("/v1/shop/a")["Projection-Position"] ==
                 '"shop/0@99"', "the checkpoint")
    with_basic_store(t)


def test_a_request_id_is_taken_over_only_when_harmless():
    def t(srv, store):
        for bad in ["", "a b", "a\"b", "é", "x" * 129, "<b>"]:
            a = srv.raw(("GET /v1/shop/a HTTP/1.1\r\nHost: a\r\n"
                         "X-Request-Id: %s\r\n\r\n" % bad).encode())
            assert re.match(r"[0-9a-f]{32}$", a["X-Request-Id"]), bad
        a = srv.get("/v1/shop/a", "X-Request-Id: a", "X-Request-Id: b")
        assert len(a["X-Request-Id"]) == 32
        ids = {srv.get("/v1/shop/a")["X-Request-Id"] for _ in range(20)}
        assert len(ids) == 20
    with_basic_store(t)


def test_head_is_get_without_the_body():
    def t(srv, store):
        for target in ["/v1/shop/a", "/v1/shop/none", "/v1/shop?ids=a",
                       "/openapi.json", "/x"]:
            get, head = srv.get(target), srv.get(target, method="HEAD")
            assert head.status == get.status
            for f in ("Content-Length", "Content-Type", "ETag",
                      "Cache-Control", "Vary", "Projection-Position"):
                if f == "Content-Length" and get.status >= 400:
                    continue  # the request id is in the body
                assert head[f] == get[f], (target, f)
        with srv.connect() as c:  # nothing is left over on the connection
            c.send(request("/v1/shop/a", method="HEAD") * 2)
            assert c.answer(head=True).status == 200
            assert c.answer(head=True).status == 200
            assert c.rest == b""
    with_basic_store(t)


def test_conditional_requests():
    def t(srv, store):
        def ask(*headers):
            return srv.get("/v1/shop/big", *headers)
        full = ask()
        for tag in ['"1.4"', 'W/"1.4"', '"x", "1.4"', '*', '"1.4-gzip"']:
            a = ask("If-None-Match: " + tag)
            assert a.status == 304, tag
            assert a.body == b"" and a["Content-Length"] is None
            assert a["Content-Type"] is None
            for f in ("Cache-Control", "Vary", "Projection-Position"):
                assert a[f] == full[f]
        assert ask('If-None-Match: "1.4-gzip"')["ETag"] == '"1.4-gzip"'
        assert ask('If-None-Match: "a"', 'If-None-Match: "1.4"').status == 304
        for tag in ['"1.3"', '"2.4"', '1.4', '"1.4', '']:
            assert ask("If-None-Match: " + tag).status == 200, tag
        assert ask('If-Match: "1.4"').status == 200
        assert ask('If-Match: *').status == 200
        assert ask('If-Match: "1.3"').status == 412
        assert ask('If-Match: W/"1.4"').status == 412
        assert ask("If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT"
                   ).status == 200
        assert srv.get("/v1/shop/none", "If-None-Match: *").status == 404
        assert srv.get("/v1/shop/gone", 'If-None-Match: "1.9"').status == 410
        store.fill(document("big", 5, name=BIG))
        assert ask('If-None-Match: "1.4"')["ETag"] == '"1.5"'
    with_basic_store(t)


def test_gzip_is_sent_when_wanted_and_worth_it():
    def t(srv, store):
        plain = srv.get("/v1/shop/big")
        assert plain["Content-Encoding"] is None and plain["ETag"] == '"1.4"'
        a = srv.get("/v1/shop/big", "Accept-Encoding: gzip")
        assert a["Content-Encoding"] == "gzip" and a["ETag"] == '"1.4-gzip"'
        assert a["Vary"] == plain["Vary"] and len(a.body) < 500
        assert gzip.decompress(a.body) == plain.body
        assert srv.get("/v1/shop/a", "Accept-Encoding: gzip"
                       )["Content-Encoding"] is None  # too small
        for no in ["gzip;q=0", "br", "identity, gzip;q=0.1", "*;q=0"]:
            a = srv.get("/v1/shop/big", "Accept-Encoding: " + no)
            assert a["Content-Encoding"] is None, no
        a = srv.get("/v1/shop?ids=big", "Accept-Encoding: br, *;q=0.1")
        assert a["Content-Encoding"] == "gzip"
        assert a.json()["items"][0]["document"]["name"] == BIG
    with_basic_store(t)


def test_several_documents_come_in_request_order():
    def t(srv, store):
        a = srv.get("/v1/shop?ids=gone,%EA%B0%80%2C%EB%82%98,none,a,b%2Fc,a,"
                    "meta")
        assert a.status == 200
        items = a.json()["items"]
        assert [i["id"] for i in items] == ["gone", "가,나", "none", "a",
                                            "b/c", "a", "meta"]
        assert items[0] == {"id": "gone", "found": False, "deleted": True,
                            "revision": 9, "document": None}
        assert items[1] == {"id": "가,나", "found": True, "revision": 2,
                            "document": {"id": "가,나", "name": "가게"}}
        assert items[2] == {"id": "none", "found": False, "revision": None,
                            "document": None}
        assert items[3] == items[5]
        assert items[6]["found"] is False and "deleted" not in items[6]
        assert a["Cache-Control"].startswith("public, max-age=5")
    with_basic_store(t)


def test_absent_documents_say_why():
    def t(srv, store):
        def kind(key):
            a = srv.get("/v1/shop/" + key)
            return a.status, a.json()["type"].split(":")[-1]
        assert kind("none") == (404, "not-found")
        assert kind("parked") == (404, "parked")
        assert kind("meta") == (404, "parked")
        assert kind("gone") == (410, "deleted")
        a = srv.get("/v1/shop/none")
        assert a["Cache-Control"] == "public, max-age=5"
        assert srv.get("/v1/nothing/x")["ETag"] is None
    with_basic_store(t)


QUEUED = {"k": {"0": {"first": {"$numberLong": "6"},
                      "tail": {"$numberLong": "9"},
                      "n": {"$numberLong": "2"}}},
          "o": {"0": [{"$numberLong": "11"}, {"$numberLong": "12"}]},
          "s": {"shop": {"$numberLong": "-1"}},
          "x": {"$numberLong": "1700000000000"}}


def test_what_only_the_protocol_knows_is_not_there():
    def t(srv, store):
        store.fill(document("queue", 0, state=2, meta=QUEUED),
                   document("a", 4, meta=QUEUED, name="A"),
                   document("gone", 10, state=1, meta=QUEUED))
        a = srv.get("/v1/shop/queue")
        assert (a.status, a["ETag"]) == (404, None), a.body
        assert a.json()["type"].endswith(":not-found")
        a = srv.get("/v1/shop/a")
        assert a.status == 200 and a.body == b'{"id":"a","name":"A"}', a.body
        assert srv.get("/v1/shop/gone").status == 410
        items = srv.get("/v1/shop?ids=queue,a,gone").json()["items"]
        assert [i["found"] for i in items] == [False, True, False]
        assert items[0] == {"id": "queue", "found": False, "revision": None,
                            "document": None}
        # Named by its parked record, once there is one.
        store.fill({"op": "parked", "generation": "shop.1", "key": "queue",
                    "topic": "shop", "partition": 0, "offset": 6})
        a = srv.get("/v1/shop/queue")
        assert a.status == 404 and a.json()["type"].endswith(":parked")
    with_basic_store(t)


def test_a_position_that_was_only_claimed_is_not_told():
    def t(srv, store):
        store.fill(checkpoint(2, -1), checkpoint(0, 43))

        def told():
            views = srv.admin_get("/status").json()["views"]
            at = [v["next"] for v in views if v["view"] == "shop"][0]
            return at["shop/0"] == 43 and at
        assert "shop/2" not in wait_for(told, "the new picture")
    with_basic_store(t)


def test_a_view_with_an_unreadable_description_is_served():
    def t(srv, store):
        a = srv.get("/v1/stock/s")
        assert a.status == 200 and a["Cache-Control"] == "no-cache"
        assert "view.unreadable" in srv.log_text()
    with_basic_store(t)


def test_openapi_is_served_and_printed():
    def t(srv, store):
        a = srv.get("/openapi.json")
        doc = a.json()
        assert doc["openapi"] == "3.1.0"
        assert set(doc["paths"]) == {
            "/v1/shop", "/v1/shop/{key}", "/v1/shop/batch", "/v1/stock",
            "/v1/stock/{key}", "/v1/stock/batch", "/v1/shop/{key}/events",
            "/v1/stock/{key}/events", "/openapi.json"}
        z = srv.get("/openapi.json", "Accept-Encoding: gzip")
        assert z["Content-Encoding"] == "gzip" and z.json() == doc
        assert z["ETag"] != a["ETag"]
        for tag in (a["ETag"], z["ETag"]):
            assert srv.get("/openapi.json", "If-None-Match: " + tag
                           ).status == 304
        assert srv.get("/openapi.json?x").status == 400
        out = subprocess.run([QUERYAPI, "openapi", "-s",
                              "store.path=" + store.path],
                             capture_output=True, check=True).stdout
        assert json.loads(out) == doc
    with_basic_store(t)


if __name__ == "__main__":
    sys.exit(main(globals()))
