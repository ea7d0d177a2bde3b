#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A projector on a real MongoDB that takes its time to prove that it is the
primary: writing goes on meanwhile, and ends when nothing has been proven for
too long.

Run one test: test_claim_looks.py NAME_PART. Logs are kept in
build/integration/looks.
"""
import json
import shutil
import subprocess
import sys
import time

from harness import BUILD, ROOT, Program, Tests, mongo, wait_until

WORK = ROOT / "build" / "integration" / "looks"
ADMIN = BUILD / "tests" / "support" / "mongo_admin"
TRUST_S = 3  # CLAIM_TRUST_MS


class ClaimLooks(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        (WORK / "events" / "stock").mkdir(parents=True)
        self.written = 0

    def mongo(self, verb):
        return mongo(verb, WORK / "mongo")

    def command(self, database, text):
        done = subprocess.run([ADMIN, self.uri, database, json.dumps(text)],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self):
        self.uri = self.mongo("start").split()[-1]
        self.write()
        self.projector = Program("projector", ["run"], {
            "store.type": "mongodb", "store.uri": self.uri,
            "store.database": "looks", "source.dir": WORK / "events",
            "projector.admin_listen": ""}, WORK / "projector.log").start()
        self.wait_applied()

    def stop(self):
        self.prove(True)
        self.projector.stop()
        self.mongo("stop")

    def write(self):
        with open(WORK / "events" / "stock" / "0.ndjson", "a") as out:
            out.write(json.dumps({
                "topic": "stock", "partition": 0, "offset": self.written,
                "timestamp": 1793577600000 + self.written, "key": "shop-1",
                "headers": {}, "value": {
                    "eventId": f"e-{self.written}",
                    "eventType": "StockChanged",
                    "data": {"shopId": "shop-1", "productId": "p-1",
                             "quantity": 1000 + self.written,
                             "version": self.written + 1},
                    "occurrenceDateTime": "2026-11-02 09:00:00"}}) + "\n")
        self.written += 1

    def is_applied(self):
        """The event that was written last."""
        found = self.command("looks", {"find": "stock.1", "filter": {
            "quantity": 999 + self.written}})
        return len(found["cursor"]["firstBatch"]) == 1

    def wait_applied(self):
        wait_until("the event is applied", self.is_applied, every=0.02)

    def prove(self, may):
        """Whether linearizable reads are answered."""
        self.command("admin", {
            "configureFailPoint": "hangBeforeLinearizableReadConcern",
            "mode": "off" if may else "alwaysOn"})

    def look(self):
        """The look that waits for its answer, as MongoDB calls it."""
        found = self.command("admin", {
            "currentOp": 1, "command.readConcern.level": "linearizable"})
        return found["inprog"][0]["opid"] if found["inprog"] else None

    def test_1_events_are_applied_while_a_look_waits(self):
        """How many of them is the machine's affair; none, if it is waited
        for."""
        applied = 0
        self.prove(False)
        for _ in range(5):
            wait_until("a look waits", self.look, every=0.02)
            look = self.look()
            self.write()
            while not (done := self.is_applied()) and self.look() == look:
                pass
            applied += done and look is not None and self.look() == look
            self.prove(True)
            self.wait_applied()
            self.prove(False)
        self.prove(True)
        print(f"  {applied} of 5")
        assert applied > 0

    def test_2_nothing_is_applied_when_no_look_has_come_back_for_long(self):
        self.prove(False)
        wait_until("a look waits", self.look, every=0.02)
        time.sleep(TRUST_S + 1)
        self.write()
        time.sleep(1)
        assert not self.is_applied()
        self.prove(True)
        self.wait_applied()


def main():
    tests = ClaimLooks()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.stop()


if __name__ == "__main__":
    sys.exit(main())
