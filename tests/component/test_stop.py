#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The projector ends within ten seconds of a signal, whatever hangs.

    BUILD=build/release test_stop.py [NAME]...

What hangs is a server that takes connections and never says a word, or a log
that nobody reads. The tests wait for most of their time, so they run at once.
"""

import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "release"))
PROJECTOR = (BUILD / "projector" / "projector").resolve()
BOUND_S = 10
SIGNALLED = 128 + signal.SIGTERM
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


class Mute:
    """A server that takes connections and what comes, and never answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.port = self.listener.getsockname()[1]
        self.taken = []

    def wait_until_asked(self):
        connection, _ = self.listener.accept()
        connection.settimeout(30)
        expect(connection.recv(1), "a connection without a question")
        self.taken.append(connection)

    def close(self):
        for connection in [*self.taken, self.listener]:
            connection.close()


class Place:
    """A directory with an event, and a projector on it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.mute = Mute()
        self.process = None
        self.log = self.directory / "log"
        events = self.directory / "events"
        for topic in ("shop", "product", "price", "stock", "order",
                      "delivery", "review", "coupon"):  # fmt: skip
            (events / topic).mkdir(parents=True)
            (events / topic / "0.ndjson").touch()
        self.settings = {"source.dir": events,
                         "store.path": self.directory / "store",
                         "projector.state_dir": self.directory / "state",
                         "projector.admin_listen": ""}  # fmt: skip

    def mute_store(self):
        self.settings |= {
            "store.type": "mongodb",
            "store.uri": f"mongodb://127.0.0.1:{self.mute.port}/?replicaSet=rs0",
        }

    def mute_source(self):
        self.settings |= {"source.type": "kafka",
                          "source.brokers": f"127.0.0.1:{self.mute.port}"}

    def start(self, *args, stderr=None):
        command = [PROJECTOR, *args]
        for name, value in self.settings.items():
            command += ["-s", f"{name}={value}"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=stderr or log, cwd=self.directory)

    def text(self):
        return self.log.read_text(encoding="utf-8")

    def wait_for(self, event):
        end = time.monotonic() + 30
        while f"event={event}" not in self.text():
            expect(self.process.poll() is None, "ended early:", self.text())
            expect(time.monotonic() < end, event, "in vain:", self.text())
            time.sleep(0.02)

    def signal(self):
        self.process.send_signal(signal.SIGTERM)

    def ends(self, status, within=BOUND_S):
        """Called right after the signal."""
        began = time.monotonic()
        try:
            got = self.process.wait(timeout=within + 10)
        except subprocess.TimeoutExpired:
            raise AssertionError("it hangs: " + self.text()) from None
        took = time.monotonic() - began
        expect(got == status, "status", got, "not", status, self.text())
        expect(took < within, f"took {took:.1f} s:", self.text())

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        self.mute.close()


# ---- One signal --------------------------------------------------------------


@test
def an_idle_projector_ends_at_once(place):
    place.start("run")
    place.wait_for("reading")
    place.signal()
    place.ends(0, within=3)
    expect("stop.cut" not in place.text(), place.text())


@test
def a_store_that_never_answers_does_not_hold_up_the_end(place):
    place.mute_store()
    place.start("run")
    place.mute.wait_until_asked()
    place.signal()
    place.ends(0)
    expect("event=stop.cut" in place.text(), place.text())


@test
def a_broker_that_never_answers_does_not_hold_up_the_end(place):
    place.mute_source()
    place.start("run")
    place.mute.wait_until_asked()
    place.signal()
    place.ends(0)


@test
def store_and_broker_together_do_not_hold_up_the_end(place):
    place.mute_store()
    place.mute_source()
    place.start("run")
    place.mute.wait_until_asked()
    place.signal()
    place.ends(0)


@test
def a_rebuild_that_was_cut_does_not_look_complete(place):
    place.mute_store()
    place.start("rebuild", "stock")
    place.mute.wait_until_asked()
    place.signal()
    place.ends(1)


@test
def a_log_that_nobody_reads_does_not_hold_up_the_end(place):
    place.mute_store()
    reader, writer = os.pipe()
    try:
        # Full, so that the next line waits.
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"." * 512)
        fcntl.fcntl(writer, fcntl.F_SETFL, 0)
        place.start("run", stderr=writer)
        wait_for_handlers(place.process.pid)
        place.signal()
        place.ends(0)
    finally:
        os.close(reader)
        os.close(writer)


def wait_for_handlers(pid):
    """SIGTERM is caught."""
    end = time.monotonic() + 30
    while True:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        caught = next(line for line in status.splitlines()
                      if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        expect(time.monotonic() < end, "no handler")
        time.sleep(0.02)


# ---- Two signals -------------------------------------------------------------


@test
def a_second_signal_ends_it_at_once_though_the_store_hangs(place):
    place.mute_store()
    place.start("run")
    place.mute.wait_until_asked()
    place.signal()
    wait_until_taken(place.process.pid)
    place.signal()
    place.ends(SIGNALLED, within=2)


def wait_until_taken(pid):
    """No SIGTERM is pending: two that are pending would be one."""
    end = time.monotonic() + 30
    bit = 1 << (signal.SIGTERM - 1)
    while True:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        pending = [int(line.split()[1], 16) for line in status.splitlines()
                   if line.startswith(("SigPnd:", "ShdPnd:"))]
        if not any(mask & bit for mask in pending):
            return
        expect(time.monotonic() < end, "the signal stays pending")
        time.sleep(0.02)


# ---- Main ------------------------------------------------------------------


def run_one(function):
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shopview-stop-") as directory:
        place = Place(directory)
        try:
            with contextlib.closing(place):
                function(place)
        except Exception:
            return f"FAILED {function.__name__}\n{traceback.format_exc()}"
    return f"ok     {function.__name__} ({time.monotonic() - began:.1f} s)"


def main():
    chosen = [t for t in TESTS
              if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(len(chosen) or 1) as pool:
        for said in pool.map(run_one, chosen):
            failed += said.startswith("FAILED")
            print(said, flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
