# SPDX-License-Identifier: Apache-2.0
"""The real `queryapi run` from outside: a store, a server, raw-socket clients.

For the component tests of the read side; BUILD names the build directory.
"""
import contextlib
import gzip
import json
import os
import re
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
SAMPLE = os.path.join(os.path.dirname(__file__), "..", "sample")
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


def document(key, revision, gen="shop.1", state=0, positions=None, meta=None,
             **fields):
    return {"op": "document", "generation": gen, "id": key,
            "revision": revision, "state": state, "meta": meta or {},
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
    def __init__(self, path, *settings, preexec=None, config=None):
        args = [QUERYAPI, "run", "-s", "store.type=lmdb",
                "-s", "store.path=" + path,
                "-s", "queryapi.listen=127.0.0.1:0",
                "-s", "queryapi.admin_listen=127.0.0.1:0",
                "-s", "queryapi.loops=2"]
        args += ["-c", config] if config else []
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

    def counts(self, name, value):
        """An answer is counted behind it."""
        wait_for(lambda: self.metric(name) == value, "%s = %s" % (name, value))

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
            name = name.lower()
            if name == "vary" and name in self.fields:  # RFC 9110, 5.3
                value = self.fields.pop(name) + ", " + value
            assert name not in self.fields, "twice: " + name
            self.fields[name] = value
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
            assert self.rest[:5] == b"HTTP/"[:len(self.rest)], self.rest[:99]
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


def with_basic_store(test, *settings, **more):
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(*BASIC)
        with Server(store.path, *settings, **more) as srv:
            srv.ready()
            test(srv, store)


@contextlib.contextmanager
def sample_served(config=None):
    """A server of the bundled views, projected from the sample's events."""
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(
            [os.path.join(BUILD, "projector", "projector"), "run",
             "--until-end", "-s", "source.dir=" + os.path.join(SAMPLE, "events"),
             "-s", "store.path=" + d + "/store",
             "-s", "projector.state_dir=" + d,
             "-s", "projector.admin_listen="],
            check=True, stderr=subprocess.DEVNULL)
        with Server(d + "/store", config=config) as srv:
            yield srv.ready()


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


def main(tests, more=()):
    """Runs the test_ functions among `tests` (or those named as arguments),
    then `more`: callables that are given the list of results."""
    results = []
    wanted = sys.argv[1:]
    for name, fn in list(tests.items()):
        if name.startswith("test_") and (not wanted or name in wanted):
            run(name, fn, results)
    for fn in more:
        if not wanted:
            run(fn.__name__, lambda: fn(results), results)
    print("%d passed, %d failed" % (results.count(True),
                                    results.count(False)))
    return 0 if all(results) else 1
