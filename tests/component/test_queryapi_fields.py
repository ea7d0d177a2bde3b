#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`?fields=`: declared parts of documents, over HTTP.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import gzip
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (Server, Store, checkpoint, document, generation, live,
                      main, request, sample_served, wait_for)  # noqa: E402

READER = {
    "summary": "Shops", "filters": ["areaId"],
    "cache": {"maxAge": 5, "staleWhileRevalidate": 30, "staleIfError": 300},
    "fieldSets": [{"name": "card", "fields": ["name", "location", "areaId"]},
                  {"name": "name_only", "fields": ["name"]}],
    "fields": [{"name": "areaId", "type": "string"},
               {"name": "name", "type": "string", "required": True},
               {"name": "location", "type": "object"},
               {"name": "text", "type": "string"},
               {"name": "updatedAt", "type": "date"}]}
# What docs/http-api.md says of the bundled views.
CARDS = {"shop": ["name", "category", "location", "minOrderAmount",
                  "deliveryTip", "imageUrl", "status"],
         "product": ["shopId", "name", "price", "salePrice", "imageUrl",
                     "soldOut", "hidden"]}
SETS = {one["name"]: one["fields"] for one in READER["fieldSets"]}
SHOPS = {
    "a": {"text": "x" * 5000, "areaId": "n", "location": {"text": 1, "y": [2]},
          "name": "A"},
    "b/c": {"name": "슬래시", "text": "t"},
    "d": {"areaId": "n", "text": "t"},
}


def with_shops(test, *more):
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(generation(1, reader=READER), live(0, 1),
                   checkpoint(0, 42),
                   *[document(k, i + 1, **f)
                     for i, (k, f) in enumerate(SHOPS.items())],
                   document("gone", 9, state=1),
                   generation(1, "stock", {"fields": []}),
                   live(0, 1, "stock"), document("a", 1, gen="stock.1"))
        with Server(store.path, *more) as srv:
            srv.ready()
            test(srv, store)


def part(whole, name):
    """The members of a whole document that belong to the set, in order."""
    return [(k, v) for k, v in whole if k == "id" or k in SETS[name]]


def members(text):
    return json.loads(text, object_pairs_hook=list)


def path(key):
    return "/v1/shop/" + key.replace("/", "%2F")


def refused(a, detail):
    assert a.status == 400, a.status
    assert detail in a.json()["detail"], a.body


def test_a_part_is_the_whole_without_the_other_fields():
    def t(srv, store):
        for key in SHOPS:
            whole = srv.get(path(key))
            for name in SETS:
                a = srv.get(path(key) + "?fields=" + name)
                assert a.status == 200
                assert members(a.body) == part(members(whole.body), name)
                for f in ("Projection-Position", "Cache-Control", "Vary",
                          "Content-Type"):
                    assert a[f] == whole[f], f
                head = srv.get(path(key) + "?fields=" + name, method="HEAD")
                assert (head.status, head["ETag"], head["Content-Length"]) == \
                    (200, a["ETag"], str(len(a.body)))
    with_shops(t)


def test_of_what_is_gone_or_absent_no_part_is_told():
    def t(srv, store):
        for target, status in [("/v1/shop/gone", 410), ("/v1/shop/x", 404),
                               ("/v1/none/a", 404)]:
            a = srv.get(target + "?fields=card")
            assert a.status == status
            assert a.json()["type"] == srv.get(target).json()["type"]
    with_shops(t)


def test_a_tag_is_of_one_part_and_version():
    def t(srv, store):
        target = "/v1/shop/a?fields="
        tags = {srv.get("/v1/shop/a")["ETag"]}
        for name in SETS:
            a = srv.get(target + name)
            assert a["ETag"].startswith('"1.1-%s-' % name)
            tags.add(a["ETag"])
            same = "If-None-Match: " + a["ETag"]
            b = srv.get(target + name, same)
            assert (b.status, b.body, b["ETag"]) == (304, b"", a["ETag"])
            assert srv.get(target + name, 'If-None-Match: "x", W/%s'
                           % a["ETag"]).status == 304
            assert srv.get("/v1/shop/a", same).status == 200
            assert srv.get(target + name, "If-Match: " + a["ETag"]).status == \
                200
            assert srv.get(target + name, 'If-Match: "1.1"').status == 412
        assert len(tags) == 1 + len(SETS)
        for name in SETS:
            assert srv.get(target + name,
                           'If-None-Match: "1.1", "1.1-gzip"').status == 200
        store.fill(document("a", 8, name="B"))
        wait_for(lambda: srv.get(target + "card", *[
            "If-None-Match: " + tag for tag in tags]).status == 200, "change")
        assert srv.get(target + "card").json() == {"id": "a", "name": "B"}
    with_shops(t)


