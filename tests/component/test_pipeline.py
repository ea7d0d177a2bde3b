#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real projector on an archive and an LMDB store, killed and watched.

    BUILD=build/release test_pipeline.py [--seed N] [NAME]...

Events come from tests/support/generate_events.py, expectations from
tests/support/reference.py, which computes documents from the archive alone.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "tests" / "support"
sys.path.insert(0, str(SUPPORT))

from reference import archive_files, fold_lines, read_lines, to_json  # noqa: E402
from reference_views import VIEWS  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "release"))
PROJECTOR = (BUILD / "projector" / "projector").resolve()
DEADLINE_S = 60
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


def ordered(text):
    """Parsed JSON that is equal only with the same order of keys."""
    return json.loads(text, object_pairs_hook=tuple)


class Place:
    """One archive, one store, and the processes that were started on them."""

    def __init__(self, directory, seed):
        self.directory = pathlib.Path(directory)
        self.random = random.Random(seed)
        self.seed = seed
        self.events = self.directory / "events"
        self.staged = self.directory / "staged"
        self.store = self.directory / "store"
        self.processes = []

    # ---- Events --------------------------------------------------------

    def generate(self, events, hostile=0, partitions=3):
        """A whole archive, aside; append() moves it over piece by piece."""
        subprocess.run(
            [sys.executable, SUPPORT / "generate_events.py", "--seed",
             str(self.seed), "--events", str(events), "--out", self.staged,
             "--partitions", str(partitions), "--hostile-permille",
             str(hostile)],
            check=True,
        )  # fmt: skip
        for file in archive_files(self.staged):
            target = self.events / file.relative_to(self.staged)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()

    def append(self, share=1.0, limit=1.0):
        """The next part of every file, up to a limit; it may end in a line."""
        for file in archive_files(self.staged):
            target = self.events / file.relative_to(self.staged)
            whole = file.read_bytes()
            done = target.stat().st_size
            upto = int(limit * len(whole))
            if share < 1:
                upto = min(upto, done + int(share * len(whole)))
            with open(target, "ab") as out:
                out.write(whole[done:upto])

    def everything(self, events, hostile=0, partitions=3):
        self.generate(events, hostile, partitions)
        self.append()

    # ---- Programs ------------------------------------------------------

    def command(self, *args):
        return [PROJECTOR, *args, "-s", f"source.dir={self.events}",
                "-s", f"store.path={self.store}",
                "-s", "projector.admin_listen="]  # fmt: skip

    def run(self, *args, status=0):
        done = subprocess.run(
            self.command(*args), capture_output=True, text=True,
            timeout=DEADLINE_S, cwd=self.directory,
        )  # fmt: skip
        if status is not None and done.returncode != status:
            raise AssertionError(
                f"{args}: status {done.returncode}, not {status}\n{done.stderr}"
            )
        return done

    def start(self, *args):
        log = open(self.directory / f"log-{len(self.processes)}", "w")
        process = subprocess.Popen(
            self.command(*args), stdout=log, stderr=log, cwd=self.directory
        )
        log.close()
        process.log = pathlib.Path(log.name)
        self.processes.append(process)
        return process

    def stop(self, process):
        """SIGTERM: a clean end within ten seconds."""
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        status = process.wait(timeout=15)
        expect(status == 0, "SIGTERM: status", status, process.log.read_text())
        expect(time.monotonic() - began < 10, "SIGTERM took over 10 s")

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def rows(self, *args):
        out = self.run(*args, "--json").stdout
        return [json.loads(line) for line in out.splitlines()]

    # ---- Expectations --------------------------------------------------

    def differences(self, names=None, events=None):
        """Views that are not as the archive says, with the first difference."""
        found = {}
        for name in names or sorted(VIEWS):
            view, _ = fold_lines(name, whole_lines(events or self.events))
            want = [to_json(document) for document in view.output(False)]
            done = self.run("dump", name, status=None)
            got = done.stdout.splitlines()
            if done.returncode:
                found[name] = done.stderr
            elif len(got) != len(want):
                found[name] = f"{len(got)} documents, not {len(want)}"
            else:
                for a, b in zip(got, want):
                    if ordered(a) != ordered(b):
                        found[name] = f"{a}\n not {b}"
                        break
        return found

    def check(self, names=None):
        found = self.differences(names)
        expect(not found, *(f"{n}: {t}\n" for n, t in found.items()))

    def wait_for(self, condition, what):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            for process in self.processes:
                expect(process.poll() in (None, 0, -signal.SIGKILL),
                       what, "but a process ended:",
                       process.log.read_text())  # fmt: skip
            expect(time.monotonic() < end, "waited in vain:", what)
            time.sleep(0.05)

    def live_lag(self, projections=10):
        done = self.run("status", "--json", status=None)
        if done.returncode:
            return -1  # nothing there yet
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        live = [row["lag"] for row in rows if row["live"]]
        if len({row["projection"] for row in rows}) != projections:
            return -1
        return sum(live)

    def wait_for_end(self, projections=10):
        self.wait_for(lambda: self.live_lag(projections) == 0, "no lag")


