#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The access log of the read side, and the traces it is found by.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import main, request, wait_for, with_basic_store  # noqa: E402

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "traceparent: 00-%s-b7ad6b7169203331-01" % TRACE


def lines(srv, n=None):
    def look():
        got = [dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))
               for line in srv.log_text().splitlines()
               if " event=access " in line]
        return got if n is None or len(got) >= n else None
    return wait_for(look, "%s lines" % n) if n else look()


def test_each_answer_has_a_line_of_its_own():
    def t(srv, store):
        asked = [
            (request("/v1/shop/a", "X-Request-Id: r/1", PARENT),
             "GET", "/v1/{view}/{key}", "200"),
            (request("/v1/shop/none", method="HEAD"),
             "HEAD", "/v1/{view}/{key}", "404"),
            (request("/v1/shop?ids=a"), "GET", "/v1/{view}", "200"),
            (request("/nothing"), "GET", "none", "404"),
            (request("/v1/shop/a", method="BREW"), "-", "none", "501"),
            (request("/v1/shop/a", method="OPTIONS"),
             "OPTIONS", "/v1/{view}/{key}", "204"),
            (b"GARBAGE\r\n\r\n", "-", "none", "400"),
        ]
        sizes = []
        for data, _, _, _ in asked:
            with srv.connect() as c:
                c.send(data)
                c.sock.settimeout(5)
                while b"\r\n\r\n" not in c.rest:
                    assert c.more()
                head = c.rest.index(b"\r\n\r\n") + 4
                m = re.search(rb"Content-Length: (\d+)", c.rest)
                want = head + (int(m.group(1)) if m and
                               not data.startswith(b"HEAD") else 0)
                while len(c.rest) < want:
                    assert c.more()
                sizes.append(len(c.rest))
            # Written behind the answer; the next may be another loop's.
            got = lines(srv, len(sizes))
        assert len(got) == len(asked)
        for line, (_, method, route, status), size in zip(got, asked, sizes):
            assert (line["method"], line["route"], line["status"]) == (
                method, route, status), line
            assert int(line["bytes"]) == size, (line, size)
            assert int(line["us"]) >= 0 and line["request"]
        assert got[0]["request"] == "r/1" and got[0]["trace"] == TRACE
        assert all("trace" not in line for line in got[1:])
    with_basic_store(t, "queryapi.access_log=1")


def test_a_malformed_trace_is_left_out():
    def t(srv, store):
        for bad in (PARENT.upper(), PARENT[:-1], PARENT + "-x",
                    PARENT.replace(TRACE, "0" * 32)):
            assert srv.get("/v1/shop/a", bad).status == 200
        srv.get("/v1/shop/a", PARENT, PARENT)
        assert all("trace" not in line for line in lines(srv, 5))
    with_basic_store(t, "queryapi.access_log=1")


def test_without_the_setting_nothing_is_logged():
    def t(srv, store):
        for _ in range(50):
            assert srv.get("/v1/shop/a").status == 200
        srv.stop()
        assert lines(srv) == []
    with_basic_store(t)


def test_one_in_ten_is_about_a_tenth():
    def t(srv, store):
        with srv.connect() as c:
            for _ in range(100):
                c.send(request("/v1/shop/a") * 20)
                for _ in range(20):
                    assert c.answer().status == 200
        srv.stop()
        # Of 2,000 draws six standard deviations either side.
        assert 120 < len(lines(srv)) < 280, len(lines(srv))
    with_basic_store(t, "queryapi.access_log=10")


if __name__ == "__main__":
    sys.exit(main(globals()))
