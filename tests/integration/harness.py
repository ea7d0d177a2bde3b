# SPDX-License-Identifier: Apache-2.0
"""Real servers, real programs, real data, for the integration tests.

Everything waits for outcomes with a deadline, never for a time to pass.
"""
import gzip
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("BUILD", "build/release")).resolve()
SUPPORT = ROOT / "tests" / "support"
TOPICS = ("shop", "product", "price", "stock", "order", "delivery", "review",
          "coupon")
VIEWS = ("shop", "product", "shop_products", "stock", "review_summary",
         "order", "sales", "delivery", "coupon", "member_coupons")


def wait_until(what, check, seconds=60, every=0.1):
    """check() until it is true; its value. Ends the test when it never is."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


def sh(*args, **kw):
    """Runs a command to its end; its stdout. Fails loudly."""
    got = subprocess.run([str(a) for a in args], capture_output=True,
                         text=True, timeout=kw.pop("timeout", 300), **kw)
    if got.returncode != 0:
        raise AssertionError(f"{args[0]} ended with {got.returncode}:\n"
                             f"{got.stdout[-1000:]}{got.stderr[-2000:]}")
    return got.stdout


def mongo(verb, directory, **env):
    """mongo.sh with the server in that directory; what it says."""
    env = dict(os.environ, MONGO_ADMIN=str(
        BUILD / "tests" / "support" / "mongo_admin"), **env)
    return sh(SUPPORT / "mongo.sh", verb, directory, env=env,
              timeout=400).strip()


class Stack:
    """One Kafka and one MongoDB, with data in a directory of their own."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.env = dict(os.environ, BUILD=str(BUILD))

    def start(self):
        sh(SUPPORT / "stack.sh", "start", self.dir, env=self.env, timeout=400)
        text = (self.dir / "shopview.conf").read_text()
        self.brokers = re.search(r'brokers = "([^"]+)"', text).group(1)
        self.uri = re.search(r'uri = "([^"]+)"', text).group(1)

    def stop(self):
        subprocess.run([SUPPORT / "stack.sh", "stop", self.dir], env=self.env,
                       stdout=subprocess.DEVNULL, timeout=120, check=False)

    def kafka(self, verb):
        return sh(SUPPORT / "kafka.sh", verb, self.dir / "kafka", timeout=120)

    def mongo(self, verb):
        env = dict(self.env, MONGO_ADMIN=str(
            BUILD / "tests" / "support" / "mongo_admin"))
        return sh(SUPPORT / "mongo.sh", verb, self.dir / "mongo", env=env,
                  timeout=120)

    def create_topics(self, prefix, partitions=4):
        for topic in TOPICS:
            sh(BUILD / "tests/support/kafka_admin", self.brokers,
               "create-topic", prefix + topic, partitions)

    def publish(self, archive, prefix, *more):
        return sh(BUILD / "tests/support/publish", self.brokers, archive,
                  "--prefix", prefix, *more)

    def publish_slowly(self, archive, prefix, rate):
        """publish in the background, at most `rate` records a second."""
        return subprocess.Popen(
            [BUILD / "tests/support/publish", self.brokers, archive,
             "--prefix", prefix, "--rate", str(rate)],
            stdout=subprocess.DEVNULL, start_new_session=True)


class Data:
    """An archive and the documents it must lead to, per view."""

    def __init__(self, name, archive, expected):
        self.name, self.archive, self.expected = name, archive, expected

    def lines(self):
        for path in sorted(self.archive.glob("*/*.ndjson")):
            yield path


def read_ndjson(path):
    return [json.loads(line)
            for line in path.read_text(encoding="utf-8").splitlines()]


def unpack(folder, into):
    """A folder of real data, its .gz files uncompressed."""
    archive = into / "archive"
    for packed in sorted(folder.glob("archive/*/*.ndjson.gz")):
        target = archive / packed.parent.name / packed.name[:-3]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.decompress(packed.read_bytes()))
    expected = {}
    for packed in sorted(folder.glob("expected/*.ndjson.gz")):
        text = gzip.decompress(packed.read_bytes()).decode("utf-8")
        expected[packed.name.split(".")[0]] = [
            json.loads(line) for line in text.splitlines()]
    return Data(folder.name, archive, expected)


