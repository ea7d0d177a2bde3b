#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens of the read side that come and go while it runs.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import hashlib
import os
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import main, request, wait_for, with_basic_store  # noqa: E402


def token(name, text, more=""):
    digest = hashlib.sha256(text.encode()).hexdigest()
    return 'token "%s" { sha256 = "%s" %s }\n' % (name, digest, more)


def bearer(text):
    return "Authorization: Bearer " + text


class Config:
    """The file that a server was started with."""

    def __init__(self, path):
        self.path = path

    def write(self, *sections):
        with open(self.path, "w") as f:
            f.write("".join(sections))

    def reload(self, srv, *sections, event="reload "):
        """The server has taken these over, or has refused them."""
        before = srv.log_text().count("event=" + event)
        self.write(*sections)
        srv.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: srv.log_text().count("event=" + event) > before,
                 event)


def with_config(test, *sections):
    with tempfile.TemporaryDirectory() as d:
        config = Config(d + "/shopview.conf")
        config.write(*sections)
        with_basic_store(lambda srv, store: test(srv, config),
                         config=config.path)


def reads(srv, text, target="/v1/shop/a"):
    return srv.get(target, bearer(text)).status


def test_tokens_come_and_go_and_change_without_a_restart():
    def t(srv, config):
        with srv.connect() as kept:
            def asked(text, target="/v1/shop/a"):
                kept.send(request(target, bearer(text)))
                return kept.answer().status
            assert asked("one") == 200 and reads(srv, "two") == 401
            config.reload(srv, token("web", "one"), token("app", "two"))
            assert asked("two") == asked("one") == 200
            config.reload(srv, token("web", "new"), token("app", "two"))
            assert asked("one") == 401 and asked("new") == 200
            config.reload(srv, token("web", "new"))
            assert asked("two") == 401 and asked("new") == 200
            config.reload(srv, token("web", "new", 'views = {"stock"}'))
            assert asked("new") == 403
            assert asked("new", "/v1/stock/s") == 200
            config.reload(srv, token("web", "new", 'key_prefix = "b"'))
            assert asked("new") == 403
            assert asked("new", "/v1/shop/b%2Fc") == 200
        assert "event=reload tokens=1" in srv.log_text()
    with_config(t, token("web", "one"))


def test_a_file_with_an_error_changes_nothing():
    def t(srv, config):
        good = token("web", "two")
        for bad, where in (('store { tpye = lmdb }\n', ":2: "),
                           ('token "app" { sha256 = "12" }\n', ":2"),
                           ('token "app" {', "shopview.conf")):
            config.reload(srv, good, bad, event="reload.refused ")
            line = [text for text in srv.log_text().splitlines()
                    if "event=reload.refused" in text][-1]
            assert config.path in line and where in line, line
            assert reads(srv, "one") == 200 and reads(srv, "two") == 401
        os.unlink(config.path)
        srv.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: srv.log_text().count("event=reload.refused") == 4,
                 "the refusal")
        assert reads(srv, "one") == 200
        config.reload(srv, good)
        assert reads(srv, "one") == 401 and reads(srv, "two") == 200
    with_config(t, token("web", "one"))


def test_no_reload_lets_anybody_in():
    def t(srv, config):
        config.reload(srv, event="reload.refused ")
        assert srv.get("/v1/shop/a").status == 401
        assert reads(srv, "one") == 200
    with_config(t, token("web", "one"))


def test_the_first_token_closes_what_was_open():
    def t(srv, config):
        with srv.connect() as kept:
            kept.send(request("/v1/shop/a"))
            assert kept.answer()["Cache-Control"].startswith("public")
            config.reload(srv, token("web", "one"))
            kept.send(request("/v1/shop/a"))
            assert kept.answer().status == 401
            kept.send(request("/v1/shop/a", bearer("one")))
            assert kept.answer()["Cache-Control"].startswith("private")
    with_config(t)


def test_other_settings_are_those_of_the_start():
    def t(srv, config):
        config.reload(srv, token("web", "one"),
                      "queryapi { header_bytes = 1k }\n")
        a = srv.get("/v1/shop/a", bearer("one"), "X: " + "x" * 2000)
        assert a.status == 200
    with_config(t, token("web", "one"))


def test_what_is_used_of_a_rate_stays_used():
    def t(srv, config):
        with srv.connect() as c:
            def let_through(text):
                """How many, one behind the other."""
                for n in range(1000):
                    c.send(request("/v1/shop/a", bearer(text)))
                    if c.answer().status == 429:
                        return n
                assert False, "there is no limit"
            for i in range(20):
                let_through(str(i))
                spent = time.monotonic()
                # The hash changes, the name stays: no new bucket for it.
                config.reload(srv, token("web", str(i + 1), "rate = 100"))
                n = let_through(str(i + 1))
                since = time.monotonic() - spent
                assert n <= 100 * since + 1, (n, since)
                if since < 0.8:
                    return  # a bucket that is new would have given 100
            assert False, "the machine is too slow for this"
    with_config(t, token("web", "0", "rate = 100"))


def test_readers_notice_nothing_of_many_reloads():
    def t(srv, config):
        over, wrong = threading.Event(), []

        def read():
            with srv.connect() as c:
                while not over.is_set():
                    c.send(request("/v1/shop/a", bearer("one")))
                    status = c.answer().status
                    if status != 200:
                        wrong.append(status)
        readers = [threading.Thread(target=read) for _ in range(4)]
        for r in readers:
            r.start()
        try:
            for i in range(30):
                config.reload(srv, *(token("t%d" % k, "%d" % k)
                                     for k in range(i % 5)),
                              token("web", "one"))
        finally:
            over.set()
            for r in readers:
                r.join()
        assert not wrong, wrong
    with_config(t, token("web", "one"))


if __name__ == "__main__":
    sys.exit(main(globals()))
