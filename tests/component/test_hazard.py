#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records that end or hang the process: parked by name, all others applied.

    BUILD=build/release test_hazard.py [NAME]...

The module of tests/support/hazard does to the projector whatever an event says.
A bundled one reads the same topic in the same process. The projector is started
again whenever it ends, as a supervisor does.
"""

import collections
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

from test_pipeline import BUILD, PROJECTOR, expect, main

LIMIT = 2
PARTITIONS = 2
WORDS = ["segfault", "abort", "exit", "exit-at-once", "loop", "stand",
         "recurse", "key-segfault", "key-loop"]  # fmt: skip
if BUILD.name not in ("asan", "tsan"):  # these have no bound on addresses
    WORDS.append("leak")
ADDRESS_BYTES = 1 << 30
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Place:
    """An archive of coupons, a store, and a projector with two modules."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.modules = self.directory / "modules"
        self.modules.mkdir()
        shutil.copy(BUILD / "tests/support/hazard/hazard.so", self.modules)
        shutil.copy(BUILD / "projections/coupon.so", self.modules)
        self.topic = self.directory / "events" / "coupon"
        self.topic.mkdir(parents=True)
        self.offsets = collections.Counter()
        for partition in range(PARTITIONS):
            (self.topic / f"{partition}.ndjson").touch()
        self.settings = {
            "source.dir": self.directory / "events",
            "store.path": self.directory / "store",
            "store.map_bytes": "32m",
            "projector.state_dir": self.directory / "state",
            "projector.modules": self.modules,
            "projector.admin_listen": "",
            "projector.crash_limit": LIMIT,
            "projector.fold_cpu_ms": "200ms",
        }
        self.process = None
        self.n_logs = 0

    def append(self, coupon, reason):
        """One event; (partition, offset) of its record."""
        partition = sum(coupon.encode()) % PARTITIONS
        offset = self.offsets[partition]
        self.offsets[partition] += 1
        record = {
            "topic": "coupon", "partition": partition, "offset": offset,
            "timestamp": 1793580601040, "key": coupon, "headers": {},
            "value": {
                "eventId": f"e-{partition}-{offset}",
                "eventType": "CouponIssueRejected",
                "data": {"couponId": coupon, "memberId": "member-1",
                         "reason": reason},
                "occurrenceDateTime": 1793580601000,
            },
        }  # fmt: skip
        with open(self.topic / f"{partition}.ndjson", "a") as out:
            out.write(json.dumps(record) + "\n")
        return partition, offset

    def command(self, *args):
        command = [PROJECTOR, *args]
        for name, value in self.settings.items():
            command += ["-s", f"{name}={value}"]
        return command

    def start(self, *args):
        def limits():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if "leak" in WORDS:
                resource.setrlimit(resource.RLIMIT_AS,
                                   (ADDRESS_BYTES, ADDRESS_BYTES))

        self.n_logs += 1
        self.log = self.directory / f"log-{self.n_logs}"
        with open(self.log, "wb") as log:
            # One arena: each reserves addresses of its own.
            self.process = subprocess.Popen(
                self.command(*args), stdout=log, stderr=log, preexec_fn=limits,
                cwd=self.directory, env=environment(),
            )  # fmt: skip

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def run_until_done(self, *args, done="event=run.done", most=40):
        """Starts it again and again; what it said at each early end."""
        ends = []
        while True:
            self.start(*args)
            status = self.process.wait(timeout=60)
            if status == 0 and done in self.text():
                return ends
            ends.append(f"status {status}\n{self.text()}")
            expect(len(ends) < most, "no end of it:", ends[-1])

    def rows(self, *args):
        done = subprocess.run(self.command(*args, "--json"), text=True,
                              capture_output=True, timeout=60, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def counts(self, name):
        """Rejections by coupon, as the view has them."""
        done = subprocess.run(self.command("dump", name), text=True,
                              capture_output=True, timeout=60, check=True)
        documents = map(json.loads, done.stdout.splitlines())
        return {d["id"]: d["rejected"] for d in documents}

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def environment():
    """A crash here is no finding of a sanitizer: it ends as it would without."""
    env = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"):
        env[name] = ":".join(filter(None, [env.get(name), "handle_segv=0",
                                           "handle_abort=0"]))
    return env


def write_events(place, words):
    """
    Healthy coupons, and for each word a coupon of its own that meets it after
    two events and has one more afterwards. Counts by coupon: all there are, and
    those before the hazard; places of the hazards.
    """
    everything, before, hazards = {}, {}, {}
    for turn in range(3):
        for n in range(20):
            place.append(f"fine-{n}", "sold out")
            everything[f"fine-{n}"] = before[f"fine-{n}"] = turn + 1
        for word in words:
            coupon = f"h-{word}"
            if turn == 2:
                hazards[coupon] = place.append(coupon, word)
            place.append(coupon, "sold out")
            everything[coupon] = turn + 1 + (turn == 2)
            before[coupon] = min(turn + 1, 2)
    return everything, before, hazards


# ---- Tests -----------------------------------------------------------------


@test
def each_record_that_ends_the_process_is_parked_and_all_others_are_applied(
        place):
    everything, before, hazards = write_events(place, WORDS)
    ends = place.run_until_done("run", "--until-end")
    expect(len(ends) == LIMIT * len(WORDS), len(ends), "ends:", *ends)
    # The module beside it, in the same process, has every event.
    expect(place.counts("coupon") == everything, place.counts("coupon"))
    expect(place.counts("hazard") == before, place.counts("hazard"))
    # One queue per coupon that met a hazard, which is its head; what came
    # later waits behind it, and nothing else does.
    queues = place.rows("parked", "list", "hazard")
    heads = {q["key"]: (q["partition"], q["offset"], q["queued"])
             for q in queues if q["cause"] == "ends the process"}
    expect(heads == {c: (*at, 1) for c, at in hazards.items()}, queues)
    expect(len(queues) == len(hazards), queues)
    expect(not place.rows("parked", "list", "coupon"), "in the module beside")


@test
def a_new_generation_gives_each_record_another_chance(place):
    _, before, _ = write_events(place, ["segfault"])
    place.run_until_done("run", "--until-end")
    ends = place.run_until_done("rebuild", "hazard", done="is live")
    expect(len(ends) == LIMIT, len(ends), "ends:", *ends)
    expect(place.counts("hazard") == before, place.counts("hazard"))


def running(place):
    place.start("run")
    end = time.monotonic() + 30
    while "event=reading" not in place.text():
        expect(place.process.poll() is None, place.text())
        expect(time.monotonic() < end, "it does not read")
        time.sleep(0.05)


def asked(place, *args):
    done = subprocess.run(place.command("parked", *args), text=True,
                          capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@test
def a_record_that_ends_the_process_is_given_up_without_a_try(place):
    everything, _, _ = write_events(place, ["abort", "key-segfault"])
    place.run_until_done("run", "--until-end")
    running(place)
    status, text = asked(place, "discard", "hazard", "--all", "--reason", "no")
    expect(status == 0, text)
    expect(place.process.poll() is None, place.text())
    everything["h-abort"] -= 1
    everything["h-key-segfault"] -= 1
    expect(place.counts("hazard") == everything, place.counts("hazard"))
    expect("event=crash.forgotten" in place.text(), place.text())


@test
def a_mended_module_applies_what_ended_the_process(place):
    everything, before, _ = write_events(place, ["abort", "segfault"])
    place.run_until_done("run", "--until-end")
    # The same code ends at the next try, and is given no other.
    for key in ("h-abort", "h-segfault"):
        running(place)
        status, text = asked(place, "retry", "hazard", key, "--wait", "0")
        expect(status == 0, text)
        expect(place.process.wait(timeout=60) != 0, place.text())
        running(place)
        status, text = asked(place, "retry", "hazard", key)
        expect(status == 1 and "ends the process" in text, text)
        place.close()
    expect(place.counts("hazard") == before, place.counts("hazard"))
    place.settings["projection.hazard.calm"] = 1
    done = subprocess.run(
        place.command("generation", "adopt", "hazard", "--reason", "mended"),
        text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    expect(done.returncode == 0, done.stderr)
    running(place)
    status, text = asked(place, "retry", "hazard")
    expect(status == 0, text, place.text())
    expect(place.counts("hazard") == everything, place.counts("hazard"))
    expect(not place.rows("parked", "list", "hazard"), "something is left")


@test
def with_limit_0_no_record_is_condemned(place):
    write_events(place, ["abort"])
    place.settings["projector.crash_limit"] = 0
    with contextlib.suppress(AssertionError):
        place.run_until_done("run", "--until-end", most=4)
        raise RuntimeError("it went on: " + place.text())


@test
def a_stop_within_an_endless_record_is_bounded_and_counts_against_it(place):
    if BUILD.name == "tsan":
        return  # it runs handlers at the next system call: never in a loop
    _, before, _ = write_events(place, ["loop"])
    place.settings["projector.fold_cpu_ms"] = "1h"
    place.settings["projector.crash_limit"] = 1
    place.start("run", "--until-end")
    wait_until_busy(place.process)
    place.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    expect(place.process.wait(timeout=30) == 0, place.text())
    expect(time.monotonic() - began < 10, "it took over 10 s")
    expect("event=stop.cut" in place.text(), place.text())
    expect(not place.run_until_done("run", "--until-end"), place.text())
    expect(place.counts("hazard") == before, place.counts("hazard"))


def wait_until_busy(process):
    """The loop has taken half a second of CPU time."""
    tick = os.sysconf("SC_CLK_TCK")
    end = time.monotonic() + 30
    while True:
        stat = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
        if int(stat.rpartition(")")[2].split()[11]) > tick / 2:
            return
        expect(process.poll() is None, "it ended")
        expect(time.monotonic() < end, "it does not loop")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(TESTS, lambda _, directory: Place(directory)))