def test_parts_are_never_compressed_but_what_they_are_put_together_to_is():
    def t(srv, store):
        accept = "Accept-Encoding: gzip"
        a = srv.get("/v1/shop/a?fields=card", accept)
        assert a["Content-Encoding"] is None and a.json()["name"] == "A"
        assert "Accept-Encoding" in a["Vary"]
        assert srv.get("/v1/shop/a", accept)["Content-Encoding"] == "gzip"
        for target in ["/v1/shop?ids=a,d&fields=card", "/v1/shop?fields=card"]:
            a = srv.get(target, accept)
            assert a["Content-Encoding"] == "gzip"
            got = json.loads(gzip.decompress(a.body))
            assert got == srv.get(target).json()
    with_shops(t, "queryapi.gzip_min_bytes=10")


def without_document(item):
    return {k: v for k, v in item.items() if k != "document"}


def same_items(got, whole, name):
    assert len(got) == len(whole)
    for g, w in zip(got, whole):
        assert without_document(g) == without_document(w)
        assert g["document"] == (w["document"] and dict(
            part(w["document"].items(), name)))


def test_a_batch_is_of_parts_however_it_is_asked_for():
    def t(srv, store):
        whole = srv.get("/v1/shop?ids=d,a,gone,none,a,b%2Fc").json()["items"]
        body = json.dumps({"ids": ["d", "a", "gone", "none", "a",
                                   "b/c"]}).encode()
        for name in SETS:
            a = srv.get("/v1/shop?ids=d,a,gone,none,a,b%2Fc&fields=" + name)
            same_items(a.json()["items"], whole, name)
            b = srv.get("/v1/shop?fields=%s&ids=d,a,gone,none,a,b%%2Fc" % name)
            assert b.body == a.body
            for method, target in [("QUERY", "/v1/shop?fields="),
                                   ("POST", "/v1/shop/batch?fields=")]:
                b = srv.raw(request(target + name, "Content-Type: "
                                    "application/json", "Content-Length: %d"
                                    % len(body), method=method) + body)
                assert b.body == a.body, method
    with_shops(t)


def test_a_list_is_of_parts_and_its_next_page_too():
    def t(srv, store):
        for name in SETS:
            for more in ["", "&areaId=n"]:
                whole = srv.get("/v1/shop?limit=9" + more).json()["items"]
                items, target = [], "/v1/shop?limit=1&fields=" + name + more
                while target:
                    a = srv.get(target)
                    assert a.status == 200
                    items += a.json()["items"]
                    link = a["Link"]
                    target = link and link[1:link.index(">")]
                    assert not target or "fields=" + name in target
                same_items(items, whole, name)
        # a cursor is of an order of documents, not of what is shown of them
        cursor = srv.get("/v1/shop?limit=1&fields=card").json()["next"]
        assert srv.get("/v1/shop?cursor=" + cursor).status == 200
    with_shops(t)


def test_what_is_no_declared_set_is_refused_by_naming_them():
    def t(srv, store):
        body = b'{"ids":["a"]}'
        for bad in ["", "x", "Card", "card,name_only", "name", "card%00",
                    "%20card", "id", "c" * 200]:
            for target in ["/v1/shop/a?fields=", "/v1/shop?ids=a&fields=",
                           "/v1/shop?fields="]:
                a = srv.get(target + bad)
                assert a.status == 400, (target, bad)
                if "%00" not in bad:
                    refused(a, "this view has card, name_only")
            a = srv.raw(request("/v1/shop/batch?fields=" + bad,
                                "Content-Type: application/json",
                                "Content-Length: %d" % len(body),
                                method="POST") + body)
            assert a.status == 400, bad
        refused(srv.get("/v1/stock/a?fields=card"), "this view has none")
        for target in ["/v1/shop/a?", "/v1/shop?ids=a&", "/v1/shop?"]:
            refused(srv.get(target + "fields=card&fields=card"), "")
            assert srv.get(target + "fields=%63ard").status == 200
        refused(srv.get("/v1/shop/a?fields=card&x=1"),
                "unknown query parameter")
        refused(srv.get("/v1/shop/a/events?fields=card"),
                "unknown query parameter")
    with_shops(t)


