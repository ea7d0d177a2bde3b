# SPDX-License-Identifier: Apache-2.0
"""One run of the read benchmark: its stores, its data, its measurements."""
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time

import data
import machine
from paths import BUILD, OUT, SUPPORT

LOADGEN = BUILD / "tests" / "bench" / "loadgen"
SEED = 20231114


def on_cores(cores, argv, **kw):
    return subprocess.Popen([str(a) for a in argv], start_new_session=True,
                            preexec_fn=machine.pinned(*cores), **kw)


def on_other_core(argv, **kw):
    return on_cores([machine.OTHER_CORE], argv, **kw)


class DataSet:
    """A database with one view, `shop`, as the projector writes it."""

    def __init__(self, run, name, count, size):
        self.run, self.name, self.count = run, name, count
        self.size = size
        self.place = run.dir / name
        self.archive = data.Archive(self.place / "events")
        self.keys = self.place / "keys"
        self.ranked = data.ranked_keys(count, SEED)
        self.keys.write_text("".join(k + "\n" for k in self.ranked))
        data.register_all(self.archive, count, size)
        begun = time.monotonic()
        subprocess.run(self.projector("--until-end"), check=True,
                       stdout=subprocess.DEVNULL,
                       stderr=open(self.place / "projector.log", "wb"))
        self.loaded_s = time.monotonic() - begun
        self.collection = "shop.1"

    def projector(self, *more):
        conf = self.place / "bench.conf"
        conf.write_text('projection "shop" { }\n')
        settings = {"source.type": "archive",
                    "source.dir": self.place / "events",
                    "store.type": "mongodb", "store.uri": self.run.uri,
                    "store.database": self.name,
                    "projector.state_dir": self.place / "state",
                    "projector.admin_listen": ""}
        argv = [BUILD / "projector" / "projector", "run", *more, "-c", conf]
        for key, value in settings.items():
            argv += ["-s", f"{key}={value}"]
        return [str(a) for a in argv]


class Updates:
    """The projector at work on ShopInfoChanged events, `rate` a second."""

    def __init__(self, dataset, rate):
        self.dataset, self.rate = dataset, rate
        self.sent, self.latest = 0, {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.send)

    def __enter__(self):
        log = open(self.dataset.place / "updates.log", "wb")
        self.projector = on_other_core(self.dataset.projector(),
                                       stdout=log, stderr=log)
        machine.wait_until("the projector reads", lambda: "event=reading" in
                           pathlib.Path(log.name).read_text())
        self.begun = time.monotonic()
        self.thread.start()
        return self

    def send(self):
        """Zipf over all keys, as the readers: what is read is what changes."""
        ranked = self.dataset.ranked
        dice = random.Random(SEED)
        weights, total = [], 0.0
        for rank in range(len(ranked)):
            total += (rank + 1) ** -0.99
            weights.append(total)
        while not self.over.wait(0.01):
            due = int((time.monotonic() - self.begun) * self.rate)
            keys = dice.choices(ranked, cum_weights=weights,
                                k=max(0, due - self.sent))
            for key in keys:
                self.sent += 1
                self.latest[key] = self.sent
                at_ms = data.BEGIN_MS + 1000 + self.sent
                self.dataset.archive.append(key, data.event(
                    "ShopInfoChanged", self.sent,
                    {"shopId": key, "deliveryTip": self.sent}, at_ms), at_ms)
            self.dataset.archive.flush()

    def stop_sending(self):
        if not self.over.is_set():
            self.over.set()
            self.thread.join()
            self.took = time.monotonic() - self.begun

    def __exit__(self, *exc):
        self.stop_sending()
        self.projector.send_signal(signal.SIGTERM)
        self.projector.wait(30)


