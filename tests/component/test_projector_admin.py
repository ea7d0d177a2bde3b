#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The admin listener of the real `projector run`, from outside.

Each test runs on its own copy of the sample events and its own LMDB store.
BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run, all without.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "build/release")
PROJECTOR = os.path.join(BUILD, "projector", "projector")
MODULES = os.path.join(BUILD, "projections")
EVENTS = os.path.join(ROOT, "tests", "sample", "events")
PATIENCE = 20  # seconds until something that must happen is given up
PREFIX = "shopview_projector_"


# ---- The programs --------------------------------------------------------------

class Place:
    """A directory with a copy of the sample events and room for a store."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="projector-admin-")
        self.events = os.path.join(self.root, "events")
        shutil.copytree(EVENTS, self.events)

    def settings(self, *more):
        args = []
        for s in ("source.dir=" + self.events,
                  "store.path=" + os.path.join(self.root, "store"),
                  "projector.state_dir=" + os.path.join(self.root, "state"),
                  "projector.modules=" + MODULES) + more:
            args += ["-s", s]
        return args

    def lines(self):
        """(topic, partition) -> number of records."""
        counts = {}
        for topic in os.listdir(self.events):
            for name in os.listdir(os.path.join(self.events, topic)):
                with open(os.path.join(self.events, topic, name), "rb") as f:
                    counts[topic, int(name.split(".")[0])] = sum(1 for _ in f)
        return counts

    def append(self, topic, partition, **fields):
        path = os.path.join(self.events, topic, "%d.ndjson" % partition)
        record = {"topic": topic, "partition": partition,
                  "offset": self.lines()[topic, partition],
                  "timestamp": 1700000000000, "key": "shop-1", "headers": {}}
        record.update(fields)
        with open(path, "a") as f:
            f.write(json.dumps(record) + "\n")

    def status(self):
        """`projector status --json` as a list of objects."""
        done = subprocess.run([PROJECTOR, "status", "--json"]
                              + self.settings(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.root)


class Projector:
    def __init__(self, place, *args, listen="127.0.0.1:0"):
        self.log = tempfile.NamedTemporaryFile("w+")
        self.proc = subprocess.Popen(
            [PROJECTOR, "run"] + list(args)
            + place.settings("projector.admin_listen=" + listen),
            stderr=self.log)

    def log_text(self):
        with open(self.log.name) as f:
            return f.read()

    def said(self, pattern):
        def look():
            m = re.search(pattern, self.log_text())
            assert m or self.proc.poll() is None, self.log_text()
            return m
        return wait_for(look, "the log to say " + pattern)

    def address(self):
        text = self.said(r"event=listen listener=admin address=(\S+)\n")
        host, port = text.group(1).rsplit(":", 1)
        return host.strip("[]"), int(port)

    def get(self, path, method="GET", headers=(), body=b""):
        return ask(self.address(), path, method, headers, body)

    def caught_up(self, events):
        def look():
            s = self.get("/status").json()
            return s["consumed"] == events and s["held_records"] == 0 and \
                all(p["lag"] == 0 for p in s["projections"]) and s
        return wait_for(look, "%d events to be durable" % events)

    def stop(self):
        """Returns how long it took and the exit status."""
        begun = time.monotonic()
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        try:
            code = self.proc.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise
        return time.monotonic() - begun, code

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        code = self.stop()[1]
        text = self.log_text()
        self.log.close()
        assert "Sanitizer" not in text and "runtime error" not in text, text
        if exc[0] is None:
            assert code == 0, (code, text)


class Answer:
    def __init__(self, raw):
        head, self.body = raw.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.fields = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in self.fields, "twice: " + name
            self.fields[name.lower()] = value

    def json(self):
        assert self.fields["content-type"] == "application/json"
        return json.loads(self.body)


def ask(address, path, method="GET", headers=(), body=b""):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: a",
             "Connection: close"] + list(headers)
    if body:
        lines.append("Content-Length: %d" % len(body))
    with socket.create_connection(address, PATIENCE) as s:
        raw = b""
        try:
            s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            while True:
                got = s.recv(65536)
                if not got:
                    break
                raw += got
        except ConnectionError:
            pass  # refused half-way: what came until then is the answer
    return Answer(raw) if raw else None


def wait_for(look, what):
    until = time.monotonic() + PATIENCE
    while True:
        got = look()
        if got:
            return got
        assert time.monotonic() < until, "waited in vain for " + what
        time.sleep(0.02)


# ---- Prometheus' text, read strictly --------------------------------------------

LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')
SAMPLE = re.compile(r"(%s[a-z_]+)(?:\{(%s(?:,%s)*)\})? (\d+(?:\.\d+)?)"
                    % (PREFIX, LABEL.pattern, LABEL.pattern))


def parse(answer):
    """{name without prefix: {labels as a sorted tuple: value}}"""
    assert answer.status == 200
    assert answer.fields["content-type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    assert text.endswith("\n")
    families, helped, name = {}, set(), None
    for line in text[:-1].split("\n"):
        m = re.fullmatch(r"# HELP (%s[a-z_]+) (\S.*)" % PREFIX, line)
        if m:
            assert m.group(1) not in helped, line
            helped.add(m.group(1))
            name = m.group(1)
            continue
        m = re.fullmatch(r"# TYPE (%s[a-z_]+) (counter|gauge)" % PREFIX, line)
        if m:
            assert m.group(1) == name and name not in families, line
            assert (m.group(2) == "counter") == name.endswith("_total"), line
            families[name] = {}
            continue
        m = SAMPLE.fullmatch(line)
        assert m, "no sample: " + line
        assert m.group(1) == name and name in families, line
        labels = tuple(sorted(LABEL.findall(m.group(2) or "")))
        assert labels not in families[name], "twice: " + line
        families[name][labels] = float(m.group(m.lastindex))
    assert helped == set(families)
    return {n[len(PREFIX):]: samples for n, samples in families.items()}


def plain(metrics, name):
    assert list(metrics[name]) == [()], name
    return metrics[name][()]


def by_projection(metrics, name):
    return {dict(labels)["projection"]: value
            for labels, value in metrics[name].items()}


# ---- Tests ----------------------------------------------------------------------

def every_event_of_the_sample_is_counted():
    with Place() as place, Projector(place) as p:
        status = p.caught_up(349)
        metrics = parse(p.get("/metrics"))
        assert plain(metrics, "events_consumed_total") == 349
        assert sum(place.lines().values()) == 349
        assert plain(metrics, "records_parked_total") == 0
        assert plain(metrics, "held_records") == 0
        assert plain(metrics, "held_bytes") == 0
        assert plain(metrics, "partitions_assigned") == 16
        assert plain(metrics, "ready") == 1
        assert plain(metrics, "tick_age_seconds") < PATIENCE
        assert abs(plain(metrics, "start_time_seconds") - time.time()) < 60
        repeated = by_projection(metrics, "projection_repeated_total")
        assert len(repeated) == 10 and set(repeated.values()) == {0}
        assert status["ready"] and "reason" not in status


def positions_and_ends_are_those_of_status():
    with Place() as place, Projector(place) as p:
        p.caught_up(349)
        metrics = parse(p.get("/metrics"))
        rows = place.status()
        assert len(rows) == 28
        for r in rows:
            part = (("partition", str(r["partition"])), ("topic", r["topic"]))
            lane = tuple(sorted(part + (("projection", r["projection"]),)))
            assert metrics["partition_position"][part] == r["position"]
            assert metrics["partition_end"][part] == r["end"]
            assert metrics["lag_events"][lane] == r["lag"] == 0
            assert metrics["lag_seconds"][lane] == 0
            assert by_projection(metrics, "projection_generation")[
                r["projection"]] == r["generation"]
        assert len(metrics["lag_events"]) == 28
        assert {(dict(k)["topic"], int(dict(k)["partition"])): v
                for k, v in metrics["partition_end"].items()} == place.lines()


def a_parked_record_is_counted_where_it_was_parked():
    with Place() as place, Projector(place) as p:
        before = p.caught_up(349)
        place.append("stock", 0, valueBase64="bm90IGpzb24=")  # not JSON
        after = p.caught_up(350)
        readers = {r["projection"] for r in place.status() if r["parked"]}
        assert readers == {"product", "shop_products", "stock"}
        metrics = parse(p.get("/metrics"))
        parked = by_projection(metrics, "projection_parked_total")
        assert parked == {name: float(name in readers) for name in parked}
        assert plain(metrics, "records_parked_total") == sum(parked.values())
        assert after["skipped"] == before["skipped"]
        # What waits is marked: one write in each of the three.
        assert after["writes"] == before["writes"] + 3
        for name in ("applied", "unchanged"):
            assert [v[name] for v in after["projections"]] == \
                [v[name] for v in before["projections"]]


def status_and_metrics_say_the_same():
    with Place() as place, Projector(place) as p:
        place.append("shop", 0, valueBase64="bm90IGpzb24=")
        status = p.caught_up(350)
        metrics = parse(p.get("/metrics"))
        for key, name in (("consumed", "events_consumed_total"),
                          ("skipped", "events_skipped_total"),
                          ("parked", "records_parked_total"),
                          ("writes", "writes_total"),
                          ("conflicts", "write_conflicts_total"),
                          ("verified", "writes_verified_total"),
                          ("held_records", "held_records"),
                          ("held_bytes", "held_bytes"),
                          ("jobs_out", "jobs_out")):
            assert status[key] == plain(metrics, name), key
        for key in ("applied", "unchanged", "repeated", "parked"):
            assert {v["projection"]: v[key] for v in status["projections"]} \
                == by_projection(metrics, "projection_%s_total" % key)
        lags = {}
        for part in status["partitions"]:
            labels = (("partition", str(part["partition"])),
                      ("topic", part["topic"]))
            assert metrics["partition_position"][labels] == part["position"]
            assert metrics["partition_end"][labels] == part["end"]
            for lane in part["projections"]:
                assert lane["position"] == part["position"]
                labels3 = labels + (("projection", lane["projection"]),)
                lags[tuple(sorted(labels3))] = lane["lag"]
        assert lags == metrics["lag_events"]
        with open(os.path.join(ROOT, "VERSION")) as f:
            version = f.read().strip()
        assert status["version"] == version
        assert metrics["info"] == {(("version", version),): 1}


def counters_begin_at_zero_and_positions_do_not():
    with Place() as place:
        with Projector(place) as p:
            p.caught_up(349)
        place.append("shop", 1, valueBase64="bm90IGpzb24=")
        with Projector(place) as p:
            # The last record of each partition is read again: its anchor.
            p.caught_up(1 + sum(n > 0 for n in place.lines().values()))
            metrics = parse(p.get("/metrics"))
            assert plain(metrics, "records_parked_total") == 1
            assert {(dict(k)["topic"], int(dict(k)["partition"])): v
                    for k, v in metrics["partition_position"].items()} \
                == place.lines()


def health_follows_what_the_process_does():
    """A second process is alive; it is ready when it gets the partitions."""
    with Place() as place, Projector(place) as first:
        first.caught_up(349)
        assert first.get("/livez").status == 200
        assert first.get("/readyz").status == 200
        assert first.get("/readyz").body == b"ok\n"
        with Projector(place) as second:
            wait_for(lambda: second.get("/status").json()["taken_mono_ms"],
                     "a tick")
            assert second.get("/livez").status == 200
            unready = second.get("/readyz")
            assert unready.status == 503
            assert b"no partition is being read" in unready.body
            status = second.get("/status").json()
            assert not status["ready"]
            assert status["reason"].encode() + b"\n" == unready.body
            assert {p["lag"] for p in status["projections"]} == {None}
            assert plain(parse(second.get("/metrics")), "ready") == 0
            assert first.stop()[1] == 0
            wait_for(lambda: second.get("/readyz").status == 200, "readyz")


def an_address_that_is_taken_stops_nothing():
    with Place() as place, Place() as other, Projector(place) as p:
        p.caught_up(349)
        listen = "127.0.0.1:%d" % p.address()[1]
        with Projector(other, "--until-end", listen=listen) as q:
            assert q.proc.wait(PATIENCE) == 0
            text = q.log_text()
            assert len(re.findall("level=warn", text)) == 1, text
            assert re.search(r"level=warn prog=projector event=listen.failed "
                             r'listener=admin error="cannot listen on %s: '
                             'Address already in use"\n' % listen, text), text
            assert "event=run.done events=349" in text, text
        assert sum(r["position"] for r in other.status()
                   if r["projection"] == "stock") == 78
        assert p.get("/livez").status == 200


def no_address_is_no_listener():
    with Place() as place, Projector(place, "--until-end", listen="") as p:
        assert p.proc.wait(PATIENCE) == 0
        assert "listen" not in p.log_text()


def it_listens_on_ipv6_too():
    with Place() as place, Projector(place, listen="[::1]:0") as p:
        assert p.address()[0] == "::1"
        assert p.get("/livez").status == 200


def only_get_and_head_of_known_paths_are_answered():
    with Place() as place, Projector(place) as p:
        for path in ("/nothing", "/status/", "/metrics/x", "//", "/Status"):
            assert p.get(path).status == 404, path
        assert p.get("/status?x=1").status == 200
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = p.get("/status", method, body=b"x" * 100)
            assert answer.status == 405, method
            assert answer.fields["allow"] == "GET, HEAD"
        assert p.get("/nothing", "POST").status == 404
        for path in ("/", "/livez", "/readyz"):
            whole, head = p.get(path), p.get(path, "HEAD")
            assert (head.status, head.body) == (whole.status, b"")
            assert head.fields["content-length"] == str(len(whole.body))


def requests_are_bounded():
    with Place() as place, Projector(place) as p:
        long = p.get("/status", headers=("X: " + "x" * 20000,))
        assert long is None or long.status in (400, 413, 431)
        big = p.get("/status", "POST", body=b"x" * 100000)
        assert big is None or big.status == 413
        with socket.create_connection(p.address(), PATIENCE) as s:
            s.sendall(b"GET /status HT")
            begun = time.monotonic()
            while s.recv(4096):
                pass
            assert 3 < time.monotonic() - begun < 10
        assert p.get("/livez").status == 200


def it_stops_in_bounded_time_whatever_clients_do():
    with Place() as place, Projector(place) as p:
        p.caught_up(349)
        silent = socket.create_connection(p.address())
        half = socket.create_connection(p.address())
        half.sendall(b"GET /status HTTP/1.1\r\nHost: a\r\n")
        deaf = socket.create_connection(p.address())
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 200)
        took, code = p.stop()
        assert code == 0 and took < 4, (code, took)
        for s in (silent, half, deaf):
            s.close()


def the_page_needs_nothing_but_itself():
    with Place() as place, Projector(place) as p:
        answer = p.get("/")
        assert answer.status == 200
        assert answer.fields["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in \
            answer.fields["content-security-policy"]
        page = answer.body.decode()
        assert page.startswith("<!doctype html>")
        assert not re.search(r"\b(src|href|url)\s*[=(]|import\b|@import", page)
        found = re.findall(r"https?://[^'\"<> ]+", page)
        assert set(found) == {"http://www.w3.org/2000/svg"}, found
        # What the script reads is what /status has.
        status = p.caught_up(349)
        lanes, parts = status["projections"][0], status["partitions"][0]
        known = set(status) | set(lanes) | set(parts)
        for name in re.findall(r"\bs\.([a-z_]+)", page):
            assert name in status or name == "reason", name
        for name in re.findall(r"\b[pq]\.([a-z_]+)", page):
            assert name in known | {"t", "rate"}, name


TESTS = [every_event_of_the_sample_is_counted,
         positions_and_ends_are_those_of_status,
         a_parked_record_is_counted_where_it_was_parked,
         status_and_metrics_say_the_same,
         counters_begin_at_zero_and_positions_do_not,
         health_follows_what_the_process_does,
         an_address_that_is_taken_stops_nothing,
         no_address_is_no_listener,
         it_listens_on_ipv6_too,
         only_get_and_head_of_known_paths_are_answered,
         requests_are_bounded,
         it_stops_in_bounded_time_whatever_clients_do,
         the_page_needs_nothing_but_itself]


def main():
    names = sys.argv[1:]
    passed = failed = 0
    for test in TESTS:
        if names and test.__name__ not in names:
            continue
        try:
            test()
            passed += 1
            print("ok   " + test.__name__)
        except Exception:
            failed += 1
            print("FAIL " + test.__name__)
            traceback.print_exc(file=sys.stdout)
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
