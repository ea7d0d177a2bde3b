#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pages of other origins: what browsers ask before and see behind a request.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import QUERYAPI, main, request, with_basic_store  # noqa: E402

SHOP, OTHER = "https://shop.example", "http://localhost:3000"
CORS = ["Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
        "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
        "Access-Control-Max-Age"]
TARGETS = ["/v1/shop/a", "/v1/shop/none", "/v1/shop?ids=a", "/openapi.json",
           "/nothing", "/v1/shop/%00"]


def names(value):
    return {v.strip().lower() for v in (value or "").split(",")}


def preflight(srv, target, origin, method="GET", *more):
    return srv.get(target, "Origin: " + origin,
                   "Access-Control-Request-Method: " + method, *more,
                   method="OPTIONS")


def test_without_the_setting_no_page_is_told_anything():
    def t(srv, store):
        for target in TARGETS:
            a = srv.get(target, "Origin: " + SHOP)
            assert all(a[f] is None for f in CORS), a.fields
            assert "origin" not in names(a["Vary"])
        a = preflight(srv, "/v1/shop/a", SHOP)
        assert a.status == 204 and a["Access-Control-Allow-Origin"] is None
    with_basic_store(t)


def test_a_listed_origin_may_read_every_answer_and_the_errors_too():
    def t(srv, store):
        for target in TARGETS:
            for origin in (SHOP, OTHER):
                a = srv.get(target, "Origin: " + origin)
                assert a["Access-Control-Allow-Origin"] == origin
                assert names(a["Access-Control-Expose-Headers"]) == {
                    "etag", "link", "projection-position",
                    "projection-parked", "preference-applied",
                    "x-request-id", "retry-after", "age", "cache-status"}
                assert "origin" in names(a["Vary"]), target
                assert a["Access-Control-Allow-Credentials"] is None
        a = srv.get("/v1/shop/a", "Origin: " + SHOP, 'If-None-Match: "1.3"')
        assert a.status == 304
        assert a["Access-Control-Allow-Origin"] == SHOP
    with_basic_store(t, "queryapi.cors_origins=%s,%s" % (SHOP, OTHER))


def test_other_origins_are_not_named_and_the_answer_still_varies():
    def t(srv, store):
        for origin in ("https://evil.example", SHOP + ".evil.example",
                       SHOP + ":443", "http://shop.example", "null", "*",
                       SHOP.upper(), SHOP + "/", SHOP + ", " + SHOP, ""):
            a = srv.get("/v1/shop/a", "Origin: " + origin)
            assert a.status == 200
            assert all(a[f] is None for f in CORS), (origin, a.fields)
            assert "origin" in names(a["Vary"])
            a = preflight(srv, "/v1/shop/a", origin)
            assert a["Access-Control-Allow-Origin"] is None
        a = srv.get("/v1/shop/a", "Origin: " + SHOP, "Origin: " + SHOP)
        assert a["Access-Control-Allow-Origin"] is None
        assert "origin" in names(srv.get("/v1/shop/a")["Vary"])
    with_basic_store(t, "queryapi.cors_origins=" + SHOP)


def test_a_star_lets_every_page_read_without_varying():
    def t(srv, store):
        a = srv.get("/v1/shop/a", "Origin: https://any.example")
        assert a["Access-Control-Allow-Origin"] == "*"
        assert "origin" not in names(a["Vary"])
        assert srv.get("/v1/shop/a")["Access-Control-Allow-Origin"] is None
        a = preflight(srv, "/v1/shop", "https://any.example", "QUERY")
        assert a["Access-Control-Allow-Origin"] == "*"
    with_basic_store(t, "queryapi.cors_origins=*")


def test_a_preflight_tells_what_may_be_sent():
    def t(srv, store):
        for target, methods in [
                ("/v1/shop/a", {"get", "head", "options"}),
                ("/v1/shop", {"get", "head", "options", "query"}),
                ("/v1/shop/batch", {"get", "head", "options", "post"})]:
            with srv.connect() as c:
                c.send(request(target, "Origin: " + SHOP,
                               "Access-Control-Request-Method: QUERY",
                               "Access-Control-Request-Headers: "
                               "content-type", method="OPTIONS"))
                a = c.answer()
                assert a.status == 204 and a["Connection"] is None
                assert names(a["Access-Control-Allow-Methods"]) == methods
                assert {"content-type", "authorization", "if-none-match",
                        "projection-min-position", "traceparent"} <= names(
                            a["Access-Control-Allow-Headers"])
                assert int(a["Access-Control-Max-Age"]) > 0
                assert a["Access-Control-Allow-Origin"] == SHOP
        # A plain OPTIONS is no preflight.
        a = srv.get("/v1/shop/a", "Origin: " + SHOP, method="OPTIONS")
        assert a["Access-Control-Allow-Methods"] is None
    with_basic_store(t, "queryapi.cors_origins=" + SHOP)


def test_a_preflight_needs_no_token():
    def t(srv, store):
        a = preflight(srv, "/v1/shop/a", SHOP, "GET",
                      "Access-Control-Request-Headers: authorization")
        assert a.status == 204 and a["Access-Control-Allow-Origin"] == SHOP
        # And the page can read why it was refused.
        a = srv.get("/v1/shop/a", "Origin: " + SHOP)
        assert a.status == 401 and a["Access-Control-Allow-Origin"] == SHOP
    with_basic_store(t, "queryapi.cors_origins=" + SHOP,
                     "token.x.sha256=" + "0" * 64)


def test_a_list_that_no_browser_could_match_is_refused():
    for value in ("https://Shop.example", SHOP + "/", "shop.example", "null",
                  "*," + SHOP, SHOP + ",,", "https://", "https://a b",
                  "https://*.example"):
        done = subprocess.run([QUERYAPI, "config", "-s",
                               "queryapi.cors_origins=" + value],
                              capture_output=True)
        assert done.returncode == 78, value
        assert b"queryapi.cors_origins" in done.stderr, done.stderr


if __name__ == "__main__":
    sys.exit(main(globals()))
