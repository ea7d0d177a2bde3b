# SPDX-License-Identifier: Apache-2.0
"""Tables of raw requests and what the RFCs say has to become of them.

A row is (name, RFC section, bytes, status, OPEN or CLOSE, fields): fields (may
be left out) are the answer's, a text, None for absent, or a function of the
value. Beside what its row says, every answer has to be well formed, an error
has to be a problem document (RFC 9457), and the connection has to do as said.
"""
import re

from queryapi import request, run, with_basic_store

OPEN, CLOSE = True, False
HOST = b"Host: a"
A = "/v1/shop/a"


def req(target=A, *lines, method="GET", version="HTTP/1.1", host=HOST,
        body=b""):
    """A request with exactly these lines; text is latin-1."""
    def raw(s):
        return s if isinstance(s, bytes) else s.encode("latin-1")
    head = [b"%s %s %s" % (raw(method), raw(target), raw(version))]
    head += [host] if host is not None else []
    return b"\r\n".join(head + [raw(line) for line in lines]) + \
        b"\r\n\r\n" + raw(body)


def ask(method, target, body, *lines, kind="application/json", length=None):
    """A request with a body."""
    body = body if isinstance(body, bytes) else body.encode()
    n = len(body) if length is None else length
    return req(target, *lines, "Content-Type: " + kind,
               "Content-Length: %s" % n, method=method, body=body)


def names(value):
    return {v.strip() for v in (value or "").split(",")}


def has(*members):
    return lambda value: set(members) <= names(value)


def check_problem(a, status):
    assert a["Content-Type"] == "application/problem+json"
    p = a.json()
    assert p["status"] == status and p["title"] == a.reason  # 3.1.3, 3.1.4
    assert re.match(r"[a-z][a-z0-9+.-]*:\S+$", p["type"])    # 3.1.1: a URI
    assert re.match(r"[a-z][a-z0-9+.-]*:\S+$", p["instance"])
    assert p["instance"].endswith(a["X-Request-Id"])
    assert isinstance(p["detail"], str) and p["detail"]
    assert "no-store" in (a["Cache-Control"] or "") or status in (404, 410)


def check_row(srv, data, status, goes_on, fields):
    head = data.lstrip(b"\r\n").startswith(b"HEAD ")
    with srv.connect() as c:
        c.send(data)
        a = c.answer(head)
        assert a.status == status, (a.status, a.body)
        assert a.version == "HTTP/1.1" and a.reason
        assert re.match(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$",
                        a["Date"])  # 9110 5.6.7
        assert a["Transfer-Encoding"] is None
        if status in (204, 304):
            assert a["Content-Length"] is None or status == 304
            assert a.body == b""
        if status == 405:
            assert a["Allow"]  # 9110 15.5.6
        if status >= 400 and not head:
            check_problem(a, status)
        for name, want in fields.items():
            good = want(a[name]) if callable(want) else a[name] == want
            assert good, (name, a[name])
        if goes_on:
            assert a["Connection"] in (None, "keep-alive")
            c.send(request("/v1/shop/a", "X-Request-Id: next"))
            b = c.answer()
            assert (b.status, b["X-Request-Id"]) == (200, "next")
            assert c.rest == b""
        else:
            assert a["Connection"] == "close"
            assert c.closed()


def table(rows, *settings):
    """For main(): runs each row as a test of its own."""
    def conformance(results):
        assert len({row[0] for row in rows}) == len(rows), "a name twice"

        def t(srv, store):
            for name, section, data, status, goes_on, *more in rows:
                run("RFC %s: %s" % (section, name),
                    lambda: check_row(srv, data, status, goes_on,
                                      more[0] if more else {}), results)
        with_basic_store(t, *settings)
    return conformance
