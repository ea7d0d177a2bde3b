#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""RFC 9110 row by row: methods, conditions, negotiation, expectations.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from http_rows import A, CLOSE, OPEN, ask, has, req, table  # noqa: E402
from queryapi import main, with_basic_store  # noqa: E402

BIG = "/v1/shop/big"  # ETag "1.4", worth compressing
IDS = b'{"ids":["a"]}'
BATCH = "/v1/shop/batch"
READ = {"Allow": lambda v: v == "GET, HEAD, OPTIONS"}
CODED = {"Content-Encoding": "gzip", "Vary": has("Accept-Encoding"),
         "ETag": '"1.4-gzip"'}
PLAIN = {"Content-Encoding": None, "Vary": has("Accept-Encoding"),
         "ETag": '"1.4"'}

METHODS = [
    ("an unknown method", "9110 9.1", req(method="BREW"), 501, OPEN),
    ("method names have a case", "9110 9.1", req(method="get"), 501, OPEN),
    ("HEAD", "9110 9.3.2", req(method="HEAD"), 200, OPEN,
     {"Content-Length": "27", "ETag": '"1.3"'}),
    ("HEAD of what is not there", "9110 9.3.2",
     req("/v1/shop/none", method="HEAD"), 404, OPEN),
    ("PUT", "9110 9.3.4", req(method="PUT"), 405, OPEN, READ),
    ("DELETE", "9110 9.3.5", req(method="DELETE"), 405, OPEN, READ),
    ("PATCH", "5789 2", req(method="PATCH"), 405, OPEN, READ),
    ("TRACE", "9110 9.3.8", req(method="TRACE"), 405, OPEN, READ),
    ("POST of a document", "9110 9.3.3", req(method="POST"), 405, OPEN,
     READ),
    ("PUT of a page", "9110 9.3.4", req("/v1/pages/p/a", method="PUT"), 405,
     OPEN, READ),
    ("OPTIONS of a page", "9110 9.3.7",
     req("/v1/pages/p/a", method="OPTIONS"), 204, OPEN, READ),
    ("a page that is not declared", "9110 15.5.5", req("/v1/pages/p/a"), 404,
     OPEN),
    ("OPTIONS of a document", "9110 9.3.7", req(method="OPTIONS"), 204,
     OPEN, READ),
    ("OPTIONS of a view", "10008 3", req("/v1/shop", method="OPTIONS"), 204,
     OPEN, {"Allow": has("QUERY"), "Accept-Query": "application/json"}),
    ("OPTIONS of nothing", "9110 9.3.7", req("/x", method="OPTIONS"),
     404, OPEN),
    ("OPTIONS with content nobody reads", "9110 9.3.7",
     ask("OPTIONS", A, IDS), 204, CLOSE),
    ("OPTIONS of HTTP/1.0", "9110 9.3.7",
     req(method="OPTIONS", version="HTTP/1.0"), 204, CLOSE, READ),
    ("QUERY", "10008 2", ask("QUERY", "/v1/shop", IDS), 200, OPEN),
    ("QUERY without a type", "10008 2",
     req("/v1/shop", "Content-Length: 13", method="QUERY", body=IDS),
     415, CLOSE),
    ("QUERY of another type", "10008 2",
     ask("QUERY", "/v1/shop", IDS, kind="application/sql"), 415, CLOSE,
     {"Accept-Query": "application/json"}),
    ("QUERY whose content is not of its type", "10008 2",
     ask("QUERY", "/v1/shop", b"ids=a"), 400, OPEN),
    ("QUERY of a document", "10008 2", ask("QUERY", A, IDS), 405, CLOSE,
     READ),
    ("POST of another type", "9110 15.5.16",
     ask("POST", BATCH, IDS, kind="text/json"), 415, CLOSE,
     {"Accept": "application/json"}),
    ("POST of a coding", "9110 15.5.16",
     ask("POST", BATCH, IDS, "Content-Encoding: gzip"), 415, CLOSE,
     {"Accept-Encoding": "identity"}),
    ("a type with parameters", "9110 8.3.1",
     ask("POST", BATCH, IDS, kind="APPLICATION/json; charset=\"utf-8\""),
     200, OPEN),
    ("PUT where POST is", "9110 15.5.6", req(BATCH, method="PUT"), 405, OPEN,
     {"Allow": has("POST", "GET", "HEAD", "OPTIONS")}),
    ("deleted", "9110 15.5.11", req("/v1/shop/gone"), 410, OPEN),
    ("never seen", "9110 15.5.5", req("/v1/shop/never"), 404, OPEN),
]

