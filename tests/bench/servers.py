# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared, each started on a core of its own."""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess

import machine
from paths import BUILD, HERE, OUT, ROOT

PEERS = OUT / "peers"
CACHE = OUT / "packages"


class Skipped(Exception):
    """A peer that cannot be built here, and why."""


def command(*args, cwd=None):
    got = subprocess.run([str(a) for a in args], cwd=cwd, text=True,
                         capture_output=True, timeout=900, check=False)
    if got.returncode != 0:
        raise Skipped(f"{args[0]} ended with {got.returncode}: "
                      f"{(got.stderr or got.stdout)[-500:]}")


def unpacked(*packages):
    """Debian packages beside the system: a service would start by itself."""
    root = CACHE / "root"
    for package in packages:
        mark = CACHE / f"{package}.done"
        if mark.exists():
            continue
        if not shutil.which("apt-get"):
            raise Skipped("there is no apt-get")
        at = CACHE / package
        at.mkdir(parents=True, exist_ok=True)
        command("apt-get", "download", package, cwd=at)
        command("dpkg", "-x", next(at.glob("*.deb")), root)
        mark.touch()
    return root


class Server:
    """One process; `address` once it has said where it listens."""
    name = ""
    uses_store = True
    warmup_requests = 0  # beside the seconds that all get
    says = r"peer listens on (\S+)"

    def __init__(self, run):
        self.run = run
        self.process = None
        self.log = run.dir / f"{self.name.replace(' ', '-')}.log"

    def argv(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def start(self):
        argv = [str(a) for a in self.argv()]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                argv, stdout=out, stderr=subprocess.STDOUT,
                env=self.environment(), start_new_session=True,
                preexec_fn=machine.pinned(machine.SERVER_CORE))
        self.address = machine.wait_until(f"{self.name} listens",
                                          self.listening)
        return self

    def listening(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended, see {self.log}")
        found = re.search(self.says, self.log.read_text(errors="replace"))
        return found and found.group(1)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Queryapi(Server):
    name = "queryapi"
    says = r"event=listen listener=data address=(\S+)"

    def __init__(self, run, database, **settings):
        super().__init__(run)
        self.settings = {
            "store.type": "mongodb", "store.uri": run.uri,
            "store.database": database, "queryapi.loops": 1,
            "queryapi.listen": "127.0.0.1:0",
            "queryapi.admin_listen": "127.0.0.1:0",
            "queryapi.max_connections": 20000,
            "queryapi.max_connections_per_address": 20000, **settings}

    def argv(self):
        argv = [BUILD / "queryapi" / "queryapi", "run", "-c", os.devnull]
        for key, value in self.settings.items():
            argv += ["-s", f"{key}={value}"]
        return argv

    def start(self):
        super().start()
        admin = re.search(r"listener=admin address=(\S+)",
                          self.log.read_text()).group(1)
        machine.wait_until("queryapi is ready",
                           lambda: status(admin, "/readyz") == 200)
        return self


def status(address, path):
    client = http.client.HTTPConnection(address, timeout=10)
    try:
        client.request("GET", path)
        return client.getresponse().status
    finally:
        client.close()


class Nginx(Server):
    """The files of `root`; access log off, one process, Debian's binary.

    `open_files`: nginx may keep the files open, which it does not by default.
    """
    name = "nginx"
    uses_store = False

    def __init__(self, run, root, open_files=False):
        self.name = "nginx open_file_cache" if open_files else "nginx"
        super().__init__(run)
        self.root, self.open_files = root, open_files
        self.binary = unpacked("nginx") / "usr" / "sbin" / "nginx"

    def argv(self):
        place = self.run.dir / self.name.replace(" ", "-")
        place.mkdir(exist_ok=True)
        self.port = free_port()
        conf = (HERE / "peers" / "nginx.conf").read_text()
        cache = "open_file_cache max=2000 inactive=1h;" \
            if self.open_files else ""
        for name, value in (("@PLACE@", place), ("@ROOT@", self.root),
                            ("@PORT@", self.port), ("@CACHE@", cache)):
            conf = conf.replace(name, str(value))
        (place / "nginx.conf").write_text(conf)
        return [self.binary, "-p", place, "-c", place / "nginx.conf"]

    def listening(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"nginx ended, see {self.log}")
        return accepts(self.port) and f"127.0.0.1:{self.port}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Go(Server):
    """net/http and the official driver; one core, so GOMAXPROCS is 1."""

    def __init__(self, run, database, collection, cache):
        self.name = "go + 1 s LRU" if cache else "go"
        super().__init__(run)
        self.where = (database, collection)
        self.cache = cache
        self.binary = PEERS / "go-peer"
        if not shutil.which("go"):
            raise Skipped("there is no go (Debian: golang-go)")
        PEERS.mkdir(parents=True, exist_ok=True)
        command("go", "build", "-o", self.binary, ".",
                cwd=HERE / "peers" / "go")

    def argv(self):
        return [self.binary, "-uri", self.run.uri, "-database", self.where[0],
                "-collection", self.where[1], f"-cache={int(self.cache)}"]


class Spring(Server):
    """WebFlux on Netty and the reactive streams driver."""
    name = "spring webflux"
    warmup_requests = 60000  # until its compiler has seen everything

    def __init__(self, run, database, collection):
        super().__init__(run)
        self.where = (database, collection)
        self.place = PEERS / "spring"
        java = ROOT / "tests" / "bench" / "peers" / "spring"
        if not shutil.which("mvn") or not shutil.which("javac"):
            raise Skipped("there is no mvn or no javac (Debian: maven, "
                          "openjdk-17-jdk-headless)")
        shutil.copytree(java, self.place, dirs_exist_ok=True)
        jar = self.place / "target" / "peer-1.jar"
        if jar.exists() and all(f.stat().st_mtime < jar.stat().st_mtime
                                for f in java.rglob("*.*") if f.is_file()):
            return
        command("mvn", "-B", "-q", "-DskipTests", "package",
                "dependency:copy-dependencies", "-DincludeScope=runtime",
                f"-DoutputDirectory={self.place}/lib", cwd=self.place)

    def argv(self):
        target = self.place / "target"
        return ["java", "-Xmx512m", "-cp",
                f"{target}/peer-1.jar:{self.place}/lib/*", "peer.Peer",
                "--server.port=0", "--server.address=127.0.0.1",
                f"--uri={self.run.uri}", f"--database={self.where[0]}",
                f"--collection={self.where[1]}"]
