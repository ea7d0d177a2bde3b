#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists over HTTP: pages, cursors, declared filters, and hostile ones.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import base64
import gzip
import json
import os
import random
import re
import sys
import tempfile
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (SAMPLE, Server, Store, checkpoint, document, generation,
                      live, main, sample_served, wait_for,
                      with_basic_store)  # noqa: E402

READER = {
    "summary": "Shops",
    "filters": ["areaId", "seats", "open", "hours", "limit"],
    "cache": {"maxAge": 5, "staleWhileRevalidate": 30, "staleIfError": 300},
    "fields": [{"name": "areaId", "type": "string"},
               {"name": "seats", "type": "int"},
               {"name": "open", "type": "bool"},
               {"name": "hours", "type": "list"},
               {"name": "limit", "type": "int"},
               {"name": "name", "type": "string"}]}
SHOPS = [
    ("a", {"areaId": "x", "seats": 4, "open": True, "name": "A"}),
    ("b", {"areaId": "x", "seats": 5, "open": False}),
    ("c/d", {"areaId": "서울 강남", "seats": -4, "open": True}),
    ("d", {"areaId": "x", "seats": {"$numberLong": "9223372036854775807"}}),
    ("e", {"areaId": "$ne", "seats": 4, "open": True}),
    ("f", {"seats": 4}),
    ("가", {"areaId": "x", "seats": 4, "open": True}),
]
MIB = 1 << 20


def with_shops(test, *more):
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(generation(1, reader=READER), live(0, 1),
                   checkpoint(0, 42),
                   *[document(k, i + 1, **f)
                     for i, (k, f) in enumerate(SHOPS)],
                   document("gone", 9, state=1, areaId="x"),
                   document("meta", 9, state=2), *more)
        # the largest pages take their time under a sanitizer
        with Server(store.path, "queryapi.request_timeout_ms=60s") as srv:
            srv.ready()
            test(srv, store)


def ids_of(page):
    return [item["id"] for item in page["items"]]


def page_of(srv, target):
    a = srv.get(target)
    assert a.status == 200, (target, a.status, a.body)
    return a


def walk(srv, target, most=1000):
    """All ids, by the links; each page's own cursor is what its link says."""
    ids = []
    for _ in range(most):
        a = page_of(srv, target)
        page = a.json()
        ids += ids_of(page)
        assert list(page) == ["items"] + ["next"] * ("next" in page)
        if "next" not in page:
            assert a["Link"] is None
            return ids
        link = re.fullmatch(r'<([^<>" ]+)>; rel="next"', a["Link"]).group(1)
        query = urllib.parse.urlsplit(link).query
        assert urllib.parse.parse_qs(query)["cursor"] == [page["next"]]
        target = urllib.parse.urljoin(target, link)
    raise AssertionError("a list without end")


def refused(a, *words):
    assert a.status == 400, (a.status, a.body)
    assert a["Content-Type"] == "application/problem+json"
    detail = a.json()["detail"]
    for word in words:
        assert word in detail, detail
    return True


# ---- Pages -------------------------------------------------------------------

def test_a_list_gives_the_live_documents_in_key_order():
    def t(srv, store):
        page = page_of(srv, "/v1/shop").json()
        assert ids_of(page) == ["a", "b/c", "big", "가,나"]
        for item in page["items"]:
            assert list(item) == ["id", "revision", "document"]
            one = srv.get("/v1/shop/" + urllib.parse.quote(item["id"], ""))
            assert item["document"] == one.json()
            assert one["ETag"] == '"1.%d"' % item["revision"]
        assert page_of(srv, "/v1/stock").json()["items"][0]["id"] == "s"
        assert srv.get("/v1/pages").status == 404
        assert srv.get("/v1/none?x=1").status == 404
    with_basic_store(t)


def test_pages_of_any_size_give_everything_once():
    def t(srv, store):
        whole = ids_of(page_of(srv, "/v1/shop?limit=100").json())
        assert whole == [k for k, _ in SHOPS]
        for limit in (1, 2, 3, 6, 7, 8):
            assert walk(srv, "/v1/shop?limit=%d" % limit) == whole
    with_shops(t)


def test_twenty_documents_are_a_page_unless_asked_otherwise():
    def t(srv, store):
        store.fill(*[document("k%03d" % i, 1) for i in range(130)])
        page = page_of(srv, "/v1/shop").json()
        assert len(page["items"]) == 20 and "next" in page
        page = page_of(srv, "/v1/shop?limit=100").json()
        assert len(page["items"]) == 100 and "next" in page
    with_shops(t)