CONDITIONS = [
    ("If-None-Match of the current tag", "9110 13.1.2",
     req(A, 'If-None-Match: "1.3"'), 304, OPEN, {"ETag": '"1.3"'}),
    ("a 304 has the fields of the 200", "9110 15.4.5",
     req(A, 'If-None-Match: "1.3"'), 304, OPEN,
     {"Cache-Control": lambda v: v.startswith("public, max-age=5"),
      "Vary": has("Accept-Encoding"), "Content-Type": None}),
    ("If-None-Match of another tag", "9110 13.1.2",
     req(A, 'If-None-Match: "1.2"'), 200, OPEN),
    ("If-None-Match compares weakly", "9110 13.1.2",
     req(A, 'If-None-Match: W/"1.3"'), 304, OPEN),
    ("W of a weak tag has a case", "9110 8.8.3",
     req(A, 'If-None-Match: w/"1.3"'), 200, OPEN),
    ("If-None-Match of a list", "9110 13.1.2",
     req(A, 'If-None-Match: "x", "a,b" ,"1.3"'), 304, OPEN),
    ("If-None-Match in two lines", "9110 5.3",
     req(A, 'If-None-Match: "x"', 'If-None-Match: "1.3"'), 304, OPEN),
    ("empty members of a list", "9110 5.6.1",
     req(A, 'If-None-Match: , "x",, "1.3" ,'), 304, OPEN),
    ("If-None-Match: *", "9110 13.1.2", req(A, "If-None-Match: *"),
     304, OPEN),
    ("a tag without quotes is none", "9110 8.8.3",
     req(A, "If-None-Match: 1.3"), 200, OPEN),
    ("HEAD is conditional too", "9110 13.1.2",
     req(A, 'If-None-Match: "1.3"', method="HEAD"), 304, OPEN),
    ("If-Match of the current tag", "9110 13.1.1",
     req(A, 'If-Match: "1.3"'), 200, OPEN),
    ("If-Match of another tag", "9110 13.1.1", req(A, 'If-Match: "1.2"'),
     412, OPEN),
    ("If-Match compares strongly", "9110 13.1.1",
     req(A, 'If-Match: W/"1.3"'), 412, OPEN),
    ("If-Match: *", "9110 13.1.1", req(A, "If-Match: *"), 200, OPEN),
    ("If-Match of a list", "9110 13.1.1", req(A, 'If-Match: "x", "1.3"'),
     200, OPEN),
    ("If-Match comes before If-None-Match: false", "9110 13.2.2",
     req(A, 'If-Match: "x"', 'If-None-Match: "1.3"'), 412, OPEN),
    ("If-Match comes before If-None-Match: true", "9110 13.2.2",
     req(A, 'If-None-Match: "1.3"', 'If-Match: "1.3"'), 304, OPEN),
    ("If-None-Match makes If-Modified-Since moot", "9110 13.1.3",
     req(A, 'If-None-Match: "x"',
         "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT"), 200, OPEN),
    ("no date, no If-Modified-Since", "9110 13.1.3",
     req(A, "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT"), 200, OPEN,
     {"Last-Modified": None}),
    ("no date, no If-Unmodified-Since", "9110 13.1.4",
     req(A, "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"),
     200, OPEN),
    ("no condition on what is not there", "9110 13.2.1",
     req("/v1/shop/none", "If-None-Match: *"), 404, OPEN),
    ("no precondition on what is not there", "9110 13.2.1",
     req("/v1/shop/none", "If-Match: *"), 404, OPEN),
    ("no condition on what is deleted", "9110 13.2.1",
     req("/v1/shop/gone", 'If-None-Match: "1.9"', 'If-Match: "x"'),
     410, OPEN),
    ("no condition on a bad request", "9110 13.2.1",
     req(A + "?x=1", 'If-Match: "x"'), 400, OPEN),
    ("Range is ignored", "9110 14.2", req(A, "Range: bytes=0-1"), 200, OPEN,
     {"Content-Range": None, "Content-Length": "27"}),
    ("If-Range is ignored without ranges", "9110 13.1.5",
     req(A, "Range: bytes=0-1", 'If-Range: "1.3"'), 200, OPEN),
]


def coding(name, value, fields, section="9110 12.5.3"):
    lines = [] if value is None else ["Accept-Encoding: " + value]
    return (name, section, req(BIG, *lines), 200, OPEN, fields)


