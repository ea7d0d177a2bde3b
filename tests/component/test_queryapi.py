#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real `queryapi run`, from outside, on an LMDB store.

Raw sockets, so that what is wrong on the wire can be said. BUILD names the
build directory (default build/release); the last line is "N passed, N failed".
Arguments: names of tests to run, all without.
"""
import gzip
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ.get("BUILD", "build/release")
QUERYAPI = os.path.join(BUILD, "queryapi", "queryapi")
FILL = os.path.join(BUILD, "tests", "support", "fill_store")
PATIENCE = 20  # seconds until something that must happen is given up

READER = {
    "summary": "Shops", "filters": [],
    "cache": {"maxAge": 5, "staleWhileRevalidate": 30, "staleIfError": 300},
    "fields": [{"name": "name", "type": "string", "required": True},
               {"name": "updatedAt", "type": "date"}]}


# ---- The store ---------------------------------------------------------------

class Store:
    def __init__(self, path):
        self.path = path

    def fill(self, *ops):
        text = "".join(json.dumps(op) + "\n" for op in ops)
        done = subprocess.run([FILL, "lmdb", self.path], input=text.encode(),
                              capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def generation(number, view="shop", reader=READER):
    return {"op": "generation", "projection": view, "number": number,
            "reader": reader}


def live(old, new, view="shop"):
    return {"op": "live", "projection": view, "from": old, "to": new}


def document(key, revision, gen="shop.1", state=0, positions=None, **fields):
    return {"op": "document", "generation": gen, "id": key,
            "revision": revision, "state": state,
            "positions": positions or {"shop/0": 5}, "fields": fields}


def checkpoint(partition, nxt, gen="shop.1"):
    return {"op": "checkpoint", "generation": gen, "topic": "shop",
            "partition": partition, "next": nxt}


BIG = "x" * 5000
BASIC = [
    generation(1), live(0, 1), checkpoint(0, 42), checkpoint(1, 3),
    document("a", 3, name="A", n=7),
    document("b/c", 1, positions={"shop/0": 60, "shop/1": 1}, name="slash"),
    document("가,나", 2, name="가게"),
    document("big", 4, name=BIG),
    document("gone", 9, state=1),
    document("meta", 1, state=2),
    {"op": "parked", "generation": "shop.1", "key": "meta", "topic": "shop",
     "partition": 0, "offset": 8},
    {"op": "parked", "generation": "shop.1", "key": "parked", "topic": "shop",
     "partition": 0, "offset": 7},
    generation(1, "stock", []), live(0, 1, "stock"),
    document("s", 1, gen="stock.1"),
    generation(1, "pages"), live(0, 1, "pages"),
    document("x", 1, gen="pages.1"),
]


# ---- The server --------------------------------------------------------------

class Server:
    def __init__(self, path, *settings, preexec=None):
        args = [QUERYAPI, "run", "-s", "store.type=lmdb",
                "-s", "store.path=" + path,
                "-s", "queryapi.listen=127.0.0.1:0",
                "-s", "queryapi.admin_listen=127.0.0.1:0",
                "-s", "queryapi.loops=2"]
        for s in settings:
            args += ["-s", s]
        self.log = tempfile.NamedTemporaryFile("w+")
        self.proc = subprocess.Popen(args, stderr=self.log, preexec_fn=preexec)
        self.data = self.address("data")
        self.admin = self.address("admin")

    def log_text(self):
        with open(self.log.name) as f:
            return f.read()

    def address(self, listener):
        def look():
            assert self.proc.poll() is None, self.log_text()
            m = re.search(r"listener=%s address=127\.0\.0\.1:(\d+)" % listener,
                          self.log_text())
            return m and ("127.0.0.1", int(m.group(1)))
        return wait_for(look, "listener " + listener)

    def ready(self):
        wait_for(lambda: self.admin_get("/readyz").status == 200, "readyz")
        return self

    def connect(self):
        return Client(self.data)

    def get(self, target, *headers, method="GET"):
        with self.connect() as c:
            c.send(request(target, *headers, method=method))
            return c.answer(method == "HEAD")

    def raw(self, data, head=False):
        with self.connect() as c:
            c.send(data)
            return c.answer(head)

    def admin_get(self, target):
        with Client(self.admin) as c:
            c.send(request(target, "Connection: close"))
            return c.answer()

    def metric(self, name):
        text = self.admin_get("/metrics").body.decode()
        m = re.search(r"^%s (\S+)$" % re.escape(name), text, re.M)
        return float(m.group(1)) if m else 0.0

    def stop(self, sig=signal.SIGTERM):
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            return self.proc.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        code = self.stop()
        text = self.log_text()
        self.log.close()
        assert "Sanitizer" not in text and "runtime error" not in text, text
        if exc[0] is None:
            assert code == 0, (code, text)


def wait_for(look, what):
    until = time.monotonic() + PATIENCE
    while True:
        got = look()
        if got:
            return got
        assert time.monotonic() < until, "waited in vain for " + what
        time.sleep(0.01)


def request(target, *headers, method="GET", host=True):
    lines = ["%s %s HTTP/1.1" % (method, target)]
    lines += ["Host: a"] if host else []
    return ("\r\n".join(lines + list(headers)) + "\r\n\r\n").encode()


class Answer:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.version, code, self.reason = lines[0].split(" ", 2)
        self.status = int(code)
        self.fields = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in self.fields, "twice: " + name
            self.fields[name.lower()] = value
        self.body = b""

    def __getitem__(self, name):
        return self.fields.get(name.lower())

    def json(self):
        body = self.body
        if self["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        return json.loads(body)


class Client:
    def __init__(self, address, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(address)
        self.rest = b""

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        got = self.sock.recv(65536)
        self.rest += got
        return bool(got)

    def answer(self, head=False):
        while b"\r\n\r\n" not in self.rest:
            assert self.more(), "closed instead of an answer: %r" % self.rest
        top, self.rest = self.rest.split(b"\r\n\r\n", 1)
        a = Answer(top)
        length = int(a["Content-Length"] or 0)
        if not head:
            while len(self.rest) < length:
                assert self.more(), "closed within a body"
            a.body, self.rest = self.rest[:length], self.rest[length:]
        return a

    def closed(self):
        """True once the server has ended; nothing may come before."""
        assert self.rest == b"", self.rest
        try:
            got = self.sock.recv(1)
        except ConnectionResetError:
            return True
        assert got == b"", got
        return True

    def is_open(self):
        return not select.select([self.sock], [], [], 0)[0]

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()


# ---- Conformance -------------------------------------------------------------

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
     b"OPTIONS * HTTP/1.1\r\n%s\r\n" % H, 405, OPEN),
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
     b"QUERY /v1/shop HTTP/1.1\r\n%s\r\n" % H, 405, OPEN),
    ("OPTIONS of a document", "9110 9.3.7",
     b"OPTIONS %s HTTP/1.1\r\n%s\r\n" % (A, H), 405, OPEN),
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
            assert a["Allow"] == "GET, HEAD"
        if goes_on:
            assert a["Connection"] in (None, "keep-alive")
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
        else:
            assert a["Connection"] == "close"
            assert c.closed()


# ---- Tests -------------------------------------------------------------------

def with_basic_store(test, *settings):
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        with Server(store.path, *settings) as srv:
            srv.ready()
            test(srv, store)


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
        assert set(doc["paths"]) == {"/v1/shop", "/v1/shop/{key}", "/v1/stock",
                                     "/v1/stock/{key}", "/openapi.json"}
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


def test_pipelined_requests_are_answered_in_order():
    def t(srv, store):
        n = 2000
        with srv.connect() as c:
            wants = []
            data = b""
            for i in range(n):
                kind = i % 5
                rid = "r%d" % i
                target, method, status = [
                    ("/v1/shop/a", "GET", 200), ("/x", "GET", 404),
                    ("/v1/shop/gone", "GET", 410), ("/v1/shop/a", "HEAD", 200),
                    ("/v1/shop/a", "PUT", 405)][kind]
                data += request(target, "X-Request-Id: " + rid, method=method)
                wants.append((rid, status, method == "HEAD"))
            # The server takes in no more than it answers: write and read.
            c.sock.setblocking(False)
            sent = got = 0
            until = time.monotonic() + 60
            while got < n:
                assert time.monotonic() < until, (sent, got)
                r, w, _ = select.select([c.sock], [c.sock] if
                                        sent < len(data) else [], [], 1)
                if w:
                    sent += c.sock.send(data[sent:sent + 65536])
                if r:
                    assert c.more()
                while got < n and whole(c.rest, wants[got][2]):
                    rid, status, head = wants[got]
                    a = c.answer(head)
                    assert (a["X-Request-Id"], a.status) == (rid, status), got
                    got += 1
    with_basic_store(t)


def whole(data, head):
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    m = re.search(rb"Content-Length: (\d+)", data[:end])
    return head or len(data) >= end + 4 + int(m.group(1))


def test_nothing_is_answered_behind_close():
    def t(srv, store):
        with srv.connect() as c:
            c.send(request("/v1/shop/a", "Connection: close") +
                   request("/v1/shop/a"))
            assert c.answer()["Connection"] == "close"
            assert c.closed()
    with_basic_store(t)


def test_a_request_may_come_byte_by_byte():
    def t(srv, store):
        with srv.connect() as c:
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for b in request("/v1/shop/a"):
                c.send(bytes([b]))
            assert c.answer().status == 200
    with_basic_store(t)


def test_a_body_behind_a_refusal_does_not_reset_the_answer():
    def t(srv, store):
        for _ in range(20):
            with srv.connect() as c:
                c.send(b"POST /v1/shop/a HTTP/1.1\r\nHost: a\r\n"
                       b"Content-Length: 100000\r\n\r\n" + b"x" * 100000)
                assert c.answer().status == 405
                assert c.closed()
    with_basic_store(t)


def test_a_slow_head_is_cut_off_however_it_trickles():
    def t(srv, store):
        with srv.connect() as c:
            begun = time.monotonic()
            c.send(b"GET / HTTP/1.1\r\n")
            while not select.select([c.sock], [], [], 0.05)[0]:
                assert time.monotonic() - begun < PATIENCE
                c.send(b"X: y\r\n")
            a = c.answer()
            assert a.status == 408 and a["Connection"] == "close"
            assert 0.25 < time.monotonic() - begun
            assert a.json()["type"].endswith("request-timeout")
            c.sock.shutdown(socket.SHUT_WR)
            assert c.closed()
        with srv.connect() as c:  # the second request's head as well
            c.send(request("/v1/shop/a") + b"GET")
            assert c.answer().status == 200
            assert c.answer().status == 408
    with_basic_store(t, "queryapi.header_timeout_ms=300ms")


def test_an_idle_connection_is_closed_silently():
    def t(srv, store):
        with srv.connect() as fresh, srv.connect() as used:
            used.send(request("/v1/shop/a"))
            assert used.answer().status == 200
            assert used.closed() and fresh.closed()
    with_basic_store(t, "queryapi.idle_timeout_ms=200ms")


def test_an_active_connection_outlives_the_idle_timeout():
    def t(srv, store):
        with srv.connect() as c:
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                c.send(request("/v1/shop/a"))
                assert c.answer().status == 200
                time.sleep(0.1)
    with_basic_store(t, "queryapi.idle_timeout_ms=400ms")


def test_a_client_that_does_not_read_is_bounded_and_cut_off():
    def t(srv, store):
        store.fill(document("huge", 1, name="x" * 4000000))
        with Client(srv.data, rcvbuf=4096) as c:
            c.send(request("/v1/shop/huge") * 50)
            # one answer at a time is made; then the deadline ends it
            wait_for(lambda: srv.metric("shopview_http_cut_off_total") >= 1,
                     "the cut")
            assert srv.metric('shopview_http_requests_total{route='
                              '"/v1/{view}/{key}",status="200"}') <= 2
        assert srv.get("/v1/shop/a").status == 200
    with_basic_store(t, "queryapi.request_timeout_ms=300ms")


def test_a_large_document_arrives_whole_and_at_once():
    def t(srv, store):
        for size in (16 << 10, 64 << 10, 8 << 20):
            store.fill(document("huge", size, name="x" * size))
            a = srv.get("/v1/shop/huge")
            assert len(a.json()["name"]) == size
        # one write per response: no 40 ms of delayed acknowledgement
        store.fill(document("huge", 1, name="x" * (16 << 10)))
        with srv.connect() as c:
            took = []
            for _ in range(50):
                begun = time.monotonic()
                c.send(request("/v1/shop/huge"))
                assert c.answer().status == 200
                took.append(time.monotonic() - begun)
            assert sorted(took)[25] < 0.03, sorted(took)[25]
    with_basic_store(t)


def test_clients_that_hang_up_are_forgotten():
    def t(srv, store):
        for i in range(200):
            c = srv.connect()
            c.send(request("/v1/shop/a"))
            if i % 2:
                c.reset()
            else:
                c.sock.close()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0 and
                 srv.metric("shopview_http_in_flight") == 0, "the end of all")
        assert srv.get("/v1/shop/a").status == 200
    with_basic_store(t)


def test_connections_are_limited_per_address():
    def t(srv, store):
        held = [srv.connect() for _ in range(3)]
        for c in held:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
        with srv.connect() as c:
            a = c.answer()
            assert a.status == 503 and a["Retry-After"] == "1"
            assert a["Connection"] == "close"
            assert "address" in a.json()["detail"]
            assert c.closed()
        held.pop().sock.close()
        wait_for(lambda: srv.get("/v1/shop/a").status == 200, "a free place")
        for c in held:
            c.sock.close()
    with_basic_store(t, "queryapi.max_connections_per_address=3")


def test_connections_are_limited_in_all():
    def t(srv, store):
        held = [srv.connect() for _ in range(5)]
        for c in held:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
        # Even when very many are turned away, those inside are served.
        for _ in range(150):
            with srv.connect() as c:
                try:
                    c.more()
                except ConnectionResetError:
                    pass
                assert c.rest == b"" or c.rest.startswith(b"HTTP/1.1 503")
        for c in held:
            c.send(request("/v1/shop/a"))
            assert c.answer().status == 200
            c.sock.close()
        wait_for(lambda: srv.metric("shopview_http_connections") == 0,
                 "all gone")
        assert srv.get("/v1/shop/a").status == 200
    with_basic_store(t, "queryapi.max_connections=5")


def test_running_out_of_descriptors_is_survived():
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        with Server(store.path, preexec=limit) as srv:
            srv.ready()
            held = [srv.connect() for _ in range(100)]
            wait_for(lambda: sum(not c.is_open() for c in held) > 20,
                     "clients turned away")
            used = os.times()
            cpu = cpu_seconds(srv.proc.pid)
            time.sleep(0.5)
            assert cpu_seconds(srv.proc.pid) - cpu < 0.3, "accept() spins"
            for c in held:
                c.sock.close()
            def served():
                try:
                    return srv.get("/v1/shop/a").status == 200
                except (AssertionError, OSError):
                    return False
            wait_for(served, "service again")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        parts = f.read().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def test_a_moved_live_pointer_is_followed():
    def t(srv, store):
        assert srv.get("/v1/shop/a")["ETag"] == '"1.3"'
        store.fill(generation(2, reader={"cache": {"maxAge": 9},
                                         "fields": []}),
                   document("a", 1, gen="shop.2", name="new"), live(1, 2))
        a = wait_for(lambda: (lambda r: r["ETag"] == '"2.1"' and r)(
            srv.get("/v1/shop/a")), "the new generation")
        assert a.json()["name"] == "new"
        assert a["Cache-Control"].startswith("public, max-age=9")
        # A key of the old one only is absent, at once: never half and half.
        assert srv.get("/v1/shop/big").status == 404
        assert srv.get("/v1/shop/a", 'If-None-Match: "1.3"').status == 200
        store.fill(live(2, 1))
        wait_for(lambda: srv.get("/v1/shop/a")["ETag"] == '"1.3"', "the old")
        assert srv.metric('shopview_view_generation{view="shop"}') == 1
    with_basic_store(t)


def test_a_view_appears_without_restart():
    def t(srv, store):
        assert srv.get("/v1/order/o").status == 404
        store.fill(generation(1, "order"), document("o", 1, gen="order.1"))
        assert srv.get("/v1/order/o").status == 404
        store.fill(live(0, 1, "order"))
        wait_for(lambda: srv.get("/v1/order/o").status == 200, "the view")
        assert "/v1/order" in srv.get("/openapi.json").json()["paths"]
    with_basic_store(t)


def test_it_starts_without_a_store_and_waits():
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        with Server(store.path) as srv:
            assert srv.admin_get("/livez").status == 200
            assert srv.admin_get("/readyz").status == 503
            for target in ("/v1/shop/a", "/v1/shop?ids=a", "/openapi.json"):
                a = srv.get(target)
                assert a.status == 503 and a["Retry-After"] == "1", target
                assert a.json()["type"].endswith(":store-unavailable")
                assert a["Cache-Control"] == "no-store"
            assert srv.get("/x").status == 404
            wait_for(lambda: "event=store.away" in srv.log_text(), "a word")
            assert not os.path.exists(store.path), "it made a store"
            store.fill(*BASIC)
            srv.ready()
            assert srv.get("/v1/shop/a").status == 200


def test_the_admin_listener_tells_what_goes_on():
    def t(srv, store):
        for _ in range(3):
            srv.get("/v1/shop/a")
        srv.get("/v1/shop/none")
        s = srv.admin_get("/status").json()
        assert s["ready"] is True and s["statuses"] == {"200": 3, "404": 1}
        assert sum(s["latency_counts"]) == s["requests"] == 4
        assert {"view": "shop", "generation": 1, "version": 1,
                "next": {"shop/0": 42, "shop/1": 3}} in s["views"]
        name = 'shopview_http_requests_total{route="/v1/{view}/{key}",'
        assert srv.metric(name + 'status="200"}') == 3
        assert srv.metric('shopview_http_request_seconds_count{route='
                          '"/v1/{view}/{key}"}') == 4
        assert srv.metric("shopview_store_up") == 1
        page = srv.admin_get("/")
        assert page["Content-Type"].startswith("text/html")
        assert b"http://" not in page.body.replace(
            b"http://www.w3.org/2000/svg", b"") and b"https://" not in page.body
        assert srv.admin_get("/nothing").status == 404
        assert srv.get("/livez").status == 404  # not on the data listener
    with_basic_store(t)


def test_a_stop_ends_idle_connections_and_exits_0():
    def t(srv, store):
        with srv.connect() as idle, srv.connect() as fresh:
            idle.send(request("/v1/shop/a"))
            assert idle.answer().status == 200
            begun = time.monotonic()
            assert srv.stop() == 0
            assert time.monotonic() - begun < 5
            assert idle.closed() and fresh.closed()
    with_basic_store(t, "queryapi.stop_timeout_ms=10s")


def test_a_stop_lets_a_begun_request_end():
    def t(srv, store):
        with srv.connect() as c:
            c.send(b"GET /v1/shop/a HTTP/1.1\r\n")
            wait_for(lambda: srv.metric("shopview_http_connections") == 1,
                     "the connection")
            time.sleep(0.1)  # the half head is on its way in
            srv.proc.send_signal(signal.SIGINT)
            wait_for(lambda: "event=stop " in srv.log_text(), "the stop")
            # Refused from now on, ready no more.
            def refused():
                try:
                    Client(srv.data).sock.close()
                    return False
                except ConnectionError:
                    return True
            wait_for(refused, "the listener's end")
            assert srv.admin_get("/readyz").status == 503
            c.send(b"Host: a\r\n\r\n" + request("/v1/shop/a"))
            a = c.answer()
            assert a.status == 200 and a["Connection"] == "close"
            c.sock.shutdown(socket.SHUT_WR)
            assert c.closed()
            assert srv.proc.wait(PATIENCE) == 0
    with_basic_store(t)


def test_a_stop_is_bounded():
    def t(srv, store):
        with srv.connect() as c:
            c.send(b"GET /v1/shop/a HTTP/1.1\r\n")
            time.sleep(0.1)
            begun = time.monotonic()
            assert srv.stop() == 0
            took = time.monotonic() - begun
            assert 0.2 < took < 5, took
            assert c.closed()
    with_basic_store(t, "queryapi.stop_timeout_ms=400ms")


def test_a_second_signal_ends_it_at_once():
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        srv = Server(store.path, "queryapi.stop_timeout_ms=600s").ready()
        with srv.connect() as c:
            c.send(b"GET")
            wait_for(lambda: srv.metric("shopview_http_connections") == 1,
                     "the connection")
            time.sleep(0.1)
            srv.proc.send_signal(signal.SIGTERM)
            wait_for(lambda: "event=stop " in srv.log_text(), "the stop")
            time.sleep(0.1)
            assert srv.proc.poll() is None
            srv.proc.send_signal(signal.SIGTERM)
            assert srv.proc.wait(5) == 1


def test_check_tells_what_is_wrong():
    with tempfile.TemporaryDirectory() as d:
        def check(*args):
            done = subprocess.run([QUERYAPI, "check"] + list(args),
                                  capture_output=True)
            return done.returncode, (done.stdout + done.stderr).decode()
        path = "store.path=" + d + "/store"
        code, text = check("-s", path)
        assert code == 1 and "fault" in text
        assert not os.path.exists(d + "/store")
        Store(d + "/store").fill(generation(1))
        code, text = check("-s", path)
        assert code == 1 and "no view" in text, text
        Store(d + "/store").fill(live(0, 1))
        code, text = check("-s", path)
        assert code == 0 and "view shop generation 1" in text, text
        assert check("-s", "queryapi.lissten=x")[0] == 78
        assert check("-c", d + "/none.conf")[0] == 78


def test_only_loopback_is_bound_without_a_choice():
    for key in ("listen", "admin_listen"):
        done = subprocess.run(
            [QUERYAPI, "run", "-s", "queryapi.%s=0.0.0.0:0" % key,
             "-s", "store.path=/nonexistent/store"],
            capture_output=True, timeout=PATIENCE)
        assert done.returncode == 78, done
        assert b"public" in done.stderr, done.stderr


def test_an_address_in_use_is_told():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = subprocess.run(
            [QUERYAPI, "run", "-s", "queryapi.listen=127.0.0.1:%d" %
             s.getsockname()[1], "-s", "store.path=/nonexistent/store",
             "-s", "queryapi.admin_listen=127.0.0.1:0"],
            capture_output=True, timeout=PATIENCE)
        assert done.returncode == 1 and b"in use" in done.stderr, done


def test_the_configuration_is_printed():
    out = subprocess.run([QUERYAPI, "config", "--reference"],
                         capture_output=True, check=True).stdout
    assert b"max_connections" in out
    out = subprocess.run([QUERYAPI, "config", "-s", "queryapi.workers=3"],
                         capture_output=True, check=True).stdout
    assert re.search(rb"workers\s*=\s*3", out), out


# ---- Runner ------------------------------------------------------------------

def run(name, fn, results):
    try:
        fn()
        results.append(True)
        print("ok    " + name, flush=True)
    except Exception:
        results.append(False)
        print("FAIL  " + name)
        traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()


def run_rows(results):
    def t(srv, store):
        for name, section, data, status, goes_on in ROWS:
            run("RFC %s: %s" % (section, name),
                lambda: check_row(srv, name, data, status, goes_on), results)
    with_basic_store(t)


def main():
    results = []
    wanted = sys.argv[1:]
    if not wanted or "rows" in wanted:
        run("conformance rows", lambda: run_rows(results), results)
    for name, fn in list(globals().items()):
        if name.startswith("test_") and (not wanted or name in wanted):
            run(name, fn, results)
    print("%d passed, %d failed" % (results.count(True),
                                    results.count(False)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
