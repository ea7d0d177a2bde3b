#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever clients do (tests/support/storm.py), on a real MongoDB, also while
it does not answer for a while."""
import os
import shutil
import signal
import sys
import time

from harness import ROOT, SUPPORT, Tests, mongo

sys.path.insert(0, str(SUPPORT))
import storm  # noqa: E402
from queryapi import wait_for  # noqa: E402

WORK = ROOT / "build" / "integration" / "storm"
OUTAGES = 3
APART_S = 1


class Storm(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)

    def start(self):
        self.uri = mongo("start", WORK / "mongo")
        self.mongod = int((WORK / "mongo" / "mongod.pid").read_text())

    def stop(self):
        mongo("stop", WORK / "mongo")

    def world(self, name):
        os.environ["FILL_DATABASE"] = name
        return storm.World("mongodb", self.uri), (
            "store.type=mongodb", "store.uri=" + self.uri,
            "store.database=" + name)

    def test_whatever_clients_do(self):
        world, settings = self.world("calm")
        visitors = storm.storm(world, *settings)
        assert not any(v.refused for v in visitors)

    def test_whatever_clients_do_while_it_goes_away_and_comes_back(self):
        world, settings = self.world("outages")

        def goes_away(srv):
            for _ in range(OUTAGES):
                time.sleep(APART_S)
                world.away += 1
                os.kill(self.mongod, signal.SIGSTOP)
                # A list is always read. The others may all be listening.
                wait_for(lambda: srv.get("/v1/shop?limit=1").status == 503,
                         "somebody is refused")
                os.kill(self.mongod, signal.SIGCONT)
                wait_for(lambda: srv.metric("shopview_store_up") == 1,
                         "the store is back")
                time.sleep(APART_S)
                world.away += 1

        storm.storm(world, *settings, beside=goes_away)


def main():
    tests = Storm()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.stop()


if __name__ == "__main__":
    sys.exit(main())
