#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on real Kafka and real MongoDB (and Kafka with LMDB).

Real data is published to Kafka (4 partitions, murmur2), projected by two
processes of one group, read back over HTTP and compared with documents that
were computed independently; one projector is killed midway.

Run one test: test_real_servers.py NAME_PART. Logs are kept in
build/integration.
"""
import itertools
import json
import signal
import subprocess
import sys
import time
import urllib.parse

from harness import (BUILD, ROOT, TOPICS, Api, Program, Stack, Tests, applied,
                     caught_up, data_sets, differences, sh, status_rows, wait_until)

WORK = ROOT / "build" / "integration"
SETTLE_S = 180


def stopped(process, condition):
    """Stops it for as long as it takes to ask; it stays so when it is true."""
    process.send_signal(signal.SIGSTOP)
    if condition():
        return True
    process.send_signal(signal.SIGCONT)
    return False


class RealServers(Tests):
    def __init__(self):
        self.stack = Stack(WORK / "stack")
        self.logs = itertools.count()
        self.sets = []

    def start(self):
        self.stack.start()
        self.sets = data_sets(WORK / "stack" / "data")
        for data in self.sets:
            self.stack.create_topics(self.prefix(data))
            print(self.stack.publish(data.archive, self.prefix(data)).strip())

    @staticmethod
    def prefix(data):
        return data.name + "."

    def log(self, name):
        return WORK / "stack" / f"{name}-{next(self.logs)}.log"

    def store(self, kind, name):
        if kind == "mongodb":
            return {"store.type": "mongodb", "store.uri": self.stack.uri,
                    "store.database": name}
        return {"store.type": "lmdb",
                "store.path": WORK / "stack" / f"lmdb-{name}"}

    def settings(self, data, kind, name):
        return {"source.type": "kafka", "source.brokers": self.stack.brokers,
                "source.topic_prefix": self.prefix(data),
                "source.group": name, "projector.admin_listen": "",
                # A killed member's partitions are handed on after this.
                "source.rdkafka": "session.timeout.ms=6000",
                **self.store(kind, name)}

    def projector(self, settings, *args, **more):
        return Program("projector", ["run", *args],
                       {**settings, **more}, self.log("projector"))

    def compare(self, settings, data):
        """Every expected document, over HTTP."""
        store = {k: v for k, v in settings.items() if k.startswith("store.")}
        api = Api(store, self.log("queryapi")).start()
        try:
            for view, documents in data.expected.items():
                wait_until(f"{view} is served", lambda v=view: api.get(
                    f"/v1/{v}/x")[0] in (404, 410))
                got = api.documents(view, [d["id"] for d in documents])
                wrong = differences(documents, got)
                if wrong:
                    raise AssertionError(f"{view}: " + "\n".join(wrong))
        finally:
            status = api.stop()
        if status != 0:
            raise AssertionError(f"queryapi ended with {status}")

    # ---- the tests, in order ------------------------------------------

    def test_1_fold_needs_no_server(self):
        for data in self.sets:
            lines = b"".join(p.read_bytes() for p in data.lines())
            for view, documents in data.expected.items():
                got = subprocess.run(
                    [BUILD / "projector/projector", "fold", view],
                    input=lines, capture_output=True, timeout=120, check=True)
                folded = [json.loads(line)
                          for line in got.stdout.splitlines()]
                wrong = differences(documents, folded)
                if wrong:
                    raise AssertionError(f"fold {view}: " + "\n".join(wrong))

    def two_processes_one_killed(self, kind):
        """Events flow in while both read; one dies with work in its hands."""
        for data in self.sets:
            prefix = f"{data.name}.{kind}."
            self.stack.create_topics(prefix)
            settings = self.settings(data, kind, f"{data.name}-{kind}")
            settings["source.topic_prefix"] = prefix
            pair = [self.projector(settings).start() for _ in range(2)]
            wait_until("both read", lambda: all(
                "event=reading" in p.text() for p in pair), SETTLE_S)
            total = sum(len(p.read_bytes().splitlines())
                        for p in data.lines())
            publisher = self.stack.publish_slowly(
                data.archive, prefix, max(100, total // 6))
            views = len({r["projection"] for r in status_rows(settings)})
            # It stands still while looked at: it cannot run off.
            wait_until("a part is applied", lambda: stopped(
                publisher, lambda: applied(settings) > total // 10),
                SETTLE_S, 0.05)
            if publisher.poll() is not None:
                raise AssertionError("all was published before the kill")
            publisher.send_signal(signal.SIGCONT)
            pair[0].kill()
            pair[0].start()
            if publisher.wait(SETTLE_S) != 0:
                raise AssertionError("publish failed")
            wait_until(f"{data.name} is projected", lambda:
                       caught_up(settings), SETTLE_S, 0.5)
            self.compare(settings, data)
            for p in pair:
                if p.stop() != 0:
                    raise AssertionError(f"projector did not end well:\n"
                                         f"{p.text()[-1500:]}")
            print(f"{data.name} into {kind}: {total} events, {views} views, "
                  f"killed midway")

    def test_2_two_processes_into_mongodb_one_killed(self):
        self.two_processes_one_killed("mongodb")

    def test_3_two_processes_into_lmdb_one_killed(self):
        self.two_processes_one_killed("lmdb")

    def test_4_rebuild_is_followed_by_runner_and_reader(self):
        data = self.sets[0]
        view = "sales" if "sales" in data.expected else \
            next(iter(data.expected))
        settings = self.settings(data, "mongodb", "rebuild")
        runner = self.projector(settings).start()
        wait_until("projected", lambda: caught_up(settings), SETTLE_S, 0.5)
        store = {k: v for k, v in settings.items() if k.startswith("store.")}
        api = Api(store, self.log("queryapi")).start()
        key = data.expected[view][0]["id"]
        path = f"/v1/{view}?ids=" + urllib.parse.quote(
            key, safe="")

        def revision():
            status, _, body = api.get(path)
            return status == 200 and body["items"][0].get("found")

        wait_until("served", revision)
        sh(*Program("projector", ["rebuild", view], settings,
                    self.log("rebuild")).argv())
        wait_until("the runner follows", lambda: "event=generation.follows"
                   in runner.text(), 30)
        one = f"/v1/{view}/" + urllib.parse.quote(
            key, safe="")
        wait_until("readers get generation 2", lambda: api.get(one)[1].get(
            "ETag", "").startswith('"2.'), 30)
        got = api.documents(view, [d["id"] for d in data.expected[view]])
        wrong = differences(data.expected[view], got)
        api.stop()
        if runner.stop() != 0:
            raise AssertionError("the runner did not end well")
        if wrong:
            raise AssertionError("\n".join(wrong))

    def test_5_servers_away_are_waited_for(self):
        data = self.sets[0]
        settings = self.settings(data, "mongodb", "away")
        self.stack.mongo("stop")
        self.stack.kafka("stop")
        runner = self.projector(settings).start()
        wait_until("it says what it waits for", lambda: "away" in
                   runner.text() or "waiting" in runner.text(), 60)
        if not runner.alive():
            raise AssertionError("it ended instead of waiting:\n" +
                                 runner.text()[-1500:])
        self.stack.mongo("start")
        self.stack.kafka("start")
        wait_until("it reads", lambda: "event=reading" in runner.text(),
                   SETTLE_S)
        # Away again, in the middle of the work.
        self.stack.mongo("stop")
        self.stack.mongo("start")
        wait_until("projected", lambda: caught_up(settings), SETTLE_S, 0.5)
        self.compare(settings, data)
        if runner.stop() != 0:
            raise AssertionError("the runner did not end well")

    def test_6_parked_records_do_not_stop_the_stream(self):
        archive = WORK / "stack" / "hostile"
        sh(sys.executable, ROOT / "tests/support/generate_events.py",
           "--seed", 6, "--events", 3000, "--out", archive,
           "--partitions", 4, "--hostile-permille", 20)
        self.stack.create_topics("hostile.")
        self.stack.publish(archive, "hostile.", "--partitions", "archive")
        data = type("Hostile", (), {"name": "hostile"})
        settings = self.settings(data, "mongodb", "hostile")
        runner = self.projector(settings, "--until-end").start()
        if runner.wait(SETTLE_S) != 0:
            raise AssertionError(runner.text()[-1500:])
        rows = status_rows(settings)
        parked = {r["projection"]: r["parked"] for r in rows}
        if not any(parked.values()):
            raise AssertionError(f"nothing was parked: {parked}")
        for view in ("shop", "stock", "coupon", "delivery"):
            lines = b"".join(p.read_bytes()
                             for p in sorted(archive.glob("*/*.ndjson")))
            folded = subprocess.run(
                [BUILD / "projector/projector", "fold", view], input=lines,
                capture_output=True, timeout=60, check=True).stdout
            dumped = subprocess.run(
                Program("projector", ["dump", view], settings,
                        self.log("dump")).argv(),
                capture_output=True, timeout=60, check=True).stdout
            if folded != dumped:
                raise AssertionError(f"{view}: fold and dump differ")

    def test_7_aborted_transactions_are_not_seen_and_the_end_is_found(self):
        data = self.sets[0]
        prefix = "aborted."
        self.stack.create_topics(prefix)
        self.stack.publish(data.archive, prefix)
        for topic in TOPICS:
            sh(BUILD / "tests/support/abort_tail", self.stack.brokers,
               prefix + topic, 4, 3)
        settings = self.settings(data, "mongodb", "aborted")
        settings["source.topic_prefix"] = prefix
        runner = self.projector(settings, "--until-end").start()
        if runner.wait(SETTLE_S) != 0:
            raise AssertionError(runner.text()[-1500:])
        rows = status_rows(settings)
        behind = [r for r in rows if r["lag"] or r["parked"]]
        if behind:
            raise AssertionError(f"lag or parked: {behind[:3]}")
        self.compare(settings, data)

    def test_8_replay_speed_is_told(self):
        data = self.sets[-1] if self.sets[-1].name.startswith("retail") \
            else self.sets[0]
        settings = self.settings(data, "mongodb", "speed")
        begun = time.monotonic()
        runner = self.projector(settings, "--until-end").start()
        if runner.wait(SETTLE_S) != 0:
            raise AssertionError(runner.text()[-1500:])
        print(f"{data.name}: all ten views into MongoDB, start to end, "
              f"{time.monotonic() - begun:.2f} s; " +
              runner.text().splitlines()[-1])


def main():
    tests = RealServers()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.stack.stop()


if __name__ == "__main__":
    sys.exit(main())
