#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""RFC 9112 row by row: request line, fields, framing, connections, sizes.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from http_rows import A, CLOSE, HOST, OPEN, ask, req, table  # noqa: E402
from queryapi import main, request, with_basic_store  # noqa: E402

PATH = A.encode()
IDS = b'{"ids":["a"]}'
BATCH = "/v1/shop/batch"


def line(first):
    return first + b"\r\n" + HOST + b"\r\n\r\n"


def posted(*lines, body=IDS):
    return req(BATCH, "Content-Type: application/json", *lines, method="POST",
               body=body)


REQUEST_LINE = [
    ("plain GET", "9112 3", req(), 200, OPEN),
    ("one CRLF before the request", "9112 2.2", b"\r\n" + req(), 200, OPEN),
    ("empty lines instead of a request", "9112 2.2", b"\r\n" * 9, 400, CLOSE),
    ("a bare LF before the request", "9112 2.2", b"\n" + req(), 400, CLOSE),
    ("bare LF as every line end", "9112 2.2",
     b"GET %s HTTP/1.1\nHost: a\n\n" % PATH, 400, CLOSE),
    ("bare LF after one header", "9112 2.2",
     b"GET %s HTTP/1.1\r\nHost: a\n\r\n" % PATH, 400, CLOSE),
    ("bare LF as the empty line", "9112 2.2",
     b"GET %s HTTP/1.1\r\nHost: a\r\n\n" % PATH, 400, CLOSE),
    ("bare CR in a header", "9112 2.2", req(A, "X: a\rb"), 400, CLOSE),
    ("bare CR as a line end", "9112 2.2",
     b"GET %s HTTP/1.1\rHost: a\r\r" % PATH, 400, CLOSE),
    ("CR CR LF as a line end", "9112 2.2",
     b"GET %s HTTP/1.1\r\r\nHost: a\r\n\r\n" % PATH, 400, CLOSE),
    ("white space before the first header", "9112 2.2",
     b"GET %s HTTP/1.1\r\n Host: a\r\n\r\n" % PATH, 400, CLOSE),
    ("white space before the method", "9112 3", b" " + req(), 400, CLOSE),
    ("two spaces after the method", "9112 3",
     line(b"GET  %s HTTP/1.1" % PATH), 400, CLOSE),
    ("two spaces before the version", "9112 3",
     line(b"GET %s  HTTP/1.1" % PATH), 400, CLOSE),
    ("space behind the version", "9112 3",
     line(b"GET %s HTTP/1.1 " % PATH), 400, CLOSE),
    ("tab instead of a space", "9112 3",
     line(b"GET\t%s HTTP/1.1" % PATH), 400, CLOSE),
    ("space within the target", "9112 3.2",
     line(b"GET /v1/shop/a b HTTP/1.1"), 400, CLOSE),
    ("no version: an HTTP/0.9 line", "9112 3", b"GET %s\r\n\r\n" % PATH,
     400, CLOSE),
    ("no version, with headers", "9112 3", line(b"GET %s" % PATH),
     400, CLOSE),
    ("no target", "9112 3", line(b"GET HTTP/1.1"), 400, CLOSE),
    ("a method alone", "9112 3", line(b"GET"), 400, CLOSE),
    ("a method that is no token", "9112 3.1", req(method="G[T"), 400, CLOSE),
    ("a method that is empty", "9112 3.1",
     line(b" %s HTTP/1.1" % PATH), 400, CLOSE),
    ("version 0.9", "9110 15.6.6", req(version="HTTP/0.9"), 505, CLOSE),
    ("version 2.0", "9110 15.6.6", req(version="HTTP/2.0"), 505, CLOSE),
    ("version 3.0", "9110 15.6.6", req(version="HTTP/3.0"), 505, CLOSE),
    ("the HTTP/2 preface", "9113 3.4",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, CLOSE),
    ("a higher minor version", "9110 2.5", req(version="HTTP/1.9"),
     200, OPEN),
    ("a version in lower case", "9112 2.3", req(version="http/1.1"),
     400, CLOSE),
    ("a version of two digits", "9112 2.3", req(version="HTTP/1.10"),
     400, CLOSE),
    ("a version without a minor", "9112 2.3", req(version="HTTP/1"),
     400, CLOSE),
    ("another protocol's name", "9112 2.3", req(version="HTTQ/1.1"),
     400, CLOSE),
    ("TLS on a plain port", "9112 2.2",
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, CLOSE),
]