def test_openapi_tells_what_each_set_holds():
    def t(srv, store):
        api = srv.get("/openapi.json").json()
        schemas = api["components"]["schemas"]
        for name, fields in SETS.items():
            told = schemas["shop." + name]
            assert set(told["properties"]) == {"id", *fields}
            for key in SHOPS:
                got = srv.get(path(key) + "?fields=" + name).json()
                assert set(got) <= set(told["properties"])
        for target, method in [("/v1/shop/{key}", "get"), ("/v1/shop", "get"),
                               ("/v1/shop/batch", "post")]:
            fields = [p for p in api["paths"][target][method]["parameters"]
                      if p.get("name") == "fields"]
            assert [p["schema"]["enum"] for p in fields] == [list(SETS)]
        assert not [p for p in api["paths"]["/v1/stock"]["get"]["parameters"]
                    if p.get("name") == "fields"]
    with_shops(t)


def test_pages_take_no_sets():
    def t(srv, store):
        assert srv.get("/v1/pages/home/a").status == 200
        refused(srv.get("/v1/pages/home/a?fields=card"),
                "unknown query parameter")
    with_shops(t, "page.home.parts=shop,stock")


def test_a_long_poll_of_a_part_ends_with_its_next_version():
    def t(srv, store):
        target = "/v1/shop/a?fields=card"
        tag = srv.get(target)["ETag"]
        c = srv.connect()
        c.send(request(target + "&wait=30", "If-None-Match: " + tag))
        wait_for(lambda: srv.metric("shopview_watches") == 1, "a watch")
        store.fill(document("a", 9, name="later"))
        a = c.answer()
        assert a.status == 200 and a.json() == {"id": "a", "name": "later"}
        assert a["ETag"].startswith('"1.9-card-')
        c.sock.close()
        # another part's tag is no reason to wait
        assert srv.get("/v1/shop/a?wait=30&fields=name_only",
                       "If-None-Match: " + a["ETag"]).status == 200
    with_shops(t)


def test_the_next_generation_has_its_own_sets():
    def t(srv, store):
        old = srv.get("/v1/shop/a?fields=card")
        reader = dict(READER, fieldSets=[
            {"name": "card", "fields": ["areaId"]}])
        store.fill(generation(2, reader=reader),
                   document("a", 1, gen="shop.2", **SHOPS["a"]), live(1, 2))
        wait_for(lambda: srv.get("/v1/shop/a")["ETag"] == '"2.1"', "switch")
        a = srv.get("/v1/shop/a?fields=card", "If-None-Match: " + old["ETag"])
        assert a.status == 200 and a.json() == {"id": "a", "areaId": "n"}
        refused(srv.get("/v1/shop/a?fields=name_only"), "this view has card")
    with_shops(t)


def test_the_bundled_views_have_the_cards_they_declare():
    with sample_served() as srv:
        for view, card in CARDS.items():
            got = srv.get("/v1/%s?limit=100&fields=card" % view)
            whole = srv.get("/v1/%s?limit=100" % view)
            pairs = list(zip(got.json()["items"], whole.json()["items"]))
            assert pairs and got.status == 200
            for g, w in pairs:
                assert list(g["document"].items()) == [
                    (k, v) for k, v in w["document"].items()
                    if k in ["id", *card]], g
            assert {k for g, _ in pairs for k in g["document"]} == \
                {"id", *card}
        refused(srv.get("/v1/stock?fields=card"), "this view has none")


if __name__ == "__main__":
    sys.exit(main(globals()))
