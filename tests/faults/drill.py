# SPDX-License-Identifier: Apache-2.0
"""One fault drill: events flow, two projectors work, something is done to them,
and afterwards everything has to be as if nothing had been done.

A drill is a class with `faults` (the matrix's numbers), a sentence, and
`inject()`, which does its harm while `self.publishing()`. The rest is here:

    begin     topics, events, projectors, read API, the poller and the API client
    settle    every checkpoint at the end of the log (liveness, I9)
    verify    stored, dumped and served documents byte for byte (I1), parked
              records (I6, I7), what the poller (I2 to I5) and the client (I11)
              saw, memory (I10)
    end       every process with its status

All random choices come from `self.random`, seeded by the printed seed. Logs are
in build/faults/NAME.
"""
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

from frame import (BUILD, HERE, ROOT, SUPPORT, TOPICS, VIEWS, Program, sh,
                   wait_until)
from oracle import Folded, Log, Looks, compare, in_a_queue
from parked_causes import parked_row
from reference_views import VIEWS as REFERENCE
from servers import import_pymongo, tool

WORK = ROOT / "build" / "faults"
SETTLE_S = 90
STOP_S = 10
# What a projector may need beside projector.memory_bytes: its code and
# libraries, librdkafka's queue (16 MiB here) and a fetch on its way, batches on their
# way, the heap's slack.
ALLOWANCE_MIB = 96
MEMORY_MIB = 64
# More than this share of one core while nothing can be done is a busy loop.
BUSY_SHARE = 0.5


