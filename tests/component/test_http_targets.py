#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""RFC 3986, and what targets RFC 9112 knows, row by row.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from http_rows import A, CLOSE, OPEN, ask, has, req, table  # noqa: E402
from queryapi import main  # noqa: E402

ANY = has("GET", "HEAD", "OPTIONS")


def raw(ch):
    return ("unescaped %s in the path" % ascii(ch), "3986 3.3",
            req("/v1/shop/a%sb" % ch), 400, OPEN)


FORMS = [
    ("absolute form", "9112 3.2.2", req("http://a" + A), 200, OPEN),
    ("absolute form, another host than Host", "9112 3.2.2",
     req("http://other:81" + A), 200, OPEN),
    ("absolute form by https", "9112 3.2.2", req("https://a" + A),
     200, OPEN),
    ("the scheme has no case", "3986 3.1", req("hTTp://a" + A), 200, OPEN),
    ("absolute form of IPv6", "3986 3.2.2", req("http://[::1]:8080" + A),
     200, OPEN),
    ("absolute form with a query", "9112 3.2.2",
     req("http://a/v1/shop?ids=a,b"), 200, OPEN),
    ("absolute form without a path is /", "9110 4.2.3", req("http://a"),
     404, OPEN),
    ("absolute form without a path, with a query", "9110 4.2.3",
     req("http://a?x=1"), 404, OPEN),
    ("absolute form without a host", "9110 4.2.1", req("http://" + A),
     400, OPEN),
    ("absolute form with a port alone", "9110 4.2.1", req("http://:80" + A),
     400, OPEN),
    ("absolute form with userinfo", "9110 4.2.4", req("http://u:p@a" + A),
     400, OPEN),
    ("absolute form of another scheme", "9110 4.2.1", req("ftp://a" + A),
     400, OPEN),
    ("a scheme without an authority", "9112 3.2.2", req("http:" + A),
     400, OPEN),
    ("a body behind an absolute form", "9112 3.2.2",
     ask("POST", "http://a/v1/shop/batch", b'{"ids":["a"]}'), 200, OPEN),
    ("authority form", "9112 3.2.3", req("a:80", method="CONNECT"),
     405, OPEN, {"Allow": ANY}),
    ("authority form of another method", "9112 3.2.3", req("a:80"),
     400, OPEN),
    ("asterisk form", "9112 3.2.4", req("*", method="OPTIONS"), 204, OPEN,
     {"Allow": has("GET", "HEAD", "OPTIONS", "POST", "QUERY")}),
    ("asterisk form of another method", "9112 3.2.4", req("*"), 400, OPEN),
    ("more than an asterisk", "9112 3.2.4", req("**", method="OPTIONS"),
     400, OPEN),
    ("a path without its slash", "9112 3.2.1", req("v1/shop/a"), 400, OPEN),
    ("a fragment", "9112 3.2", req(A + "#x"), 400, OPEN),
    ("an empty fragment", "9112 3.2", req(A + "#"), 400, OPEN),
]

ESCAPES = [
    ("%00", "3986 7.3", req("/v1/shop/a%00"), 400, OPEN),
    ("%00 in the view", "3986 7.3", req("/v1/sh%00op/a"), 400, OPEN),
    ("%00 in a parameter", "3986 7.3", req("/v1/shop?ids=a%00"), 400, OPEN),
    ("half an escape", "3986 2.1", req("/v1/shop/a%2"), 400, OPEN),
    ("a percent sign alone", "3986 2.1", req("/v1/shop/a%"), 400, OPEN),
    ("an escape that is no hex", "3986 2.1", req("/v1/shop/%zz"), 400, OPEN),
    ("an escape with a sign", "3986 2.1", req("/v1/shop/%+1"), 400, OPEN),
    ("a bad escape in a parameter", "3986 2.1", req("/v1/shop?ids=%4"),
     400, OPEN),
    ("a bad escape in a parameter's name", "3986 2.1", req(A + "?%x=1"),
     400, OPEN),
    ("escapes of letters are letters", "3986 6.2.2.2", req("/v1/%73hop/%61"),
     200, OPEN),
    ("hex digits have no case", "3986 6.2.2.1", req("/v1/shop/b%2fc"),
     200, OPEN),
    ("an escaped slash is part of the key", "3986 2.2",
     req("/v1/shop/b%2Fc"), 200, OPEN),
    ("an escape is decoded once", "3986 2.4", req("/v1/shop/b%252Fc"),
     404, OPEN),
    ("a raw slash is not part of the key", "3986 3.3", req("/v1/shop/b/c"),
     404, OPEN),
    ("text beyond ASCII", "3987 3.1",
     req("/v1/shop/%EA%B0%80%2C%EB%82%98"), 200, OPEN),
    ("not UTF-8 once decoded", "3629 3", req("/v1/shop/%ff"), 400, OPEN),
    ("half a character", "3629 3", req("/v1/shop/%EA%B0"), 400, OPEN),
    ("overlong UTF-8 of a slash", "3629 10", req("/v1/shop/%c0%af"),
     400, OPEN),
    ("overlong UTF-8 of NUL", "3629 10", req("/v1/shop/%c0%80"), 400, OPEN),
    ("overlong UTF-8 of three bytes", "3629 10", req("/v1/shop/%e0%80%af"),
     400, OPEN),
    ("a surrogate", "3629 3", req("/v1/shop/%ed%a0%80"), 400, OPEN),
    ("beyond U+10FFFF", "3629 3", req("/v1/shop/%f4%90%80%80"), 400, OPEN),
    ("escaped control bytes are part of the key", "3986 2.1",
     req("/v1/shop/%0D%0AX:%20y"), 404, OPEN, {"X": None}),
    ("a raw byte beyond ASCII", "3986 2", req("/v1/shop/\xea\xb0\x80"),
     400, CLOSE),
    ("a control byte", "9112 3.2", req("/v1/shop/\x01"), 400, CLOSE),
    ("NUL", "9112 3.2", req("/v1/shop/\0"), 400, CLOSE),
    ("DEL", "9112 3.2", req("/v1/shop/\x7f"), 400, CLOSE),
] + [raw(ch) for ch in '"<>\\^`{|}[]']

