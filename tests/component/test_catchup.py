#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A projection that is far behind holds up no other one.

    BUILD=build/release test_catchup.py [NAME]...

The module of tests/support/hazard is the slow one here: a millisecond for each
event. It is added beside a bundled one that is at the end of the log already.
"""

import json
import re
import shutil
import signal
import sys
import time
import urllib.request

from test_hazard import Place
from test_pipeline import BUILD, expect, main

LIMIT = 300
TESTS = []


def test(old_events):
    """With so many events before; a millisecond each to the new projection."""
    def add(function):
        function.old_events = old_events
        TESTS.append(function)
        return function
    return add


class Shop(Place):
    """Old events, applied by one projection; another one is new."""

    def __init__(self, directory, old_events):
        super().__init__(directory)
        self.old_events = old_events
        self.settings["projector.catch_up_records"] = LIMIT
        self.settings["projector.fold_cpu_ms"] = "10s"
        self.want = {}
        (self.modules / "hazard.so").unlink()
        for n in range(old_events):
            self.event(n)
        expect(not self.run_until_done("run", "--until-end"), self.text)
        shutil.copy(BUILD / "tests/support/hazard/hazard.so", self.modules)

    def event(self, n):
        coupon = f"c-{n % 20}"
        self.append(coupon, "slow")
        self.want[coupon] = self.want.get(coupon, 0) + 1

    def lags(self):
        """Events not applied yet, by projection; none where it has no row."""
        found = {}
        for row in self.rows("status"):
            name = row["projection"]
            found[name] = found.get(name, 0) + row["lag"]
        return found

    def wait_for_lag(self, wanted, seconds, what):
        end = time.monotonic() + seconds
        while not wanted(lags := self.lags()):
            expect(self.process.poll() is None, "it ended:", self.text())
            if time.monotonic() > end:
                raise AssertionError(f"{what} in vain: {lags} {self.text()}")
        return lags

    def wait_for_the_end(self):
        self.wait_for_lag(lambda lags: lags == {"coupon": 0, "hazard": 0}, 60,
                          "all applied")

    def wait_for_event(self, event, times=1):
        end = time.monotonic() + 30
        while self.text().count(f"event={event} ") < times:
            expect(self.process.poll() is None, "it ended:", self.text())
            expect(time.monotonic() < end, event, "in vain:", self.text())
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        expect(self.process.wait(timeout=30) == 0, self.text())
        expect(time.monotonic() - began < 10, "it took over 10 s")

    def check(self):
        for name in ("coupon", "hazard"):
            expect(self.counts(name) == self.want, name, self.counts(name))


def rounds_that_kept_up(shop):
    """
    New events, one after the other, until the new projection has caught up: how
    many of them the old one had applied while the new one was far behind.
    """
    kept_up = 0
    while True:
        shop.event(len(shop.want))
        began = time.monotonic()
        while True:
            lags = shop.lags()
            behind = lags.get("hazard", shop.old_events)
            if behind <= LIMIT:
                return kept_up
            if lags["coupon"] == 0:
                kept_up += 1
                break
            expect(time.monotonic() - began < 30, shop.text())


# ---- Tests -----------------------------------------------------------------


@test(4000)
def a_projection_that_is_added_does_not_raise_the_lag_of_the_others(shop):
    shop.start("run")
    kept_up = rounds_that_kept_up(shop)
    expect(kept_up >= 3, kept_up, shop.text())
    shop.wait_for_the_end()
    shop.wait_for_event("catchup.done")
    # Together again, they go on.
    for n in range(20):
        shop.event(n)
    shop.wait_for_the_end()
    shop.stop()
    shop.check()
    expect(shop.text().count("event=catchup.begins") == 1, shop.text())


@test(3000)
def with_one_reader_alone_it_does(shop):
    """What the test above is worth."""
    shop.settings["projector.catch_up_records"] = 0
    shop.start("run")
    expect(rounds_that_kept_up(shop) == 0, "it kept up")
    shop.wait_for_the_end()
    shop.stop()
    shop.check()
    expect("event=catchup." not in shop.text(), shop.text())


@test(10000)
def killed_while_it_catches_up_nothing_is_lost_or_doubled(shop):
    for _ in range(3):
        shop.start("run")
        shop.wait_for_event("catchup.begins")
        before = shop.lags().get("hazard", shop.old_events)
        shop.wait_for_lag(lambda lags, most=before:
                          lags.get("hazard", shop.old_events) < most, 30, "progress")
        shop.process.kill()
        shop.process.wait()
    shop.start("run")
    shop.wait_for_event("reading")
    shop.wait_for_the_end()
    shop.stop()
    shop.check()


@test(10000)
def stopped_while_it_catches_up_it_ends_in_time_and_goes_on_later(shop):
    shop.start("run")
    shop.wait_for_event("catchup.begins")
    # Both read. To ask for its progress may take longer than all of it.
    shop.wait_for_event("reading", 2)
    shop.stop()
    expect("event=catchup.stopped" in shop.text(), shop.text())
    expect(shop.lags()["hazard"] > 0, "it was done before")
    shop.start("run")
    shop.wait_for_the_end()
    shop.stop()
    shop.check()


@test(10000)
def figures_are_of_both_readers(shop):
    shop.settings["projector.admin_listen"] = "127.0.0.1:0"
    shop.start("run")
    shop.wait_for_event("catchup.begins")
    address = re.search(r"listener=admin address=(\S+)", shop.text()).group(1)
    end = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(f"http://{address}/status") as answer:
            status = json.load(answer)
        whole = {p["projection"]: p for p in status["projections"]}
        lags = [row["lag"] for part in status["partitions"]
                for row in part["projections"] if row["projection"] == "hazard"]
        if len(lags) == 2 and all(lags) and whole["hazard"]["applied"] > 0:
            expect(whole["hazard"]["lag"] == sum(lags), status)
            break
        expect(time.monotonic() < end, status)
    shop.stop()


if __name__ == "__main__":
    sys.exit(main(TESTS, lambda function, directory:
                  Shop(directory, function.old_events)))  # fmt: skip