def test_the_headers_of_a_list():
    def t(srv, store):
        a = page_of(srv, "/v1/shop?limit=2")
        assert a["Content-Type"] == "application/json"
        assert a["ETag"] is None and a["Last-Modified"] is None
        assert a["Cache-Control"] == ("public, max-age=5, "
                                      "stale-while-revalidate=30, "
                                      "stale-if-error=300")
        assert a["Vary"] == "Accept-Encoding, Projection-Min-Position"
        assert a["Projection-Position"] == '"shop/0@41"'
        # of several, what every one of them contains
        store.fill(document("aa", 1, positions={"shop/0": 90, "shop/1": 7}))
        a = page_of(srv, "/v1/shop?limit=3")
        assert a["Projection-Position"] == '"shop/0@41"'
        second = ("/v1/shop?limit=1&cursor=" +
                  page_of(srv, "/v1/shop?limit=1").json()["next"])
        wait_for(lambda: page_of(srv, second)["Projection-Position"] ==
                 '"shop/0@90", "shop/1@7"', "the new partition")
        head = srv.get("/v1/shop?limit=2", method="HEAD")
        plain = srv.get("/v1/shop?limit=2")
        for name in ("Content-Length", "Link", "Cache-Control", "Vary",
                     "Projection-Position"):
            assert head[name] == plain[name], name
        assert srv.get("/v1/shop", "If-None-Match: *").status == 200
    with_shops(t)


def test_a_list_is_compressed_when_wanted_and_worth_it():
    def t(srv, store):
        plain = page_of(srv, "/v1/shop?limit=2")
        a = srv.get("/v1/shop?limit=2", "Accept-Encoding: gzip")
        assert plain["Content-Encoding"] is None
        assert a["Content-Encoding"] is None  # not worth it
        store.fill(document("a", 9, name="n" * 9000))
        plain = page_of(srv, "/v1/shop?limit=2")
        a = srv.get("/v1/shop?limit=2", "Accept-Encoding: gzip")
        assert a["Content-Encoding"] == "gzip" and len(a.body) < 1000
        assert gzip.decompress(a.body) == plain.body
        assert a["Link"] == plain["Link"]
    with_shops(t)


def test_a_page_ends_before_it_is_too_large():
    def t(srv, store):
        # 10 MiB as they are, 12 MiB as JSON; then 2 MiB that become 12.
        store.fill(*[document("k%d" % i, 1, name="n" * (10 * MIB))
                     for i in range(5)],
                   *[document("z%d" % i, 1, name="\x01" * (2 * MIB))
                     for i in range(5)])
        got, target = [], "/v1/shop?limit=100"
        while target:
            a = page_of(srv, target)
            assert len(a.body) <= 32 * MIB, len(a.body)
            page = a.json()
            assert page["items"]
            got += ids_of(page)
            target = ("next" in page and "/v1/shop?limit=100&cursor=" +
                      page["next"])
        assert got == sorted([k for k, _ in SHOPS] +
                             ["k%d" % i for i in range(5)] +
                             ["z%d" % i for i in range(5)])
    with_shops(t)


def test_a_document_too_large_for_a_page_goes_alone():
    def t(srv, store):
        store.fill(document("aa", 1, name="\x01" * (6 * MIB)))
        assert walk(srv, "/v1/shop?limit=2") == sorted(
            [k for k, _ in SHOPS] + ["aa"])
        first = page_of(srv, "/v1/shop?limit=2").json()
        assert ids_of(first) == ["a"]
        second = page_of(srv, "/v1/shop?limit=2&cursor=" +
                         first["next"]).json()
        assert ids_of(second) == ["aa"]
    with_shops(t)


# ---- Filters -----------------------------------------------------------------

def test_declared_filters_select_by_value_and_type():
    def t(srv, store):
        q = urllib.parse.quote
        for query, want in [
                ("areaId=x", "a b d 가"), ("areaId=y", ""),
                ("areaId=" + q("서울 강남"), "c/d"),
                ("areaId=%24ne", "e"), ("%61reaId=x", "a b d 가"),
                ("seats=4", "a e f 가"), ("seats=-4", "c/d"),
                ("seats=9223372036854775807", "d"), ("seats=0", ""),
                ("seats=-9223372036854775808", ""),
                ("open=true", "a c/d e 가"), ("open=false", "b"),
                ("areaId=x&seats=4", "a 가"), ("seats=5&areaId=x", "b"),
                ("areaId=x&seats=4&open=true", "a 가"),
                ("areaId=x&seats=4&open=false", "")]:
            for limit in (1, 2, 100):
                got = walk(srv, "/v1/shop?%s&limit=%d" % (query, limit))
                assert got == want.split(), (query, limit, got)
    with_shops(t)