class Projector(Program):
    """`projector run` with an environment of its own, restarted at will."""

    def __init__(self, name, settings, log, args=(), env=None):
        super().__init__("projector", ["run", *args], settings, log)
        self.title, self.env = name, env or {}
        self.peak_mib = 0

    def argv(self):
        argv = super().argv()
        for key, values in self.settings.items():
            if isinstance(values, list):
                at = argv.index(f"{key}={values}")
                argv[at:at + 1] = f"{key}={values[0]}", *(
                    word for v in values[1:] for word in ("-s", f"{key}={v}"))
        return argv

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                self.argv(), stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True, env={**os.environ, **self.env})
        return self

    def signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def cpu_s(self):
        """Seconds of CPU since its start."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as line:
            words = line.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def measure(self):
        try:
            with open(f"/proc/{self.process.pid}/status",
                      encoding="ascii") as lines:
                for line in lines:
                    if line.startswith("VmHWM:"):
                        self.peak_mib = max(self.peak_mib,
                                            int(line.split()[1]) // 1024)
        except OSError:
            pass  # it has ended

    def metrics(self):
        """The text of its /metrics; needs an admin listener."""
        address = re.findall(r"listener=admin address=(\S+)", self.text())[-1]
        with urllib.request.urlopen(f"http://{address}/metrics",
                                    timeout=10) as got:
            return got.read().decode()

    def reads(self):
        """True when it has begun to read since its last start."""
        text = self.text()
        return "event=reading" in text[text.rfind("event=start "):]


class Drill:
    faults = ""
    says = ""
    events = 4000
    seconds = 12  # that long they are published
    hostile_permille = 0
    generate = ()  # more arguments for generate_events.py
    publish_more = ()  # ... and for publish
    partitions = 4
    projectors = 2
    allowance_mib = ALLOWANCE_MIB
    settings = {}
    env = {}
    exits = (0,)  # what a projector may end with
    at_least = 1  # the fault is to have been there so often
    settle_s = SETTLE_S
    has_api = True
    short = False  # part of `make test`

    def __init__(self, world, seed, number=0):
        self.world, self.seed = world, seed
        self.name = type(self).__name__.lower()
        self.random = random.Random(seed)
        # Names that no other run of this world has.
        self.id = f"{self.name}{number}"
        self.dir = WORK / self.name
        self.tried, self.more, self.notes = 0, 0, []
        self.programs, self.helpers = [], []
        self.observers, self.looks_at = {}, []
        self.seen_wrong, self.checked = [], 0
        self.publisher = self.api = self.watching = None

    # ---- settings and names -------------------------------------------

    @property
    def prefix(self):
        return f"{self.id}."

    @property
    def database(self):
        return self.id

    def store_settings(self):
        return {"store.type": "mongodb", "store.uri": self.world.mongo.uri,
                "store.database": self.database}

    def run_settings(self):
        return {"source.type": "kafka",
                "source.brokers": self.world.kafka.linked,
                "source.topic_prefix": self.prefix, "source.group": self.id,
                "source.rdkafka": ["session.timeout.ms=3000",
                                   "heartbeat.interval.ms=500",
                                   "queued.max.messages.kbytes=16384"],
                "projector.admin_listen": "",
                "projector.memory_bytes": f"{MEMORY_MIB}m",
                **self.store_settings(), **self.settings}

    def note(self, text):
        print(f"  {text}", flush=True)
        self.notes.append(text)

    # ---- begin -----------------------------------------------------------

    def begin(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.make_events(self.dir / "archive", self.events, self.seed)
        self.make_topics()
        self.pair = [self.projector(f"p{n}") for n in range(self.projectors)]
        for p in self.pair:
            p.start()
        wait_until("the projectors read", lambda: all(p.reads()
                                                      for p in self.pair), 60)
        if self.has_api:
            self.start_api()
        self.observe()
        self.watching = threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()
        self.begun = time.monotonic()
        self.publish(self.dir / "archive")

    def make_events(self, folder, events, seed):
        sh(sys.executable, SUPPORT / "generate_events.py", "--seed",
           seed % 2**32, "--events", events, "--out", folder, "--partitions",
           self.partitions, "--hostile-permille", self.hostile_permille,
           *self.generate)

    def make_topics(self):
        for topic in TOPICS:
            self.world.kafka.admin("create-topic", self.prefix + topic,
                                   self.partitions)

    def projector(self, name, args=(), env=None, **more):
        settings = {**self.run_settings(), **more}
        got = Projector(name, settings, self.dir / f"{name}.log", args,
                        {**self.env, **(env or {})})
        return self.own(got)

    def publish(self, archive, seconds=None, *more):
        """In the background, over `seconds`."""
        lines = sum(len(p.read_bytes().splitlines())
                    for p in archive.glob("*/*.ndjson"))
        rate = max(1, int(lines / (seconds or self.seconds)))
        with open(self.dir / "publish.log", "ab") as out:
            self.publisher = subprocess.Popen(
                [str(BUILD / "tests/support/publish"),
                 self.world.kafka.brokers, str(archive), "--prefix",
                 self.prefix, "--rate", str(rate), "--partitions", "archive",
                 *more], stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True)
        self.helpers.append(self.publisher)

    def publishing(self):
        """True while events flow, and the drill has not had its time yet."""
        return self.publisher.poll() is None and \
            time.monotonic() < self.begun + 2 * self.seconds

    def flowing(self):
        """The same, and until the fault was there often enough: on a busy
        machine servers start slowly, and more events are published."""
        if self.publishing():
            return True
        if self.tried >= self.at_least:
            return False
        if (status := self.publisher.poll()) is None:
            return True
        if status != 0:
            raise AssertionError("publish failed")
        self.more += 1
        folder = self.dir / f"more{self.more}"
        self.make_events(folder, self.events // 2, self.seed + self.more)
        self.publish(folder)
        return True

    def own(self, program):
        """One that is ended with the drill, and that links know by name."""
        self.programs.append(program)
        self.world.mongo.clients[program.title] = program
        return program

    def helper(self, log, *argv):
        with open(self.dir / log, "ab") as out:
            process = subprocess.Popen(
                [sys.executable, *map(str, argv)], stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True)
        self.helpers.append(process)
        return process

    def observe(self):
        """Sets the poller and the API client on what happens from now on."""
        n = len(self.looks_at)
        self.looks_at.append(self.dir / f"looks{n}.ndjson")
        self.observers["poller.log"] = self.helper(
            "poller.log", HERE / "poller.py", tool("pymongo"),
            self.world.mongo.uri, self.database, self.looks_at[-1])
        if self.has_api:
            self.observers["reader.log"] = self.helper(
                "reader.log", HERE / "reader.py", self.address,
                self.dir / "paths", self.seed + n)

    def stop_observing(self):
        """Ends both; what they saw that must never be."""
        wrong = []
        for log, process in self.observers.items():
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=30)
            said = (self.dir / log).read_text().splitlines()
            self.note(f"{log[:-4]}: {said[-1] if said else 'nothing'}")
            if status != 0:
                wrong += said[-6:]
        self.observers = {}
        return wrong

    def start_api(self):
        self.api = Program("queryapi", ["run"], {
            "queryapi.listen": "127.0.0.1:0",
            "queryapi.admin_listen": "127.0.0.1:0", **self.store_settings()},
            self.dir / "queryapi.log")
        self.api.title = "api"
        self.own(self.api).start()
        self.address = wait_until("queryapi listens", lambda: [
            line.split("address=")[1].split()[0]
            for line in self.api.text().splitlines()
            if "event=listen listener=data" in line])[0]
        paths = sorted(f"/v1/{view}/{quoted(key)}"
                       for view in ("shop", "shop_products", "coupon", "sales")
                       for key in self.likely_keys(view))
        (self.dir / "paths").write_text("\n".join(paths))

    def likely_keys(self, view):
        """Keys that the events to come will make, hot ones."""
        view = REFERENCE[view]()
        keys = set()
        for path in self.dir.glob("archive/*/*.ndjson"):
            if path.parent.name not in view.topics or "sales" in path.parts:
                continue
            for line in path.read_bytes().splitlines()[:200]:
                row = json.loads(line)
                if isinstance(row.get("key"), str):
                    keys.add(row["key"])
        return sorted(keys)[:40]

    def watch(self):
        """Memory of the projectors, while the drill runs."""
        while not self.watching.wait(0.5):
            for p in self.programs:
                if isinstance(p, Projector) and p.alive():
                    p.measure()

    # ---- in between --------------------------------------------------------

    def inject(self):
        raise NotImplementedError

    def pause(self, low, high=None):
        """Lets things happen for a random time; a fault's own duration."""
        time.sleep(self.random.uniform(low, high or low))

    def quiet(self, low, high):
        """A pause during which nobody may turn in a loop."""
        alive = [p for p in self.pair if p.alive()]
        begun, before = time.monotonic(), [p.cpu_s() for p in alive]
        self.pause(low, high)
        took = time.monotonic() - begun
        for p, was in zip(alive, before):
            if p.alive() and p.cpu_s() - was > BUSY_SHARE * took + 0.3:
                raise AssertionError(f"{p.title} used {p.cpu_s() - was:.1f} s "
                                     f"of CPU in {took:.1f} s of nothing to do")

    def db(self):
        return self.world.mongo.client()[self.database]

    def positions(self, db):
        """(view, topic, partition) → next, of the live generations."""
        sources = {r["index"]: (r["topic"], r["partition"])
                   for r in db.sources.find()}
        live = {f"{r['_id']}.{r['number']}": r["_id"] for r in db.live.find()}
        return {(live[r["generation"]], *sources[r["source"]]): r["next"]
                for r in db.checkpoints.find() if r["generation"] in live}

    def applied(self):
        """Records that some view has behind it."""
        best = {}
        for (_, topic, part), upto in self.positions(self.db()).items():
            best[topic, part] = max(best.get((topic, part), 0), upto)
        return sum(best.values())

    def wait_applied(self, share, seconds=60):
        """Until about that share of all events is behind."""
        wait_until(f"{share} of the events are applied", lambda:
                   self.applied() >= share * self.events, seconds)

    # ---- settle --------------------------------------------------------------

    def settle(self):
        if self.publisher.wait(120) != 0:
            raise AssertionError("publish failed:\n" + (
                self.dir / "publish.log").read_text()[-1000:])
        self.world.heal()
        self.revive()
        self.world.dump(self.prefix, self.dir / "log.ndjson")
        self.log = Log(self.dir / "log.ndjson")
        begun = time.monotonic()
        db = self.db()
        wait_until("every checkpoint is at the log's end (I9)",
                   lambda: not self.behind(db), self.settle_s, 0.2)
        self.note(f"caught up {time.monotonic() - begun:.1f} s after the end")
        if self.has_api:
            # A client may hear of the store's health ten seconds later.
            wait_until("the read API serves (I9)", self.is_served, 15, 0.2)

    def is_served(self):
        client = http.client.HTTPConnection(self.address, timeout=10)
        try:
            client.request("GET", f"/v1/{VIEWS[0]}/nobody")
            return client.getresponse().status == 404
        except (OSError, http.client.HTTPException):
            return False
        finally:
            client.close()

    def revive(self):
        """Somebody has to be there to catch up."""
        for p in self.pair:
            p.signal(signal.SIGCONT)
            if not p.alive():
                p.start()

    def behind(self, db):
        try:
            at = self.positions(db)
        except import_pymongo().errors.PyMongoError as fault:
            return [str(fault)]
        return [(view, *where) for view in VIEWS
                for where, end in self.log.end.items()
                if where[0] in REFERENCE[view].topics and
                end > self.log.begin[where] and
                at.get((view, *where), -1) != end]

    # ---- verify --------------------------------------------------------------

    def verify(self):
        folded = {v: self.fold(v) for v in VIEWS}
        wrong = []
        for view in VIEWS:
            wrong += self.compare_dumped(view, folded[view])
            if self.has_api:
                wrong += self.compare_served(view, folded[view].documents())
        wrong += self.compare_parked(folded)
        wrong += self.what_was_seen(folded)
        for p in self.programs:
            if isinstance(p, Projector) and \
                    p.peak_mib > MEMORY_MIB + self.allowance_mib:
                wrong.append(f"I10 {p.title}: {p.peak_mib} MiB")
        if wrong:
            (self.dir / "differences").write_text("\n".join(wrong))
            raise AssertionError("\n".join(wrong[:6]))
        peak = max(p.peak_mib for p in self.programs
                   if isinstance(p, Projector))
        self.note(f"{self.log.count(TOPICS)} events, "
                  f"{sum(len(f.documents()) for f in folded.values())} "
                  f"documents equal, {self.checked} states seen "
                  f"midway, peak {peak} MiB")

    def fold(self, view):
        return Folded(view, self.log)

    def compare_dumped(self, view, folded):
        live = {k: d for k, d in folded.documents().items() if d is not None}
        return compare(live, self.dumped(view), f"I1 dump {view}")

    def dumped(self, view):
        argv = Program("projector", ["dump", view], self.store_settings(),
                       os.devnull).argv()
        got = subprocess.run(argv, capture_output=True, timeout=120,
                             check=False)
        if got.returncode != 0:
            raise AssertionError(f"dump {view}: {got.stderr[-1000:]}")
        lines = got.stdout.decode("utf-8").splitlines()
        return {json.loads(line)["id"]: line for line in lines}

    def compare_served(self, view, want):
        """Every document as one body over HTTP; 410 for a deleted one."""
        client = http.client.HTTPConnection(self.address, timeout=30)
        have = {}
        for key in want:
            # A path has no room for these two, however they are written.
            if key in (".", ".."):
                have[key] = want[key]
                continue
            client.request("GET", f"/v1/{view}/{quoted(key)}")
            got = client.getresponse()
            body = got.read().decode("utf-8")
            have[key] = {200: body, 410: None}.get(
                got.status, f"status {got.status} {body}")
        client.close()
        return compare(want, have, f"I1 served {view}")

    def compare_parked(self, folded):
        """I6, I7: exactly the reference's records, by place, unit and cause;
        those that a marker covers are the ones there are."""
        wrong, n = [], 0
        db = self.db()
        sources = {(r["topic"], r["partition"]): r["index"]
                   for r in db.sources.find()}
        live = {r["_id"]: f"{r['_id']}.{r['number']}" for r in db.live.find()}
        for view in VIEWS:
            have = {parked_row(r) for r in db.parked.find(
                {"generation": live[view]}) if in_a_queue(db, r, sources)}
            want = folded[view].parked
            n += len(want)
            if have != want:
                wrong.append(f"I6 parked {view}: missing "
                             f"{sorted(want - have)[:3]}, too many "
                             f"{sorted(have - want)[:3]}")
        if n:
            self.note(f"{n} records parked, as expected")
        return wrong

    def what_was_seen(self, folded):
        """The poller's and the API client's words."""
        wrong = self.seen_wrong + self.stop_observing()
        db = self.db()
        sources = {r["index"]: (r["topic"], r["partition"])
                   for r in db.sources.find()}
        views = {r["collection"]: r["projection"]
                 for r in db.generations.find() if r["projection"] in VIEWS}
        for path in self.looks_at:
            looks = Looks(path, folded, sources, views)
            self.checked += looks.checked
            wrong += looks.breaches[:5]
        return wrong

    # ---- end -----------------------------------------------------------------

    def finish(self):
        """Everybody leaves when asked, in time, with status 0 (F31)."""
        for p in self.programs:
            if not p.alive():
                continue
            self.stop(p)

    def stop(self, p, statuses=(0,)):
        """SIGTERM; out within ten seconds and with a good status (F31)."""
        begun = time.monotonic()
        try:
            status = p.stop(STOP_S + 5)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{p.title} does not end:\n"
                                 f"{p.text()[-1500:]}") from None
        took = time.monotonic() - begun
        if status not in statuses or took > STOP_S + 1:
            raise AssertionError(f"{p.title} ended with {status} after "
                                 f"{took:.1f} s:\n{p.text()[-1500:]}")

    def stacks(self, p):
        """Where it hangs, for a person to read, when there is a debugger."""
        if shutil.which("gdb"):
            with open(self.dir / f"{p.title}.stacks", "ab") as out:
                subprocess.run(["gdb", "-p", str(p.process.pid), "-batch",
                                "-ex", "thread apply all bt"], stdout=out,
                               stderr=out, timeout=60, check=False)

    def clean(self):
        """Nothing of it is left running, whatever happened."""
        if self.watching:
            self.watching.set()
        for p in [p.process for p in self.programs if p.process] + self.helpers:
            if p.poll() is None:
                p.kill()
                p.wait()
        for title in [p.title for p in self.programs]:
            self.world.mongo.clients.pop(title, None)

    def run(self):
        try:
            self.begin()
            self.inject()
            self.settle()
            self.verify()
            self.finish()
            if self.tried < self.at_least:
                raise AssertionError(f"the fault was there {self.tried} times "
                                     f"only, not {self.at_least}")
        except Exception:
            for p in self.programs:
                if p.alive():
                    self.stacks(p)
            raise
        finally:
            self.clean()
            self.world.heal()


def quoted(key):
    return urllib.parse.quote(key, safe="", errors="surrogateescape")