def whole_lines(directory):
    """Only lines that are ended count."""
    return [line for line in read_lines([directory]) if line.endswith(b"\n")]


# ---- Projecting ------------------------------------------------------------


@test
def until_end_gives_the_reference_for_every_view(place):
    place.everything(6000)
    place.run("run", "--until-end")
    place.check()
    # Once more: nothing to do, nothing changes.
    place.run("run", "--until-end")
    place.check()


@test
def hostile_records_are_parked_counted_and_hold_nothing_back(place):
    place.everything(6000, hostile=60)
    place.run("run", "--until-end")
    place.check()
    lines = whole_lines(place.events)
    parked = {r["projection"]: r["parked"] for r in place.rows("status")}
    expect(sum(parked.values()) > 100, "hardly anything is parked:", parked)
    for name in VIEWS:
        _, faults = fold_lines(name, lines)
        expect(parked[name] == len(faults), name, "parked", parked[name],
               "reference", len(faults))  # fmt: skip


@test
def documents_follow_a_growing_archive(place):
    place.generate(3000, hostile=10)
    process = place.start("run")
    for _ in range(6):
        place.append(0.15)
        time.sleep(place.random.uniform(0, 0.2))
    place.wait_for_end()
    place.check()
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(process)


@test
def a_topic_that_appears_later_is_read(place):
    place.generate(1500)
    for late in ("stock", "order"):
        shutil.move(place.events / late, place.directory / late)
    for file in archive_files(place.events):
        staged = place.staged / file.relative_to(place.events)
        file.write_bytes(staged.read_bytes())
    process = place.start("run")
    place.wait_for_end(10 - len({"stock", "order", "sales"}))
    for late in ("stock", "order"):
        shutil.move(place.directory / late, place.events / late)
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(process)


# ---- Killing ---------------------------------------------------------------


@test
def killed_at_random_moments_nothing_is_lost_or_doubled(place):
    place.generate(12000, hostile=20)
    killed = 0
    for _ in range(16):
        process = place.start("run", "-s", "projector.batch_documents=20")
        place.append(0.06)
        time.sleep(place.random.uniform(0.03, 0.35))
        killed += process.poll() is None
        process.kill()
        process.wait()
    expect(killed >= 10, "only", killed, "were running when they were killed")
    place.append()
    place.run("run", "--until-end")
    place.check()


@test
def sigterm_saves_positions(place):
    place.everything(12000)
    process = place.start("run")
    place.wait_for(lambda: place.live_lag() >= 0, "generations")
    place.wait_for(
        lambda: any(row["position"] for row in place.rows("status")),
        "the first events",
    )
    place.stop(process)
    # Everything that was taken in is covered, in every projection.
    saved = {}
    for row in place.rows("status"):
        saved.setdefault((row["topic"], row["partition"]), set()).add(
            row["position"]
        )
    expect(all(len(at) == 1 for at in saved.values()), saved)
    log = process.log.read_text()
    taken = int(re.search(r"event=run.done events=(\d+)", log)[1])
    expect(0 < sum(map(min, saved.values())) == taken, saved, log)
    place.run("run", "--until-end")
    place.check()


@test
def two_processes_share_an_archive_and_one_takes_over(place):
    place.generate(9000)
    first, second = place.start("run"), place.start("run")
    for _ in range(4):
        place.append(0.2)
        time.sleep(0.1)
    place.wait_for_end()
    place.check()
    second.kill()
    second.wait()
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(first)


# ---- Rebuilding ------------------------------------------------------------


def generations(place, name):
    return {r["generation"]: r for r in place.rows("list")
            if r["projection"] == name}  # fmt: skip


@test
def rebuild_goes_live_while_events_arrive_and_the_runner_follows(place):
    place.generate(8000)
    process = place.start("run")
    place.append(0.4)
    place.wait_for_end()
    rebuild = place.start("rebuild", "shop_products")
    while rebuild.poll() is None:
        place.append(0.02, limit=0.8)
        time.sleep(0.05)
    expect(rebuild.wait(DEADLINE_S) == 0, rebuild.log.read_text())
    rows = generations(place, "shop_products")
    expect(rows[2]["live"] and rows[2]["state"] == "ready", rows)
    expect(not rows[1]["live"], rows)
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(process)