class Run:
    """Owns MongoDB, the data sets and every server that was started."""

    def __init__(self, options):
        self.options = options
        self.dir = OUT / "run"
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.sets, self.servers, self.raw = {}, [], []
        self.mongod = None

    def start(self):
        # The collections fit: else it is MongoDB's eviction that is measured.
        env = dict(os.environ, BUILD=str(BUILD), MONGO_CACHE_GB="4",
                   MONGO_ADMIN=str(
                       BUILD / "tests" / "support" / "mongo_admin"))
        self.env = env
        self.uri = subprocess.run(
            [SUPPORT / "mongo.sh", "start", self.dir / "mongo"], env=env,
            check=True, stdout=subprocess.PIPE, text=True,
            timeout=300).stdout.split()[-1]
        self.mongod = int((self.dir / "mongo" / "mongod.pid").read_text())
        machine.pin(self.mongod, machine.OTHER_CORE)

    def stop(self):
        for server in self.servers:
            server.stop()
        if self.mongod:
            subprocess.run([SUPPORT / "mongo.sh", "stop", self.dir / "mongo"],
                           env=self.env, check=False, timeout=60)
        if not self.options.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def data_set(self, name, count, size):
        if name not in self.sets:
            print(f"  loading {count} documents of {size} bytes", flush=True)
            self.sets[name] = DataSet(self, name, count, size)
        return self.sets[name]

    def started(self, server):
        self.servers.append(server)
        return server.start()

    def stopped(self, server):
        server.stop()
        self.servers.remove(server)

    def warm(self, server, keys, **options):
        """As long as for everybody, and as many requests as it needs."""
        self.load(server, keys, self.options.warmup, **options)
        if server.warmup_requests:
            self.load(server, keys, 60, requests=server.warmup_requests,
                      **options)

    def load(self, server, keys, seconds, **options):
        """What loadgen says, with what server and mongod used meanwhile."""
        argv = [LOADGEN, server.address, "--keys", keys, "--seconds", seconds]
        for name, value in options.items():
            argv += [f"--{name}", value]
        pids = {"server": server.pid, "mongod": self.mongod}
        before = {who: machine.cpu_s(pid) for who, pid in pids.items()}
        core = machine.core_busy_s(machine.SERVER_CORE)
        begun = time.monotonic()
        done = subprocess.Popen(
            [str(a) for a in argv], start_new_session=True,
            preexec_fn=machine.ahead(machine.OTHER_CORE),
            stdout=subprocess.PIPE)
        try:
            text, _ = done.communicate(timeout=seconds + 60)
        except BaseException:
            done.kill()
            raise
        core = machine.core_busy_s(machine.SERVER_CORE) - core
        took = time.monotonic() - begun
        if not text:
            raise RuntimeError(f"loadgen: exit status {done.returncode}")
        got = json.loads(text)
        n = max(1, got["answered"])
        used = {who: machine.cpu_s(pid) - before[who]
                for who, pid in pids.items()}
        got["server_us"] = used["server"] / n * 1e6
        got["mongod_us"] = used["mongod"] / n * 1e6 * server.uses_store
        got["sum_us"] = got["server_us"] + got["mongod_us"]
        got["rss_mb"] = machine.rss_bytes(server.pid) / 1e6
        # What others did on the server's core: it should be next to nothing.
        got["disturbed"] = max(0, core - used["server"]) / took
        return got


def get(address, path):
    """Status and body of one GET."""
    client = http.client.HTTPConnection(address, timeout=30)
    try:
        client.request("GET", path)
        got = client.getresponse()
        return got.status, got.read()
    finally:
        client.close()


def same_bytes(servers, keys):
    """All of them answer each key like the first one, byte for byte."""
    for key in keys:
        want = None
        for server in servers:
            status, body = get(server.address, f"/v1/shop/{key}")
            if status != 200:
                raise RuntimeError(f"{server.name}: {key}: {status}")
            want = body if want is None else want
            if body != want:
                at = next((i for i, (a, b) in enumerate(zip(body, want))
                           if a != b), min(len(body), len(want)))
                raise RuntimeError(
                    f"{server.name}: {key}: from byte {at} on it answers "
                    f"{body[at:at + 60]!r} and not {want[at:at + 60]!r}")


def write_files(address, keys, root):
    """The same bytes for nginx: one file per key."""
    folder = root / "v1" / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    client = http.client.HTTPConnection(address, timeout=30)
    for key in keys:
        client.request("GET", f"/v1/shop/{key}")
        got = client.getresponse()
        body = got.read()
        if got.status != 200:
            raise RuntimeError(f"queryapi: {key}: {got.status}")
        (folder / key).write_bytes(body)
    client.close()
    return root
