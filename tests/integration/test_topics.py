#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Topics that must not be read as they are, and the dead-letter topic.

On a real Kafka, with the LMDB store. Run one test: test_topics.py NAME_PART.
Logs are kept in build/integration/topics.
"""
import base64
import itertools
import json
import shutil
import subprocess
import sys

from harness import BUILD, ROOT, SUPPORT, Program, Tests, sh, wait_until

WORK = ROOT / "build" / "integration" / "topics"
STOP = 65


class Topics(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        self.kafka = WORK / "kafka"
        self.numbers = itertools.count()
        self.brokers = ""

    def start(self):
        self.brokers = sh(SUPPORT / "kafka.sh", "start", self.kafka,
                          timeout=400).split()[-1]

    def stop(self):
        subprocess.run([SUPPORT / "kafka.sh", "stop", self.kafka],
                       stdout=subprocess.DEVNULL, timeout=120, check=False)

    def admin(self, *args):
        return sh(BUILD / "tests" / "support" / "kafka_admin", self.brokers,
                  *args)

    def place(self, name, *projections, **more):
        """Settings of a group and store of its own, and its configuration."""
        config = WORK / f"{name}.conf"
        config.write_text("".join(f'projection "{p}" {{ }}\n'
                                  for p in projections))
        settings = {"source.type": "kafka", "source.brokers": self.brokers,
                    "source.topic_prefix": f"{name}.", "source.group": name,
                    "source.rdkafka": "topic.metadata.refresh.interval.ms=500",
                    "projector.admin_listen": "",
                    "store.type": "lmdb", "store.path": WORK / f"{name}-lmdb",
                    **more}
        return config, settings

    def program(self, place, *args, **more):
        config, settings = place
        log = WORK / f"log-{next(self.numbers)}"
        return Program("projector", args,
                       {**settings, **{k.replace("__", "."): v
                                       for k, v in more.items()}},
                       log, config).start()

    def run_to_end(self, place, status, *words, **more):
        """run --until-end; its status, and one line that has all words."""
        program = self.program(place, "run", "--until-end", **more)
        got = program.wait()
        lines = [line for line in program.text().splitlines()
                 if all(word in line for word in words)]
        if got != status or (words and not lines):
            raise AssertionError(f"status {got} instead of {status}, or no "
                                 f"line with {words}:\n{program.text()}")

    def check(self, place, status, *words):
        config, settings = place
        program = Program("projector", ["check"], settings, WORK / "check",
                          config)
        got = subprocess.run(program.argv(), capture_output=True, text=True,
                             timeout=60, check=False)
        if got.returncode != status or \
                any(word not in got.stdout for word in words):
            raise AssertionError(f"status {got.returncode} instead of "
                                 f"{status}, or not {words}:\n{got.stdout}"
                                 f"{got.stderr}")

    # ---- Named stops ------------------------------------------------------

    def test_1_a_compacted_topic_stops_its_projections_alone(self):
        self.admin("create-topic", "compact.stock", 2,
                   "cleanup.policy=compact,delete")
        self.admin("create-topic", "compact.shop", 2)
        place = self.place("compact", "stock", "shop")
        program = self.program(place, "run")
        wait_until("stock stops", lambda: any(
            "event=projection.stopped projection=stock" in line and
            "compacted topic" in line and "cleanup.policy" in line
            for line in program.text().splitlines()))
        wait_until("shop is read", lambda: "event=reading" in program.text())
        if "projection=shop" in program.text() or not program.alive():
            raise AssertionError(program.text())
        if program.stop() != 0:
            raise AssertionError(program.text())
        self.check(place, STOP, "fault   compacted topic", "ok      topic shop")
        self.run_to_end(place, STOP, "event=stop", "compacted topic")

    def test_2_added_partitions_stop_until_they_are_accepted(self):
        self.admin("create-topic", "grown.shop", 2)
        place = self.place("grown", "shop")
        self.run_to_end(place, 0)
        self.check(place, 0, "ok      topic shop: 2 partitions")
        program = self.program(place, "run")
        wait_until("it reads", lambda: "event=reading" in program.text())
        self.admin("add-partitions", "grown.shop", 3)
        if program.wait(60) != STOP:
            raise AssertionError(program.text())
        words = ("partition count changed", "has 3", "had 2")
        if not all(word in program.text() for word in words):
            raise AssertionError(program.text())
        self.run_to_end(place, STOP, "event=stop", *words)
        self.check(place, STOP, *words)
        self.run_to_end(place, STOP, "event=stop", "partitions = 4",
                        **{"topic__shop__partitions": 4})
        self.run_to_end(place, 0, "event=topic.accepted", "partitions=3",
                        "before=2", **{"topic__shop__partitions": 3})
        # Once is enough.
        self.run_to_end(place, 0)
        self.check(place, 0, "ok      topic shop: 3 partitions")

    def test_3_a_weak_topic_is_read_with_a_warning(self):
        self.admin("create-topic", "weak.shop", 1, "retention.ms=3600000",
                   "unclean.leader.election.enable=true")
        place = self.place("weak", "shop")
        self.run_to_end(place, 0, "event=topic.weak", "topic=shop",
                        "retention.ms is 3600000")
        self.run_to_end(place, 0, "event=topic.weak", "topic=shop",
                        "unclean.leader.election.enable")
        self.check(place, 0, "warning topic shop: retention.ms is 3600000",
                   "warning topic shop: unclean.leader.election.enable")

    def publish_skipped(self, name, topic, first, end):
        """Records that nobody reads; positions move over them."""
        archive = WORK / f"{name}-{first}" / topic
        archive.mkdir(parents=True)
        (archive / "0.ndjson").write_text("".join(json.dumps(
            {"topic": topic, "partition": 0, "offset": n - first,
             "timestamp": 1700000000000 + n, "key": f"k-{n}", "headers": {},
             "value": json.dumps({"eventType": "Nothing", "data": {}})}) + "\n"
            for n in range(first, end)))
        sh(BUILD / "tests/support/publish", self.brokers, archive.parent,
           "--prefix", f"{name}.")

    def test_4_removed_records_stop_only_who_had_them_to_read(self):
        self.admin("create-topic", "removed.coupon", 1)
        self.publish_skipped("removed", "coupon", 0, 10)
        alone = self.place("removed", "coupon")
        self.run_to_end(alone, 0)
        both = self.place("removed", "coupon", "member_coupons")
        self.run_to_end(both, 0)
        alone = self.place("removed", "coupon")
        self.publish_skipped("removed", "coupon", 10, 15)
        self.run_to_end(alone, 0)
        self.publish_skipped("removed", "coupon", 15, 20)
        self.admin("delete-records", "removed.coupon", 0, 12)
        both = self.place("removed", "coupon", "member_coupons")
        self.run_to_end(both, STOP, "event=projection.stopped",
                        "projection=member_coupons", "outside the log")
        # The other one has come to the end: its last record is there.
        self.admin("delete-records", "removed.coupon", 0, 19)
        alone = self.place("removed", "coupon")
        self.run_to_end(alone, 0)

    # ---- Dead letters -----------------------------------------------------

    def test_5_a_parked_record_is_copied_once_it_is_kept(self):
        archive = WORK / "broken" / "shop"
        archive.mkdir(parents=True)
        broken = base64.b64encode(b"{broken").decode()
        (archive / "0.ndjson").write_text(json.dumps(
            {"topic": "shop", "partition": 0, "offset": 0,
             "timestamp": 1700000000000, "key": "s-1",
             "headers": {"trace": "t-1"}, "valueBase64": broken}) + "\n")
        self.admin("create-topic", "dead.shop", 1)
        self.admin("create-topic", "dead.letters", 1)
        sh(BUILD / "tests/support/publish", self.brokers, archive.parent,
           "--prefix", "dead.")
        place = self.place("dead", "shop", **{"dead_letter.topic": "letters"})
        self.check(place, 0, "ok      dead-letter topic letters")
        self.run_to_end(place, 0, "event=deadletter.done", "delivered=1",
                        "failed=0")
        config, settings = place
        sh(*Program("projector", ["export", "letters", "--to", WORK / "out"],
                    settings, WORK / "export", config).argv())
        lines = (WORK / "out" / "letters" / "0.ndjson").read_text().splitlines()
        if len(lines) != 1:
            raise AssertionError(lines)
        got = json.loads(lines[0])
        # Numbers of Spring's are no text, so all headers come as bytes.
        headers = {base64.b64decode(name).decode(): base64.b64decode(value)
                   for name, value in got["headersBase64"]}
        expected = {"trace": "t-1", "kafka_dlt-original-topic": "dead.shop",
                    "kafka_dlt-exception-fqcn": "shopview.parked.json",
                    "kafka_dlt-original-offset": "\0" * 8,
                    "__connect.errors.topic": "dead.shop",
                    "__connect.errors.offset": "0",
                    "__connect.errors.connector.name": "shop.1"}
        if got["key"] != "s-1" or got["valueBase64"] != broken or \
                {(name, value.encode()) for name, value in expected.items()} \
                - headers.items():
            raise AssertionError(headers)
        self.check(self.place("dead", "shop", **{"dead_letter.topic": "shop"}),
                   78, "fault   dead_letter.topic: shop is a topic")

    # ---- Exports ----------------------------------------------------------

    def test_6_an_export_that_had_to_wait_ends_well(self):
        place = self.place("late", "shop")
        program = self.program(place, "export", "shop", "--to", WORK / "late")
        wait_until("it waits", lambda: "waiting: " in program.text())
        self.admin("create-topic", "late.shop", 2)
        if program.wait() != 0:
            raise AssertionError(program.text())
        files = sorted(f.name for f in (WORK / "late" / "shop").iterdir())
        if files != ["0.ndjson", "1.ndjson"]:
            raise AssertionError(files)


def main():
    tests = Topics()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.stop()


if __name__ == "__main__":
    sys.exit(main())