def data_sets(into):
    """The real shops' data when it is there, else the project's sample."""
    beside = os.environ.get("SHOPVIEW_DATA", "")
    folders = sorted(pathlib.Path(beside).glob("*/expected")) if beside else []
    if folders:
        return [unpack(f.parent, into / f.parent.name) for f in folders]
    sample = ROOT / "tests" / "sample"
    expected = {p.stem: read_ndjson(p)
                for p in (sample / "expected").glob("*.ndjson")}
    archive = into / "sample" / "archive"
    shutil.copytree(sample / "events", archive)
    return [Data("sample", archive, expected)]


class Program:
    """projector or queryapi as a process of its own, its log in a file."""

    def __init__(self, name, args, settings, log, config="/dev/null"):
        self.name, self.args, self.log = name, args, pathlib.Path(log)
        self.settings = {"projector.state_dir": self.log.parent / "state",
                         **settings}
        self.config = config
        self.process = None

    def argv(self):
        options = []
        for key, value in self.settings.items():
            options += ["-s", f"{key}={value}"]
        return [str(BUILD / self.name / self.name), *self.args,
                "-c", str(self.config), *options]

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                self.argv(), stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def text(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=20):
        """SIGTERM; the exit status."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def wait(self, seconds=120):
        return self.process.wait(timeout=seconds)


class Api:
    """queryapi and a keep-alive client for it."""

    def __init__(self, settings, log):
        self.program = Program("queryapi", ["run"], {
            "queryapi.listen": "127.0.0.1:0",
            "queryapi.admin_listen": "127.0.0.1:0", **settings}, log)

    def start(self):
        self.program.start()
        self.data = wait_until("queryapi listens", lambda: re.search(
            r"event=listen listener=data address=(\S+)", self.program.text()))
        self.data = self.data.group(1)
        self.client = http.client.HTTPConnection(self.data, timeout=30)
        return self

    def get(self, path, headers=None):
        """status, headers, JSON body."""
        try:
            self.client.request("GET", path, headers=headers or {})
            got = self.client.getresponse()
        except (http.client.HTTPException, OSError):
            self.client.close()
            raise
        body = got.read()
        return got.status, got.headers, json.loads(body) if body else None

    def documents(self, view, keys):
        """The documents of these keys, None where there is none."""
        found = []
        for at in range(0, len(keys), 100):
            ids = ",".join(urllib.parse.quote(k, safe="")
                           for k in keys[at:at + 100])
            status, _, body = self.get(f"/v1/{view}?ids={ids}")
            if status != 200:
                raise AssertionError(f"{view}?ids= answered {status}: {body}")
            found += [item.get("document") for item in body["items"]]
        return found

    def stop(self):
        return self.program.stop()


def differences(expected, got, limit=3):
    """Readable differences between two lists of documents; [] when equal."""
    out = []
    for want, have in zip(expected, got):
        if want != have or (have and list(want) != list(have)):
            out.append(f"expected {json.dumps(want, ensure_ascii=False)[:600]}"
                       f"\n     got {json.dumps(have, ensure_ascii=False)[:600]}")
        if len(out) == limit:
            break
    if len(expected) != len(got):
        out.append(f"{len(expected)} documents expected, {len(got)} got")
    return out


def status_rows(settings, database_args=()):
    argv = Program("projector", ["status", "--json", *database_args], settings,
                   os.devnull).argv()
    got = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                         check=False)
    if got.returncode != 0:
        return None
    return [json.loads(line) for line in got.stdout.splitlines()]


def applied(settings):
    """Events some view has behind it, counted once per topic-partition."""
    best = {}
    for r in status_rows(settings) or []:
        if r["live"]:
            at = (r["topic"], r["partition"])
            best[at] = max(best.get(at, 0), r["position"])
    return sum(best.values())


def caught_up(settings):
    """True when every live generation is at the end of every partition."""
    rows = status_rows(settings)
    live = [r for r in rows or [] if r["live"]]
    return bool(live) and all(r["lag"] == 0 for r in live) and \
        {r["projection"] for r in live} == set(VIEWS)


class Tests:
    """Runs methods named test_… in order; counts; the closing line."""

    def run(self):
        names = [n for n in dir(self) if n.startswith("test_")]
        wanted = sys.argv[1:]
        passed = failed = 0
        for name in names:
            if wanted and not any(w in name for w in wanted):
                continue
            begun = time.monotonic()
            try:
                getattr(self, name)()
                passed += 1
                word = "ok  "
            except Exception as fault:  # any fault fails this test only
                failed += 1
                word = "FAIL"
                print(f"{type(fault).__name__}: {fault}", flush=True)
            print(f"{word} {name} {time.monotonic() - begun:.1f} s",
                  flush=True)
        print(f"{passed} passed, {failed} failed")
        return 1 if failed else 0