def test_what_is_not_declared_is_refused_by_name():
    def t(srv, store):
        for query in ["name=A", "hours=1", "x=1", "_m.d=0", "_id=a", "id=a",
                      "areaId.x=1", "AREAID=x", "offset=1", "=x",
                      "limit=5&x", "ids%00=a"]:
            refused(srv.get("/v1/shop?" + query))
        refused(srv.get("/v1/shop?x=1"), "unknown query parameter",
                "limit, cursor, areaId, seats, open;", "ids")
        refused(srv.get("/v1/shop?ids=a&areaId=x"), "unknown query parameter")
        refused(srv.get("/v1/shop?areaId=x&areaId=x"), "twice")
    with_shops(t)


def test_values_out_of_range_are_refused_by_name():
    def t(srv, store):
        for limit in ["0", "101", "-1", "1.0", "", "+5", "05", "1e1", "%20",
                      "99999999999999999999", "x", "½"]:
            refused(srv.get("/v1/shop?limit=" + urllib.parse.quote(limit,
                                                                   "%")),
                    "limit has to be 1 to 100")
        for seats in ["x", "1.5", "+4", "04", "-0", "-", "9223372036854775808",
                      "-9223372036854775809", "1" * 400, "true", "0x4"]:
            refused(srv.get("/v1/shop?seats=" + seats), "seats", "integer")
        for truth in ["1", "TRUE", "yes", "truee"]:
            refused(srv.get("/v1/shop?open=" + truth), "open", "true or false")
        refused(srv.get("/v1/shop?areaId="), "areaId has no value")
        refused(srv.get("/v1/shop?areaId"), "areaId has no value")
        refused(srv.get("/v1/shop?areaId=" + "v" * 481), "480 bytes")
        assert srv.get("/v1/shop?areaId=" + "v" * 480).status == 200
        refused(srv.get("/v1/shop?cursor="), "cursor")
    with_shops(t)


FILTERS = {"shop": ["areaId", "category", "status"], "product": ["shopId"],
           "stock": ["shopId"], "order": ["shopId", "memberId"],
           "delivery": ["shopId", "state"], "sales": [], "coupon": [],
           "shop_products": [], "review_summary": [], "member_coupons": []}


def test_the_bundled_views_are_listed_by_what_they_declare():
    def check_view(srv, view, docs, filters):
        docs.sort(key=lambda d: d["id"].encode())
        assert walk(srv, "/v1/" + view) == [d["id"] for d in docs]
        names = "limit, cursor" + "".join(", " + f for f in filters) + ";"
        refused(srv.get("/v1/%s?x=1" % view), names)
        for field in filters:
            values = sorted({d[field] for d in docs if field in d})
            assert values, (view, field)
            for value in values[:5]:
                got = walk(srv, "/v1/%s?%s=%s" % (
                    view, field, urllib.parse.quote(value, "")))
                assert got == [d["id"] for d in docs if d.get(field) == value]

    with sample_served() as srv:
        for view, filters in FILTERS.items():
            with open(os.path.join(SAMPLE, "expected", view + ".ndjson"),
                      encoding="utf-8") as f:
                check_view(srv, view, [json.loads(line) for line in f],
                           filters)


# ---- Between pages -----------------------------------------------------------

def test_a_list_goes_on_past_what_changed_between_its_pages():
    def t(srv, store):
        page = page_of(srv, "/v1/shop?areaId=x&limit=1").json()
        assert ids_of(page) == ["a"]
        store.fill(document("a", 8, state=1),            # the last one told
                   document("b", 8, areaId="y"),         # goes elsewhere
                   document("bb", 1, areaId="x"),        # comes
                   document("gone", 10, areaId="x"))     # is revived
        assert walk(srv, "/v1/shop?areaId=x&limit=1&cursor=" +
                    page["next"]) == ["bb", "d", "gone", "가"]
        assert walk(srv, "/v1/shop?areaId=y") == ["b"]
    with_shops(t)


def test_a_cursor_goes_on_in_the_generation_that_is_live_then():
    def t(srv, store):
        first = page_of(srv, "/v1/shop?areaId=x&limit=2").json()
        reader = dict(READER, filters=["areaId"])
        store.fill(generation(2, reader=reader),
                   *[document(k, 1, gen="shop.2", areaId="x")
                     for k in ("a", "bb", "c")], live(1, 2))
        wait_for(lambda: "open" not in srv.get("/v1/shop?x=1").json()[
            "detail"], "the new generation")
        assert walk(srv, "/v1/shop?areaId=x&cursor=" + first["next"]) == [
            "bb", "c"]
        refused(srv.get("/v1/shop?open=true"), "unknown query parameter")
    with_shops(t)