NEGOTIATION = [
    coding("no Accept-Encoding", None, PLAIN),
    coding("an empty Accept-Encoding", "", PLAIN),
    coding("gzip", "gzip", CODED),
    coding("codings have no case", "GZip", CODED, "9110 8.4.1"),
    coding("x-gzip is gzip", "x-gzip", CODED, "9110 8.4.1.3"),
    coding("gzip among others", "br, gzip;q=0.8, *;q=0.1", CODED),
    coding("gzip of weight 0", "gzip;q=0", PLAIN),
    coding("gzip of weight 0.000", "gzip;q=0.000", PLAIN, "9110 12.4.2"),
    coding("gzip of weight 0.001", "gzip;q=0.001", CODED, "9110 12.4.2"),
    coding("a weight in capitals", "gzip;Q=1.0", CODED, "9110 12.4.2"),
    coding("white space around a weight", "gzip ; q=0.5", CODED,
           "9110 12.4.2"),
    coding("a weight that is none", "gzip;q=2", PLAIN, "9110 12.4.2"),
    coding("a weight of four digits", "gzip;q=0.0001", PLAIN, "9110 12.4.2"),
    coding("identity ranks higher", "identity, gzip;q=0.5", PLAIN),
    coding("gzip ranks higher", "identity;q=0.5, gzip", CODED),
    coding("anything", "*", CODED),
    coding("anything but gzip", "*, gzip;q=0", PLAIN),
    coding("only what we have not", "br, zstd", PLAIN),
    ("in two lines", "9110 5.3",
     req(BIG, "Accept-Encoding: br", "Accept-Encoding: gzip"), 200, OPEN,
     CODED),
    ("HEAD is coded like GET", "9110 9.3.2",
     req(BIG, "Accept-Encoding: gzip", method="HEAD"), 200, OPEN, CODED),
    ("a problem says its type whatever Accept says", "9110 12.5.1",
     req("/x", "Accept: text/html"), 404, OPEN),
    ("JSON is sent whatever Accept says", "9110 12.5.1",
     req(A, "Accept: text/html;q=1, */*;q=0"), 200, OPEN,
     {"Content-Type": "application/json"}),
]

EXPECTATIONS = [
    ("an unknown expectation", "9110 10.1.1", req(A, "Expect: cake"),
     417, CLOSE),
    ("an expectation beside a known one", "9110 10.1.1",
     req(A, "Expect: 100-continue, cake"), 417, CLOSE),
    ("an expectation of HTTP/1.0 is ignored", "9110 10.1.1",
     req(A, "Expect: 100-continue", version="HTTP/1.0"), 200, CLOSE),
    ("the final status instead of 100", "9110 10.1.1",
     req(A, "Content-Length: 5", "Expect: 100-continue", method="POST"),
     405, CLOSE),
    ("the final status instead of 100, by another case", "9110 10.1.1",
     req(A, "Content-Length: 5", "Expect: 100-Continue", method="PUT"),
     405, CLOSE),
    ("no 100 when the body is already here", "9110 10.1.1",
     ask("POST", BATCH, IDS, "Expect: 100-continue"), 200, OPEN),
    ("no 100 without content", "9110 10.1.1",
     ask("POST", BATCH, b"", "Expect: 100-continue"), 400, OPEN),
    ("TE is no Transfer-Encoding", "9110 10.1.4",
     req(A, "TE: trailers", "Connection: TE"), 200, OPEN),
    ("Max-Forwards is the proxies'", "9110 7.6.2",
     req(A, "Max-Forwards: 0", method="OPTIONS"), 204, OPEN),
    ("a request id in a malformed request", "9457 3.1.5",
     req(A, "X-Request-Id: a b", host=None), 400, CLOSE,
     {"X-Request-Id": lambda v: re.match(r"[0-9a-f]{32}$", v)}),
]


def test_head_has_the_fields_of_get():
    """RFC 9110, 9.3.2; errors have another id in their text."""
    def t(srv, store):
        for target in (A, BIG, "/v1/shop?ids=a,gone", "/openapi.json",
                       "/v1/shop/gone", "/v1/shop/none", "/x", "/v1/shop",
                       A + "?x=1", "/v1/nothing/a"):
            for more in ([], ["Accept-Encoding: gzip"],
                         ['If-None-Match: "1.3"'], ['If-Match: "x"'],
                         ["Origin: https://a"]):
                rid = "X-Request-Id: same"
                get = srv.get(target, rid, *more)
                head = srv.get(target, rid, *more, method="HEAD")
                assert head.status == get.status
                got, want = dict(head.fields), dict(get.fields)
                got.pop("date"), want.pop("date")
                assert got == want, (target, more, got, want)
    with_basic_store(t, "queryapi.cors_origins=https://a")


if __name__ == "__main__":
    sys.exit(main(globals(), [table(METHODS + CONDITIONS + NEGOTIATION +
                                    EXPECTATIONS)]))