@test
def a_killed_rebuild_goes_on_with_its_generation(place):
    place.everything(20000)
    place.run("run", "--until-end")
    slow = ("-s", "projector.batch_documents=2")
    rebuild = place.start("rebuild", "stock", *slow)
    place.wait_for(lambda: 2 in generations(place, "stock"), "generation 2")
    time.sleep(0.2)
    was_running = rebuild.poll() is None
    rebuild.kill()
    rebuild.wait()
    expect(was_running, "the rebuild was done before it could be killed")
    rows = generations(place, "stock")
    expect(rows[1]["live"] and not rows[2]["live"], rows)
    expect(rows[2]["state"] == "building", rows)
    place.check(["stock"])
    done = place.run("rebuild", "stock")
    expect("going on with generation 2" in done.stderr, done.stderr)
    rows = generations(place, "stock")
    expect(sorted(rows) == [1, 2] and rows[2]["live"], rows)
    place.check(["stock"])


@test
def rebuild_without_a_running_projector(place):
    place.everything(3000, hostile=30)
    place.run("rebuild", "sales")
    place.check(["sales"])
    place.run("run", "--until-end")
    place.run("rebuild", "sales")
    expect(generations(place, "sales")[2]["live"])
    place.check()


# ---- What is shown ---------------------------------------------------------


@test
def list_and_status_have_their_documented_shape(place):
    place.everything(2000)
    before = place.rows("list")
    expect(len(before) == 10, before)
    expect(all(not r["live"] for r in before), before)
    place.run("run", "--until-end")
    rows = place.rows("list")
    expect(sorted(r["projection"] for r in rows) == sorted(VIEWS), rows)
    for row in rows:
        expect(list(row) == ["projection", "version", "generation", "live",
                             "state", "collection"], row)  # fmt: skip
        expect(row["live"] is True and row["generation"] == 1, row)
        expect(row["collection"] == row["projection"] + ".1", row)
    rows = place.rows("status")
    for row in rows:
        expect(list(row) == ["projection", "generation", "live", "topic",
                             "partition", "position", "end", "lag",
                             "lag_seconds", "parked"], row)  # fmt: skip
        file = place.events / row["topic"] / f"{row['partition']}.ndjson"
        expect(row["end"] == len(file.read_bytes().splitlines()), row)
        expect(row["position"] == row["end"] and row["lag"] == 0, row)
    expect(len({(r["projection"], r["topic"], r["partition"]) for r in rows})
           == len(rows))  # fmt: skip
    for verb in ("list", "status"):
        expect("PROJECTION" in place.run(verb).stdout)


@test
def check_and_options_have_their_exit_status(place):
    place.everything(1000)
    done = place.run("check")
    expect("fault" not in done.stdout, done.stdout)
    expect(not (place.store / "data.mdb").exists(), "check made a store")
    done = place.run("check", "-s", "source.type=pigeon", status=78)
    expect("source.type" in done.stderr, done.stderr)
    done = place.run("check", "-s", "sorce.type=archive", status=78)
    expect("source" in done.stderr.replace("sorce.type", ""), done.stderr)
    done = place.run("check", "-s", "projector.writer=2", status=78)
    expect("writers" in done.stderr, done.stderr)
    done = place.run("check", "-s", "projection.stok.a=1", status=78)
    expect("stok" in done.stderr, done.stderr)
    done = place.run("check", "-s", "topic.stok.zone=UTC", status=78)
    expect("'stock'" in done.stdout + done.stderr, done.stderr)
    done = place.run("run", "--until-ende", status=64)
    expect("--until-end" in done.stderr.replace("--until-ende", ""))
    done = place.run("rebuidl", "stock", status=64)
    expect("rebuild" in done.stderr, done.stderr)
    place.run("rebuild", status=64)
    place.run("rebuild", "nothing_like_it", status=78)


# ---- Main ------------------------------------------------------------------


def run_one(function, make_place):
    with tempfile.TemporaryDirectory(prefix="shopview-") as directory:
        with contextlib.closing(make_place(function, directory)) as place:
            function(place)


def main(tests, make_place=None):
    """All of them, or those named; make_place(function, directory)."""
    args, seed = sys.argv[1:], 20261121
    if args[:1] == ["--seed"]:
        seed, args = int(args[1]), args[2:]
    make_place = make_place or (lambda _, directory: Place(directory, seed))
    failed = passed = 0
    for function in tests:
        if args and function.__name__ not in args:
            continue
        began = time.monotonic()
        try:
            run_one(function, make_place)
        except Exception:
            failed += 1
            print(f"FAILED {function.__name__} (--seed {seed})")
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            spent = time.monotonic() - began
            print(f"ok     {function.__name__} ({spent:.1f} s)")
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(TESTS))
