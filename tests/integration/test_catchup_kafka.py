#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A new, slow projection beside one that is at the end, in a group of two.

On a real Kafka and MongoDB. Members are killed and come back while both have a
second reader; the module of tests/support/hazard takes a millisecond per event.
Logs are kept in build/integration/catchup.
"""
import json
import shutil
import subprocess
import sys
import time

from harness import BUILD, ROOT, Program, Stack, status_rows, wait_until

WORK = ROOT / "build" / "integration" / "catchup"
PREFIX = "catchup."
PARTITIONS = 4
COUPONS = 40
OLD_EVENTS = 24000
LIMIT = 500
# Longer than anything that ends by itself takes.
STANDSTILL_S = 90


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


class CatchUp:
    def __init__(self):
        self.stack = Stack(WORK)
        self.modules = WORK / "modules"
        self.want = {}
        self.offsets = [0] * PARTITIONS
        self.programs = []

    def settings(self):
        return {"source.type": "kafka", "source.brokers": self.stack.brokers,
                "source.topic_prefix": PREFIX, "source.group": "catchup",
                "source.rdkafka": "session.timeout.ms=6000",
                "store.type": "mongodb", "store.uri": self.stack.uri,
                "store.database": "catchup",
                "projector.modules": self.modules,
                "projector.admin_listen": "",
                "projector.catch_up_records": LIMIT}

    def publish(self, n):
        """The next n events, in the partitions of their coupons."""
        archive = WORK / f"archive-{sum(self.offsets)}" / "coupon"
        archive.mkdir(parents=True)
        files = [open(archive / f"{p}.ndjson", "w") for p in range(PARTITIONS)]
        for i in range(n):
            coupon = f"c-{i % COUPONS}"
            partition = i % PARTITIONS
            print(json.dumps({
                "topic": "coupon", "partition": partition,
                "offset": self.offsets[partition],
                "timestamp": 1793580601040, "key": coupon, "headers": {},
                "value": {"eventId": f"e-{partition}",
                          "eventType": "CouponIssueRejected",
                          "data": {"couponId": coupon, "memberId": "m",
                                   "reason": "slow"},
                          "occurrenceDateTime": 1793580601000},
            }), file=files[partition])
            self.offsets[partition] += 1
            self.want[coupon] = self.want.get(coupon, 0) + 1
        for file in files:
            file.close()
        self.stack.publish(archive.parent, PREFIX, "--partitions", "archive")

    def start(self, *args):
        program = Program("projector", ["run", *args], self.settings(),
                          WORK / f"log-{len(self.programs)}")
        self.programs.append(program)
        return program.start()

    def lags(self):
        """Events not applied yet, by projection."""
        found = {}
        for row in status_rows(self.settings()) or []:
            expect(row["live"], "a generation that nobody feeds:", row)
            name = row["projection"]
            found[name] = found.get(name, 0) + row["lag"]
        return found

    def counts(self, name):
        argv = Program("projector", ["dump", name], self.settings(),
                       WORK / "dump").argv()
        out = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                             check=True).stdout
        return {d["id"]: d["rejected"] for d in map(json.loads,
                                                    out.splitlines())}

    def prepare(self):
        self.stack.start()
        self.modules.mkdir()
        subprocess.run([BUILD / "tests/support/kafka_admin",
                        self.stack.brokers, "create-topic", PREFIX + "coupon",
                        str(PARTITIONS)], check=True, timeout=60)
        shutil.copy(BUILD / "projections/coupon.so", self.modules)
        self.publish(OLD_EVENTS)
        first = self.start("--until-end")
        expect(first.wait() == 0, first.text())
        shutil.copy(BUILD / "tests/support/hazard/hazard.so", self.modules)

    def keeps_up(self, times):
        """
        New events are applied by the old projection while the new one is far
        behind.
        """
        for _ in range(times):
            self.publish(PARTITIONS)
            lags = wait_until("the new events", lambda: self.caught_up("coupon"),
                              30)
            expect(lags["hazard"] > LIMIT, "it was too quick:", lags)

    def caught_up(self, *names):
        lags = self.lags()
        return lags if all(lags.get(n) == 0 for n in names) else None

    def arrives(self, *names):
        """However long it takes, as long as it goes on."""
        lags, since = None, time.monotonic()
        while not self.caught_up(*names):
            now = self.lags()
            if now != lags:
                lags, since = now, time.monotonic()
            expect(time.monotonic() - since < STANDSTILL_S,
                   "nothing is applied any more:", lags)
            time.sleep(0.1)

    def tell(self):
        """What there is to know of a test that failed."""
        for row in status_rows(self.settings()) or []:
            print(row)
        for program in self.programs:
            print(f"---- {program.log.name}, ended: {not program.alive()}")
            print(program.text())

    def run(self):
        self.prepare()
        a, b = self.start(), self.start()
        for member in (a, b):
            wait_until("a second reader", lambda m=member:
                       "event=catchup.begins" in m.text())
        self.keeps_up(2)
        a.kill()
        # After the session's end the other one has all partitions.
        wait_until("b takes over", lambda: b.text().count(
            "event=catchup.begins") > 1)
        expect("event=catchup.stopped" in b.text() or
               "event=catchup.done" in b.text(), b.text())
        self.keeps_up(2)
        a = self.start()
        self.arrives("coupon", "hazard")
        self.publish(COUPONS)
        wait_until("and go on", lambda: self.caught_up("coupon", "hazard"))
        for member in (a, b):
            began = time.monotonic()
            expect(member.stop() == 0, member.text())
            expect(time.monotonic() - began < 10, "a stop took over 10 s")
        for name in ("coupon", "hazard"):
            expect(self.counts(name) == self.want, name, self.counts(name))

    def close(self):
        for program in self.programs:
            if program.alive():
                program.kill()
        self.stack.stop()


def main():
    test = CatchUp()
    try:
        test.run()
    except Exception as fault:
        test.tell()
        print(f"{type(fault).__name__}: {fault}")
        print("0 passed, 1 failed")
        return 1
    finally:
        test.close()
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