FIELDS = [
    ("no space behind the colon", "9112 5", req(A, host=b"Host:a"),
     200, OPEN),
    ("white space around a value", "9112 5",
     req(A, host=b"Host: \t a \t "), 200, OPEN),
    ("space before the colon", "9112 5.1", req(A, "X : y"), 400, CLOSE),
    ("tab before the colon", "9112 5.1", req(A, "X\t: y"), 400, CLOSE),
    ("a line without a colon", "9112 5", req(A, "X y"), 400, CLOSE),
    ("a line without a name", "9112 5", req(A, ": y"), 400, CLOSE),
    ("a name that is no token", "9112 5", req(A, "X[]: y"), 400, CLOSE),
    ("a folded line", "9112 5.2", req(A, "X: a", " b"), 400, CLOSE),
    ("a line folded by a tab", "9112 5.2", req(A, "X: a", "\tb"),
     400, CLOSE),
    ("a folded line of nothing", "9112 5.2", req(A, "X: a", " "),
     400, CLOSE),
    ("NUL in a value", "9110 5.5", req(A, "X: a\0b"), 400, CLOSE),
    ("a control byte in a value", "9110 5.5", req(A, "X: a\x1bb"),
     400, CLOSE),
    ("DEL in a value", "9110 5.5", req(A, "X: a\x7fb"), 400, CLOSE),
    ("NUL in a name", "9110 5.1", req(A, "X\0: b"), 400, CLOSE),
    ("tabs and obs-text in a value", "9110 5.5", req(A, "X:\t\xff\t"),
     200, OPEN),
    ("an empty value", "9110 5.5", req(A, "X:"), 200, OPEN),
    ("names have no case", "9110 5.1", req(A, host=b"hOsT: a"), 200, OPEN),
    ("unknown fields are ignored", "9110 5.1",
     req(A, "X-Unknown: y", "Frobnicate: 1"), 200, OPEN),
    ("no Host", "9112 3.2", req(A, host=None), 400, CLOSE),
    ("two Hosts", "9112 3.2", req(A, HOST), 400, CLOSE),
    ("two Hosts, one by another case", "9112 3.2", req(A, "HOST: b"),
     400, CLOSE),
    ("an empty Host", "9112 3.2", req(A, host=b"Host:"), 200, OPEN),
    ("a Host with a port", "9110 7.2", req(A, host=b"Host: a:8080"),
     200, OPEN),
    ("a Host with an empty port", "3986 3.2.3", req(A, host=b"Host: a:"),
     200, OPEN),
    ("an IPv6 Host", "3986 3.2.2", req(A, host=b"Host: [::1]:80"),
     200, OPEN),
    ("a Host with a space", "9112 3.2", req(A, host=b"Host: a b"),
     400, CLOSE),
    ("a Host with userinfo", "9110 7.2", req(A, host=b"Host: u@a"),
     400, CLOSE),
    ("a Host with a path", "9110 7.2", req(A, host=b"Host: a/b"),
     400, CLOSE),
    ("a Host with a port of letters", "3986 3.2.3",
     req(A, host=b"Host: a:b"), 400, CLOSE),
    ("a Host with half a bracket", "3986 3.2.2", req(A, host=b"Host: [::1"),
     400, CLOSE),
    ("HTTP/1.1 with Host in the target only", "9112 3.2",
     req("http://a" + A, host=None), 400, CLOSE),
]

