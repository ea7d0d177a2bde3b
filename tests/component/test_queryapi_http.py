#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP conformance of the read side, row by row, each with its RFC section.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (main, request, run,
                      with_basic_store)  # noqa: E402

H = b"Host: a\r\n"
OPEN, CLOSE = True, False
A = b"/v1/shop/a"

# name, section, bytes, status, whether the connection goes on
ROWS = [
    # RFC 9112 3: request line
    ("plain GET", "9112 3", b"GET %s HTTP/1.1\r\n%s\r\n" % (A, H), 200, OPEN),
    ("CRLF before the request", "9112 2.2",
     b"\r\nGET %s HTTP/1.1\r\n%s\r\n" % (A, H), 200, OPEN),
    ("many empty lines", "9112 2.2", b"\r\n" * 9, 400, CLOSE),
    ("bare LF line ends", "9112 2.2",
     b"GET %s HTTP/1.1\nHost: a\n\n" % A, 400, CLOSE),
    ("bare LF after one header", "9112 2.2",
     b"GET %s HTTP/1.1\r\nHost: a\n\r\n" % A, 400, CLOSE),
    ("bare CR in a header", "9112 2.2",
     b"GET %s HTTP/1.1\r\n%sX: a\rb\r\n\r\n" % (A, H), 400, CLOSE),
    ("white space before the first header", "9112 2.2",
     b"GET %s HTTP/1.1\r\n %s\r\n" % (A, H), 400, CLOSE),
    ("two spaces after the method", "9112 3",
     b"GET  %s HTTP/1.1\r\n%s\r\n" % (A, H), 400, CLOSE),
    ("space after the version", "9112 3",
     b"GET %s HTTP/1.1 \r\n%s\r\n" % (A, H), 400, CLOSE),
    ("tab instead of space", "9112 3",
     b"GET\t%s HTTP/1.1\r\n%s\r\n" % (A, H), 400, CLOSE),
    ("no version", "9112 3", b"GET %s\r\n%s\r\n" % (A, H), 400, CLOSE),
    ("no target", "9112 3", b"GET HTTP/1.1\r\n%s\r\n" % H, 400, CLOSE),
    ("method that is no token", "9112 3.1",
     b"G[T %s HTTP/1.1\r\n%s\r\n" % (A, H), 400, CLOSE),
    ("unknown method", "9110 9.1",
     b"BREW %s HTTP/1.1\r\n%s\r\n" % (A, H), 501, OPEN),
    ("method names have a case", "9110 9.1",
     b"get %s HTTP/1.1\r\n%s\r\n" % (A, H), 501, OPEN),
    ("long request line", "9112 3",
     b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n%s\r\n" % H, 414, CLOSE),
    ("version 0.9", "9110 15.6.6",
     b"GET / HTTP/0.9\r\n%s\r\n" % H, 505, CLOSE),
    ("version 2.0", "9110 15.6.6",
     b"GET / HTTP/2.0\r\n%s\r\n" % H, 505, CLOSE),
    ("HTTP/2 preface", "9113 3.4",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, CLOSE),
    ("higher minor version", "9110 2.5",
     b"GET %s HTTP/1.9\r\n%s\r\n" % (A, H), 200, OPEN),
    ("version in lower case", "9112 2.3",
     b"GET %s http/1.1\r\n%s\r\n" % (A, H), 400, CLOSE),
    ("TLS on a plain port", "9112 2.2",
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, CLOSE),
    # RFC 9112 3.2: target
    ("absolute form", "9112 3.2.2",
     b"GET http://a%s HTTP/1.1\r\n%s\r\n" % (A, H), 400, OPEN),
    ("authority form", "9112 3.2.3",
     b"CONNECT a:80 HTTP/1.1\r\n%s\r\n" % H, 405, OPEN),
    ("asterisk form", "9112 3.2.4",
     b"OPTIONS * HTTP/1.1\r\n%s\r\n" % H, 204, OPEN),
    ("asterisk with GET", "9112 3.2.4",
     b"GET * HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("fragment", "9112 3.2.1",
     b"GET %s#x HTTP/1.1\r\n%s\r\n" % (A, H), 400, OPEN),
    ("byte outside ASCII", "3986 2",
     b"GET /v1/shop/\xea\xb0\x80 HTTP/1.1\r\n%s\r\n" % H, 400, CLOSE),
    ("control byte in the target", "9112 3.2",
     b"GET /v1/shop/\x01 HTTP/1.1\r\n%s\r\n" % H, 400, CLOSE),
    ("NUL in the target", "9112 3.2",
     b"GET /v1/shop/\x00 HTTP/1.1\r\n%s\r\n" % H, 400, CLOSE),
    ("%00", "3986 2.1",
     b"GET /v1/shop/a%%00 HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("incomplete escape", "3986 2.1",
     b"GET /v1/shop/a%%2 HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("escape that is no hex", "3986 2.1",
     b"GET /v1/shop/%%zz HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("not UTF-8 once decoded", "3629 3",
     b"GET /v1/shop/%%ff HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("overlong UTF-8", "3629 3",
     b"GET /v1/shop/%%c0%%af HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("dot segments", "3986 3.3",
     b"GET /v1/shop/../a HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("escaped dot segments", "3986 6.2.2.2",
     b"GET /v1/%%2e%%2E/a HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("unescaped character", "3986 3.3",
     b"GET /v1/shop/a|b HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("escaped slash is part of the key", "3986 2.2",
     b"GET /v1/shop/b%%2Fc HTTP/1.1\r\n%s\r\n" % H, 200, OPEN),
    ("raw slash is not", "3986 3.3",
     b"GET /v1/shop/b/c HTTP/1.1\r\n%s\r\n" % H, 404, OPEN),
    ("escapes of letters are letters", "3986 6.2.2.2",
     b"GET /%%76%%31/shop/%%61 HTTP/1.1\r\n%s\r\n" % H, 200, OPEN),
    ("key of 480 bytes", "3986 3.3",
     b"GET /v1/shop/" + b"k" * 480 + b" HTTP/1.1\r\n%s\r\n" % H, 404, OPEN),
    ("key of 481 bytes", "3986 3.3",
     b"GET /v1/shop/" + b"k" * 481 + b" HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    # RFC 9112 5: headers
    ("white space before the colon", "9112 5.1",
     b"GET %s HTTP/1.1\r\n%sX : y\r\n\r\n" % (A, H), 400, CLOSE),
    ("empty header name", "9112 5",
     b"GET %s HTTP/1.1\r\n%s: y\r\n\r\n" % (A, H), 400, CLOSE),
    ("line without a colon", "9112 5",
     b"GET %s HTTP/1.1\r\n%sX\r\n\r\n" % (A, H), 400, CLOSE),
    ("folded line", "9112 5.2",
     b"GET %s HTTP/1.1\r\n%sX: y\r\n z\r\n\r\n" % (A, H), 400, CLOSE),
    ("NUL in a value", "9110 5.5",
     b"GET %s HTTP/1.1\r\n%sX: \x00\r\n\r\n" % (A, H), 400, CLOSE),
    ("tabs and high bytes in a value", "9110 5.5",
     b"GET %s HTTP/1.1\r\n%sX:\t\xff\t\r\n\r\n" % (A, H), 200, OPEN),
    ("64 header lines", "9110 5.4",
     b"GET %s HTTP/1.1\r\n%s" % (A, H) + b"X: y\r\n" * 63 + b"\r\n",
     200, OPEN),
    ("65 header lines", "6585 5",
     b"GET %s HTTP/1.1\r\n%s" % (A, H) + b"X: y\r\n" * 64 + b"\r\n",
     431, CLOSE),
    ("headers too large", "6585 5",
     b"GET %s HTTP/1.1\r\n%sX: " % (A, H) + b"y" * 20000, 431, CLOSE),
    ("no Host", "9112 3.2", b"GET %s HTTP/1.1\r\n\r\n" % A, 400, CLOSE),
    ("two Hosts", "9112 3.2",
     b"GET %s HTTP/1.1\r\n%s%s\r\n" % (A, H, H), 400, CLOSE),
    ("malformed Host", "9112 3.2",
     b"GET %s HTTP/1.1\r\nHost: a b\r\n\r\n" % A, 400, CLOSE),
    ("empty Host", "9112 3.2",
     b"GET %s HTTP/1.1\r\nHost:\r\n\r\n" % A, 200, OPEN),
    ("HTTP/1.0 without Host", "9112 3.2",
     b"GET %s HTTP/1.0\r\n\r\n" % A, 200, CLOSE),
    ("HTTP/1.0 kept alive", "9112 C.2.2",
     b"GET %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" % A, 200, OPEN),
    # RFC 9112 6: framing
    ("chunked", "9112 6.1",
     b"GET %s HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
     % (A, H), 501, CLOSE),
    ("coding and length", "9112 6.1",
     b"GET %s HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n"
     b"Content-Length: 5\r\n\r\n0\r\n\r\n" % (A, H), 400, CLOSE),
    ("coding in HTTP/1.0", "9112 6.1",
     b"GET %s HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" % A,
     400, CLOSE),
    ("two lengths", "9112 6.3",
     b"GET %s HTTP/1.1\r\n%sContent-Length: 0\r\nContent-Length: 0\r\n\r\n"
     % (A, H), 400, CLOSE),
    ("length list", "9112 6.3",
     b"GET %s HTTP/1.1\r\n%sContent-Length: 1, 1\r\n\r\nx" % (A, H),
     400, CLOSE),
    ("signed length", "9110 8.6",
     b"GET %s HTTP/1.1\r\n%sContent-Length: +1\r\n\r\nx" % (A, H),
     400, CLOSE),
    ("length beyond any number", "9110 8.6",
     b"GET %s HTTP/1.1\r\n%sContent-Length: 99999999999999999999\r\n\r\n"
     % (A, H), 400, CLOSE),
    ("GET with a body", "9110 9.3.1",
     b"GET %s HTTP/1.1\r\n%sContent-Length: 5\r\n\r\nhello" % (A, H),
     400, CLOSE),
    ("GET with an empty body", "9110 9.3.1",
     b"GET %s HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n" % (A, H), 200, OPEN),
    ("POST with a body", "9110 15.5.6",
     b"POST %s HTTP/1.1\r\n%sContent-Length: 5\r\n\r\nhello" % (A, H),
     405, CLOSE),
    ("final status instead of 100", "9110 10.1.1",
     b"POST %s HTTP/1.1\r\n%sContent-Length: 5\r\n"
     b"Expect: 100-continue\r\n\r\n" % (A, H), 405, CLOSE),
    ("unknown expectation", "9110 10.1.1",
     b"GET %s HTTP/1.1\r\n%sExpect: cake\r\n\r\n" % (A, H), 417, CLOSE),
    # RFC 9110 9: methods
    ("DELETE", "9110 9.1",
     b"DELETE %s HTTP/1.1\r\n%s\r\n" % (A, H), 405, OPEN),
    ("QUERY", "10008 2",
     b"QUERY /v1/shop HTTP/1.1\r\n%s\r\n" % H, 415, OPEN),
    ("OPTIONS of a document", "9110 9.3.7",
     b"OPTIONS %s HTTP/1.1\r\n%s\r\n" % (A, H), 204, OPEN),
    ("TRACE", "9110 9.3.8",
     b"TRACE %s HTTP/1.1\r\n%s\r\n" % (A, H), 405, OPEN),
    # RFC 9112 9: connections
    ("Connection: close", "9112 9.6",
     b"GET %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (A, H), 200, CLOSE),
    ("close among options", "9112 9.6",
     b"GET %s HTTP/1.1\r\n%sConnection: x , Close\r\n\r\n" % (A, H),
     200, CLOSE),
    ("upgrade is ignored", "9110 7.8",
     b"GET %s HTTP/1.1\r\n%sConnection: Upgrade, HTTP2-Settings\r\n"
     b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" % (A, H),
     200, OPEN),
    # resources
    ("unknown path", "9110 15.5.5", b"GET /x HTTP/1.1\r\n%s\r\n" % H,
     404, OPEN),
    ("root", "9110 15.5.5", b"GET / HTTP/1.1\r\n%s\r\n" % H, 404, OPEN),
    ("unknown view", "9110 15.5.5",
     b"GET /v1/nothing/a HTTP/1.1\r\n%s\r\n" % H, 404, OPEN),
    ("`pages` is no view", "9110 15.5.5",
     b"GET /v1/pages/x HTTP/1.1\r\n%s\r\n" % H, 404, OPEN),
    ("empty key", "9110 15.5.5", b"GET /v1/shop/ HTTP/1.1\r\n%s\r\n" % H,
     404, OPEN),
    ("empty view", "9110 15.5.5", b"GET /v1//a HTTP/1.1\r\n%s\r\n" % H,
     404, OPEN),
    ("never seen", "9110 15.5.5",
     b"GET /v1/shop/never HTTP/1.1\r\n%s\r\n" % H, 404, OPEN),
    ("deleted", "9110 15.5.11",
     b"GET /v1/shop/gone HTTP/1.1\r\n%s\r\n" % H, 410, OPEN),
    ("unknown parameter", "9110 15.5.1",
     b"GET %s?x=1 HTTP/1.1\r\n%s\r\n" % (A, H), 400, OPEN),
    ("unknown parameter of a batch", "9110 15.5.1",
     b"GET /v1/shop?ids=a&x=1 HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("parameter given twice", "9110 15.5.1",
     b"GET /v1/shop?ids=a&ids=b HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("view without ids", "9110 15.5.1",
     b"GET /v1/shop HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("ids without ids", "9110 15.5.1",
     b"GET /v1/shop?ids= HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("empty id among ids", "9110 15.5.1",
     b"GET /v1/shop?ids=a,,b HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
    ("100 ids", "9110 15.3.1", b"GET /v1/shop?ids=" + b",".join([b"a"] * 100)
     + b" HTTP/1.1\r\n%s\r\n" % H, 200, OPEN),
    ("101 ids", "9110 15.5.1", b"GET /v1/shop?ids=" + b",".join([b"a"] * 101)
     + b" HTTP/1.1\r\n%s\r\n" % H, 400, OPEN),
]


def check_row(srv, name, data, status, goes_on):
    with srv.connect() as c:
        c.send(data)
        a = c.answer()
        assert a.status == status, (a.status, a.body)
        assert a.version == "HTTP/1.1" and a.reason
        assert re.match(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$",
                        a["Date"])
        assert a["X-Request-Id"]
        if status >= 400:
            assert a["Content-Type"] == "application/problem+json"
            p = a.json()
            assert p["status"] == status and p["title"] == a.reason
            assert p["type"].startswith("urn:shopview:problem:")
            assert p["instance"].endswith(a["X-Request-Id"])
        if status == 405:
            assert a["Allow"].startswith("GET, HEAD, OPTIONS")
        if goes_on:
            assert a["Connection"] in (None, "keep-alive")
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
        else:
            assert a["Connection"] == "close"
            assert c.closed()


def conformance(results):
    def t(srv, store):
        for name, section, data, status, goes_on in ROWS:
            run("RFC %s: %s" % (section, name),
                lambda: check_row(srv, name, data, status, goes_on), results)
    with_basic_store(t)


if __name__ == "__main__":
    sys.exit(main(globals(), [conformance]))