PATHS = [
    ("dot segments", "3986 5.2.4", req("/v1/shop/../a"), 400, OPEN),
    ("a dot segment at the end", "3986 5.2.4", req("/v1/shop/.."), 400, OPEN),
    ("a single dot segment", "3986 5.2.4", req("/v1/./shop/a"), 400, OPEN),
    ("escaped dot segments", "3986 6.2.2.2", req("/v1/%2e%2E/a"), 400, OPEN),
    ("half escaped dot segments", "3986 6.2.2.2", req("/v1/shop/.%2e"),
     400, OPEN),
    ("dots within an escaped slash are a key", "3986 2.2",
     req("/v1/shop/..%2Fa"), 404, OPEN),
    ("three dots are a key", "3986 3.3", req("/v1/shop/..."), 404, OPEN),
    ("what a segment may hold unescaped", "3986 3.3",
     req("/v1/shop/-._~!$&'()*+,;=:@"), 404, OPEN),
    ("a plus sign is no space", "3986 3.3", req("/v1/shop?ids=a+b"),
     200, OPEN),
    ("paths have a case", "3986 6.2.2.1", req("/V1/shop/a"), 404, OPEN),
    ("views have a case", "3986 6.2.2.1", req("/v1/Shop/a"), 404, OPEN),
    ("an empty segment is a segment", "3986 3.3", req("/v1//a"), 404, OPEN),
    ("two slashes in front are a path", "3986 3.3", req("//v1/shop/a"),
     404, OPEN),
    ("an empty key", "9110 15.5.5", req("/v1/shop/"), 404, OPEN),
    ("the root", "9110 15.5.5", req("/"), 404, OPEN),
    ("an unknown path", "9110 15.5.5", req("/x"), 404, OPEN),
    ("an unknown view", "9110 15.5.5", req("/v1/nothing/a"), 404, OPEN),
    ("`pages` is no view", "9110 15.5.5", req("/v1/pages/x"), 404, OPEN),
    ("a path of very many segments", "9110 15.5.5", req("/v1" + "/a" * 500),
     404, OPEN),
    ("a key of 480 bytes", "9110 15.5.5", req("/v1/shop/" + "k" * 480),
     404, OPEN),
    ("a key of 481 bytes", "9110 15.5.1", req("/v1/shop/" + "k" * 481),
     400, OPEN),
    ("a key of 480 escaped bytes", "9110 15.5.5",
     req("/v1/shop/" + "%6b" * 480), 404, OPEN),
]

QUERIES = [
    ("an empty query", "3986 3.4", req(A + "?"), 200, OPEN),
    ("slash and question mark in a query", "3986 3.4",
     req("/v1/shop?ids=a/b?c"), 200, OPEN),
    ("a bracket in a query", "3986 3.4", req("/v1/shop?ids=[a]"), 400, OPEN),
    ("an unknown parameter", "9110 15.5.1", req(A + "?x=1"), 400, OPEN),
    ("an unknown parameter of a batch", "9110 15.5.1",
     req("/v1/shop?ids=a&x=1"), 400, OPEN),
    ("a parameter given twice", "9110 15.5.1", req("/v1/shop?ids=a&ids=b"),
     400, OPEN),
    ("a parameter given twice, once escaped", "3986 6.2.2.2",
     req("/v1/shop?ids=a&%69ds=b"), 400, OPEN),
    ("a parameter's name escaped", "3986 6.2.2.2", req("/v1/shop?%69ds=a"),
     200, OPEN),
    ("17 parameters", "9110 15.5.1",
     req(A + "?" + "&".join("p%d" % i for i in range(17))), 400, OPEN),
    ("an empty id among ids", "9110 15.5.1", req("/v1/shop?ids=a,,b"),
     400, OPEN),
    ("an escaped comma is part of an id", "3986 2.2",
     req("/v1/shop?ids=a%2Cb"), 200, OPEN),
    ("100 ids", "9110 15.3.1", req("/v1/shop?ids=" + ",".join(["a"] * 100)),
     200, OPEN),
    ("101 ids", "9110 15.5.1", req("/v1/shop?ids=" + ",".join(["a"] * 101)),
     400, OPEN),
    ("an id of 481 bytes", "9110 15.5.1", req("/v1/shop?ids=" + "k" * 481),
     400, OPEN),
    ("a view without ids", "9110 15.3.1", req("/v1/shop"), 200, OPEN),
    ("a page of 101", "9110 15.5.1", req("/v1/shop?limit=101"), 400, OPEN),
    ("a page behind no cursor", "9110 15.5.1", req("/v1/shop?cursor=x"),
     400, OPEN),
    ("a page by an undeclared field", "9110 15.5.1", req("/v1/shop?name=A"),
     400, OPEN),
]

if __name__ == "__main__":
    sys.exit(main(globals(), [table(FORMS + ESCAPES + PATHS + QUERIES)]))