FRAMING = [
    ("chunked", "9112 6.1",
     req(A, "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 501, CLOSE),
    ("chunked where a body is read", "9112 6.1",
     posted("Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 501, CLOSE),
    ("a coding by another case", "9112 6.1",
     posted("tRANSFER-eNCODING: Chunked", body=b"0\r\n\r\n"), 501, CLOSE),
    ("an unknown coding", "9112 6.1",
     posted("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501, CLOSE),
    ("codings in a list", "9112 6.1",
     posted("Transfer-Encoding: gzip, chunked"), 501, CLOSE),
    ("codings in two lines", "9112 6.1",
     posted("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
     501, CLOSE),
    ("an empty coding", "9112 6.1", posted("Transfer-Encoding:"),
     501, CLOSE),
    ("coding and length", "9112 6.1",
     req(A, "Transfer-Encoding: chunked", "Content-Length: 5",
         body=b"0\r\n\r\n"), 400, CLOSE),
    ("length and coding", "9112 6.1",
     posted("Content-Length: 13", "Transfer-Encoding: chunked"), 400, CLOSE),
    ("coding in HTTP/1.0", "9112 6.1",
     req(A, "Transfer-Encoding: chunked", version="HTTP/1.0"), 400, CLOSE),
    ("a coding with a space before its colon", "9112 5.1",
     posted("Transfer-Encoding : chunked"), 400, CLOSE),
    ("a coding behind a control byte", "9110 5.5",
     posted("Transfer-Encoding: \x0bchunked"), 400, CLOSE),
    ("a folded coding", "9112 5.2",
     posted("Transfer-Encoding:", " chunked"), 400, CLOSE),
    ("two equal lengths", "9112 6.3",
     posted("Content-Length: 13", "Content-Length: 13"), 400, CLOSE),
    ("two lengths that differ", "9112 6.3",
     posted("Content-Length: 13", "Content-Length: 0"), 400, CLOSE),
    ("a list of equal lengths", "9112 6.3", posted("Content-Length: 13, 13"),
     400, CLOSE),
    ("a list of lengths that differ", "9112 6.3",
     posted("Content-Length: 13, 0"), 400, CLOSE),
    ("two lengths of nothing", "9112 6.3",
     req(A, "Content-Length: 0", "Content-Length: 0"), 400, CLOSE),
    ("a signed length", "9110 8.6", posted("Content-Length: +13"),
     400, CLOSE),
    ("a negative length", "9110 8.6", posted("Content-Length: -13"),
     400, CLOSE),
    ("a length in hexadecimal", "9110 8.6", posted("Content-Length: 0xd"),
     400, CLOSE),
    ("a length with a fraction", "9110 8.6", posted("Content-Length: 13.0"),
     400, CLOSE),
    ("a length with a space in it", "9110 8.6", posted("Content-Length: 1 3"),
     400, CLOSE),
    ("a length with an underscore", "9110 8.6", posted("Content-Length: 1_3"),
     400, CLOSE),
    ("an empty length", "9110 8.6", posted("Content-Length:"), 400, CLOSE),
    ("a length in another script's digits", "9110 8.6",
     posted("Content-Length: \xef\xbc\x91\xef\xbc\x93"), 400, CLOSE),
    ("a length beyond any number", "9110 8.6",
     posted("Content-Length: 99999999999999999999"), 400, CLOSE),
    ("a length that wraps around 64 bits", "9110 8.6",
     posted("Content-Length: 18446744073709551629"), 400, CLOSE),
    ("a length with leading zeros", "9110 8.6",
     posted("Content-Length: 00013"), 200, OPEN),
    ("a length with white space around it", "9110 8.6",
     posted("Content-Length: \t13 "), 200, OPEN),
    ("a body and a request behind it", "9112 6.3",
     ask("POST", BATCH, IDS), 200, OPEN),
    ("a body that looks like a request", "9112 6.3",
     ask("POST", BATCH, req("/v1/shop/gone")), 400, OPEN),
    ("a body that nobody reads looks like a request", "9112 6.3",
     ask("POST", A, req("/v1/shop/gone")), 405, CLOSE),
    ("GET with a body that looks like a request", "9110 9.3.1",
     ask("GET", A, req("/v1/shop/gone")), 400, CLOSE),
    ("HEAD with a body", "9110 9.3.2", ask("HEAD", A, b"hello"), 400, CLOSE),
    ("GET with a body of nothing", "9110 9.3.1",
     req(A, "Content-Length: 0"), 200, OPEN),
    ("POST without a length has no body", "9112 6.3", posted(body=b""),
     400, OPEN),
]

CONNECTIONS = [
    ("HTTP/1.1 goes on", "9112 9.3", req(), 200, OPEN,
     {"Connection": None}),
    ("Connection: close", "9112 9.6", req(A, "Connection: close"),
     200, CLOSE),
    ("close among other options", "9112 9.6",
     req(A, "Connection: x , Close"), 200, CLOSE),
    ("close in the second line", "9112 9.6",
     req(A, "Connection: x", "Connection: close"), 200, CLOSE),
    ("close beats keep-alive", "9112 9.3",
     req(A, "Connection: keep-alive, close"), 200, CLOSE),
    ("HTTP/1.0 ends", "9112 9.3", req(version="HTTP/1.0"), 200, CLOSE),
    ("HTTP/1.0 without Host", "9112 3.2",
     req(version="HTTP/1.0", host=None), 200, CLOSE),
    ("HTTP/1.0 that asks to go on", "9112 C.2.2",
     req(A, "Connection: keep-alive", version="HTTP/1.0"), 200, OPEN,
     {"Connection": "keep-alive"}),
    ("the answer names its own version", "9110 2.5",
     req(version="HTTP/1.0"), 200, CLOSE),
    ("an error of HTTP/1.0 ends too", "9112 9.3",
     req("/nothing", version="HTTP/1.0"), 404, CLOSE),
    ("close behind a body", "9112 9.6",
     ask("POST", BATCH, IDS, "Connection: close"), 200, CLOSE),
    ("upgrade is ignored", "9110 7.8",
     req(A, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
         "HTTP2-Settings: AAMAAABkAAQAAP__"), 200, OPEN, {"Upgrade": None}),
]


def padded(total):
    """A request whose head has that many bytes."""
    bare = req(A, "X: ")
    return req(A, "X: " + "y" * (total - len(bare)))


SIZES = [
    ("a head of exactly 16 KiB", "9110 5.4", padded(16384), 200, OPEN),
    ("a head of a byte more", "6585 5", padded(16385), 431, CLOSE),
    ("one huge header", "6585 5", req(A, "X: " + "y" * 100000), 431, CLOSE),
    ("headers without end", "6585 5",
     req()[:-2] + b"X: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 2000, 431, CLOSE),
    ("64 header lines", "9110 5.4", req(A, *["X: y"] * 63), 200, OPEN),
    ("65 header lines", "6585 5", req(A, *["X: y"] * 64), 431, CLOSE),
    ("a long target", "9110 15.5.15", req("/" + "a" * 20000), 414, CLOSE),
    ("a target without end", "9110 15.5.15", b"GET /" + b"a" * 100000,
     414, CLOSE),
    ("a method without end", "9112 3", b"A" * 100000, 414, CLOSE),
    ("a body of exactly 64 KiB", "9110 15.5.14",
     ask("POST", BATCH, IDS + b" " * (65536 - len(IDS))), 200, OPEN),
    ("a body of a byte more", "9110 15.5.14",
     ask("POST", BATCH, IDS + b" " * (65537 - len(IDS))), 413, CLOSE),
    ("a body of an exabyte", "9110 15.5.14",
     ask("POST", BATCH, b"", length=10 ** 18 - 1), 413, CLOSE),
]

ROWS = REQUEST_LINE + FIELDS + FRAMING + CONNECTIONS + SIZES


def test_nothing_behind_an_unreadable_request_is_answered():
    """RFC 9112, 2.2 and 6.3: where it ends nobody can tell."""
    def t(srv, store):
        for bad in (posted("Content-Length: 13, 13"),
                    posted("Transfer-Encoding: chunked"),
                    req(A, "X : y"), req(A, host=None),
                    ask("GET", A, req("/v1/shop/gone")),
                    ask("PUT", A, req("/v1/shop/gone"))):
            with srv.connect() as c:
                c.send(request("/v1/shop/b%2Fc") + bad + request(A) * 3)
                assert c.answer().status == 200
                assert c.answer().status >= 400
                assert c.closed()
    with_basic_store(t)


if __name__ == "__main__":
    sys.exit(main(globals(), [table(ROWS)]))
