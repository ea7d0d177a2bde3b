#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast the orders topic is replayed from real Kafka into real MongoDB.

    BUILD=build/release python3 tests/bench/replay_orders.py [ROUNDS [TIMES]]

Publishes the order topic of the retail data (or of the sample) TIMES times,
each time with order ids of its own, then lets
`projector run --until-end` project it with the two views that read it (order,
sales) into a fresh database, ROUNDS times. In the same rounds, taking turns,
a control: `projector export` of the same topic to files, which is the same
client reading the same records without decoding, folding or a store.
Whole-process wall times, start and group join included, and the projector's
own time from its first record to all being durable.
"""
import datetime
import json
import pathlib
import re
import shutil
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "support"))
from archive_writer import ArchiveWriter  # noqa: E402
from harness import ROOT, Program, Stack, data_sets  # noqa: E402

WORK = ROOT / "build" / "bench"


def logged_at(line):
    stamp = re.search(r"ts=(\S+)Z", line).group(1)
    return datetime.datetime.fromisoformat(stamp).timestamp()


def project(stack, prefix, number):
    name = f"bench{number}"
    program = Program("projector", ["run", "--until-end"], {
        "source.type": "kafka", "source.brokers": stack.brokers,
        "source.topic_prefix": prefix, "source.group": name,
        "store.type": "mongodb", "store.uri": stack.uri,
        "store.database": name, "projector.admin_listen": ""},
        stack.dir / f"{name}.log", config=stack.dir / "bench.conf")
    program.config.write_text('projection "order" { }\n'
                              'projection "sales" { }\n')
    begun = time.monotonic()
    status = program.start().wait(120)
    took = time.monotonic() - begun
    if status != 0:
        sys.exit(program.text())
    lines = program.text().splitlines()
    reading = next(x for x in lines if "event=reading" in x)
    done = next(x for x in lines if "event=run.done" in x)
    events = int(re.search(r"events=(\d+)", done).group(1))
    return events, took, logged_at(done) - logged_at(reading)


def export(stack, prefix, number):
    target = stack.dir / f"export{number}"
    program = Program("projector", ["export", "order", "--to", target], {
        "source.type": "kafka", "source.brokers": stack.brokers,
        "source.topic_prefix": prefix}, stack.dir / "export.log")
    begun = time.monotonic()
    if program.start().wait(120) != 0:
        sys.exit(program.text())
    took = time.monotonic() - begun
    shutil.rmtree(target)
    return took


def copies(archive, times, into):
    """The order topic again and again, in time's order."""
    records = []
    for path in sorted((archive / "order").glob("*.ndjson")):
        records += [json.loads(line) for line in path.open(encoding="utf-8")]
    records.sort(key=lambda r: r["timestamp"])
    writer = ArchiveWriter(into, 4)
    for number in range(times):
        for r in records:
            key = f"{r['key']}-{number}"
            data = {**r["value"]["data"], "orderId": key}
            writer.append("order", key, {**r["value"], "data": data},
                          r["timestamp"])
    return into


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    stack = Stack(WORK / "stack")
    try:
        stack.start()
        sets = [d for d in data_sets(stack.dir / "data")
                if "order" in d.expected]
        data = sets[0]
        stack.create_topics("bench.")
        stack.publish(copies(data.archive, times, stack.dir / "orders"),
                      "bench.")
        whole, inner, control = [], [], []
        for number in range(rounds):
            events, took, own = project(stack, "bench.", number)
            whole.append(took)
            inner.append(own)
            control.append(export(stack, "bench.", number))
        print(f"{data.name}: {events} order events, {rounds} rounds")
        for name, times in (("start to end", whole),
                            ("first record to durable", inner),
                            ("control: export", control)):
            middle = statistics.median(times)
            print(f"  {name:<24} min {min(times):.3f} median {middle:.3f} "
                  f"max {max(times):.3f} s, {events / middle:.0f} events/s")
        ratios = [a / b for a, b in zip(whole, control)]
        print(f"  start to end / control   min {min(ratios):.2f} median "
              f"{statistics.median(ratios):.2f} max {max(ratios):.2f}")
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
