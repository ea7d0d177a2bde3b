#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""curl as a client: the commands of docs/http-api.md as they stand there, and
what it does by itself (compression, entity tags, 100-continue, ranges, one
connection for several answers, streams)."""
import contextlib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import queryapi as q  # noqa: E402

DOC = ROOT / "docs" / "http-api.md"
CONFIG = 'page "shop" { parts = {"shop", "shop_products", "review_summary"} }\n'


@contextlib.contextmanager
def sample():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(CONFIG)
        conf.flush()
        with q.sample_served(conf.name) as srv:
            yield srv


def curl(*args):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *args],
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (args, done.returncode, done.stderr)
    return done.stdout.decode()


def status(*args):
    return curl("-o", os.devnull, "-w", "%{http_code}", *args)


def base(srv):
    return "http://127.0.0.1:%d" % srv.data[1]


# ---- The document's own ------------------------------------------------------

def commands():
    """Each with the head that it shows: its status line and field names."""
    text = DOC.read_text(encoding="utf-8")
    found = re.findall(r"^    \$ (curl .*)\n((?:    \S.*\n)*)", text, re.M)
    assert len(found) >= 7, found
    return found


def is_understood(srv, command, shown):
    words = shlex.split(command.replace("127.0.0.1:8080",
                                        "127.0.0.1:%d" % srv.data[1]))
    if "-N" in words:
        return stream_is_as_shown(words, shown)
    text = curl("-i", *words[1:])
    head = text.split("\r\n\r\n")[0].split("\r\n")
    code = int(head[0].split()[1])
    # Keys and positions of the examples are not those of the sample.
    assert code in (200, 404, 409), (command, head)
    if code != 200:
        return False
    names = {line.split(":")[0].lower() for line in head[1:]}
    for line in shown.splitlines():
        field = re.match(r"    ([A-Z][A-Za-z-]+): ", line)
        if field and field.group(1) != "Link":  # all fits one page
            assert field.group(1).lower() in names, (line, head)
    return True


def stream_is_as_shown(words, shown):
    """It never ends by itself: until all has come, or curl's time is over."""
    due = {"%s: " % name for name in re.findall(r"^    ([a-z]+): ", shown,
                                                re.M)}
    due |= {'data: {"id":"shop-1",', "id: "}
    with subprocess.Popen(["curl", "-sS", "--max-time", "20", *words[1:]],
                          stdout=subprocess.PIPE, text=True) as stream:
        for line in stream.stdout:
            due = {begin for begin in due if not line.startswith(begin)}
            if not due:
                break
        stream.terminate()
    assert not due, due
    return True


def test_the_commands_of_the_document_are_understood():
    with sample() as srv:
        answered = [is_understood(srv, *found) for found in commands()]
        assert answered.count(True) >= 5, answered


# ---- What curl does by itself ------------------------------------------------

def test_what_it_is_given_compressed_is_the_same_document():
    with sample() as srv:
        url = base(srv) + "/v1/product?limit=100"
        head = curl("--compressed", "-o", os.devnull, "-D", "-", url)
        assert "\nContent-Encoding: gzip\r" in head, head
        assert curl("--compressed", url) == curl(url)


def test_what_it_has_is_not_sent_again():
    with sample() as srv, tempfile.TemporaryDirectory() as d:
        url = base(srv) + "/v1/shop/shop-1"
        tag = d + "/tag"
        assert status("--etag-save", tag, url) == "200"
        assert status("--etag-compare", tag, url) == "304"
        pathlib.Path(tag).write_text('"1.0"\n')
        assert status("--etag-compare", tag, url) == "200"


def test_a_body_that_waits_to_be_asked_for():
    with sample() as srv:
        body = '{"ids":["shop-1"]}'
        for method, at in ("QUERY", ""), ("POST", "/batch"):
            # By itself it sends the body after a second.
            text = curl("-i", "-X", method, "-H", "Expect: 100-continue",
                        "--expect100-timeout", "20", "-H",
                        "Content-Type: application/json", "-d", body,
                        base(srv) + "/v1/shop" + at)
            assert text.startswith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), \
                text
            assert '"found":true' in text


def test_one_connection_serves_one_url_after_another():
    with sample() as srv:
        urls = [base(srv) + "/v1/shop/shop-%d" % n for n in (1, 2, 3)]
        made = curl("-w", "\n%{num_connects}\n", *urls)
        assert re.findall(r"^(\d+)$", made, re.M) == ["1", "0", "0"], made


def test_head_options_and_a_part_that_is_asked_for():
    with sample() as srv:
        url = base(srv) + "/v1/shop/shop-1"
        head = curl("-I", url)
        whole = curl(url)
        assert "Content-Length: %d\r\n" % len(whole.encode()) in head, head
        assert status("-X", "OPTIONS", url) == "204"
        # Ranges are not served, so the whole is (RFC 9110, 14.2).
        assert curl("-r", "0-9", url) == whole


def main():
    return q.main(globals())


if __name__ == "__main__":
    sys.exit(main())