def test_no_answer_mixes_two_generations():
    def t(srv, store):
        store.fill(*[document("k%02d" % i, 1, gen="shop.1", name="1",
                              areaId="y") for i in range(60)],
                   generation(2, reader=READER),
                   *[document("k%02d" % i, 2, gen="shop.2", name="2",
                              areaId="y") for i in range(60)])
        seen, over = set(), threading.Event()

        def read():
            with srv.connect() as c:
                while not over.is_set():
                    c.send(b"GET /v1/shop?areaId=y&limit=100 HTTP/1.1\r\n"
                           b"Host: a\r\n\r\n")
                    items = c.answer().json()["items"]
                    seen.add((len(items),) + tuple(sorted(
                        {i["document"]["name"] for i in items})))
        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(6):
            old, new = (1, 2) if i % 2 == 0 else (2, 1)
            store.fill(live(old, new))
            wait_for(lambda: page_of(srv, "/v1/shop/k00").json()["name"] ==
                     str(new), "generation %d" % new)
        over.set()
        for thread in threads:
            thread.join()
        assert seen == {(60, "1"), (60, "2")}, seen
    with_shops(t)


# ---- Cursors and other hostile input -----------------------------------------

def test_a_cursor_belongs_to_its_view_and_filters():
    def t(srv, store):
        def next_of(query):
            return page_of(srv, "/v1/shop?limit=1" + query).json()["next"]
        plain, x = next_of(""), next_of("&areaId=x")
        both = next_of("&areaId=x&open=true")
        for query, cursor in [("areaId=x", plain), ("limit=5", x),
                              ("areaId=y", x), ("areaId=x", both),
                              ("areaId=x&open=false", both)]:
            refused(srv.get("/v1/shop?%s&cursor=%s" % (query, cursor)),
                    "no cursor of this list")
        refused(srv.get("/v1/stock?cursor=" + plain), "no cursor")
        for query in ["limit=100&open=true&areaId=x", "areaId=x&open=true",
                      "areaId=%78&open=true"]:
            page = page_of(srv, "/v1/shop?%s&cursor=%s" % (query, both)).json()
            assert ids_of(page) == ["가"], query
        assert ids_of(page_of(srv, "/v1/shop?limit=1&cursor=" + plain).json()
                      ) == ["b"]
        # nothing that a client could read needs an escape
        assert re.fullmatch(r"[A-Za-z0-9_-]+", plain)
    with_shops(t, generation(1, "stock", READER), live(0, 1, "stock"),
               document("s", 1, gen="stock.1"))


def mutated(dice, cursor):
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    kind = dice.randrange(7)
    if kind == 0:
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    elif kind == 1:
        del raw[dice.randrange(len(raw)):]
    elif kind == 2:
        raw += dice.randbytes(dice.choice([1, 2, 3, 700]))
    elif kind == 3:
        raw = bytearray(dice.randbytes(dice.randrange(600)))
    elif kind == 4:
        raw[13:] = dice.choice([b"", b"\x00", b"\xff", b"a" * 481, b"$gt",
                                b'{"$gt":""}', b"zz"])
    else:
        text = list(cursor)
        text[dice.randrange(len(text))] = dice.choice(
            ["=", "+", "/", "%2B", "%2F", "%3D", "%00", "%FF", "", "A", "-",
             "~", "%0A", "%20", "."])
        return "".join(text)
    return base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")


def test_five_hundred_changed_cursors_are_refused():
    def t(srv, store):
        dice = random.Random(20261126)
        for n in range(500):
            good = page_of(srv, "/v1/shop?limit=%d&areaId=x" % (1 + n % 3)
                           ).json()["next"]
            bad = mutated(dice, good)
            if bad != good:
                refused(srv.get("/v1/shop?areaId=x&cursor=" + bad))
        assert len(walk(srv, "/v1/shop?limit=1")) == len(SHOPS)
        assert srv.metric("shopview_store_errors_total") == 0
    with_shops(t)


def test_hostile_values_are_values_or_refused():
    def t(srv, store):
        for query in ["areaId[$ne]=x", "areaId%5B%24ne%5D=x", "$where=1",
                      "%24where=sleep(1000)", "areaId=%00", "areaId=x%00y",
                      "areaId=%ff", "areaId=%ed%a0%80", "areaId=%c0%80",
                      "areaId=%", "areaId=%4", "areaId=%zz",
                      "areaId=" + "v" * 10000, "seats=" + "1" * 10000,
                      "cursor=" + "A" * 10000, "limit=" + "1" * 10000,
                      "v" * 10000 + "=x", "&".join("areaId=x" * 20),
                      "&".join("p%d=x" % i for i in range(17)),
                      "areaId=\"x\"", "areaId={$ne:1}", "areaId=x\\y"]:
            refused(srv.get("/v1/shop?" + query))
        for value in ["$ne", "{\"$gt\":\"\"}", "/x/", "x|y", "*", "x' || '1",
                      "null", "x\x01", "%", "a,b", "[\"x\"]"]:
            got = walk(srv, "/v1/shop?areaId=" + urllib.parse.quote(value, ""))
            assert got == (["e"] if value == "$ne" else []), value
        assert srv.metric("shopview_store_errors_total") == 0
    with_shops(t)


if __name__ == "__main__":
    sys.exit(main(globals()))
