#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real projector on numbered events: repeats, gaps, types nobody lists.

    BUILD=build/release test_sequence.py [--seed N] [NAME]...

Expectations come from tests/support/reference.py, as in test_pipeline.py.
"""

import json
import random
import subprocess
import sys
import time

import test_pipeline as pipeline
from test_pipeline import SUPPORT, archive_files, expect, fold_lines
from test_pipeline import whole_lines

KEYED = ("coupon", "delivery", "order", "review_summary", "shop",
         "shop_products")  # fmt: skip


def numbered(place, events, hostile=0):
    """As Place.generate(), with sequences: some repeated, some left out, some
    on types that no table lists."""
    subprocess.run(
        [sys.executable, SUPPORT / "generate_events.py", "--seed",
         str(place.seed), "--events", str(events), "--out", place.staged,
         "--partitions", "3", "--hostile-permille", str(hostile),
         "--sequence"],
        check=True,
    )  # fmt: skip
    draw = random.Random(place.seed)
    for file in archive_files(place.staged):
        lines = []
        for line in file.read_bytes().splitlines(keepends=True):
            if draw.random() < 0.012:
                continue
            record = json.loads(line)
            value = record.get("value")
            if draw.random() < 0.05 and isinstance(value, dict):
                value["eventType"] = "NobodyListsThis"
                line = json.dumps(record).encode() + b"\n"
            lines.append(line)
        file.write_bytes(b"".join(lines))
        target = place.events / file.relative_to(place.staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def check_parked(place):
    lines = whole_lines(place.events)
    parked = {r["projection"]: r["parked"] for r in place.rows("status")}
    for name, number in parked.items():
        _, faults = fold_lines(name, lines)
        gaps = sum(row.cause == "sequence gap" for row in faults)
        expect(number == len(faults), name, "parked", number, "reference",
               len(faults), "of them gaps", gaps)  # fmt: skip
        expect(bool(gaps) == (name in KEYED), name, "has", gaps, "gaps")


def once(place):
    numbered(place, 6000)
    place.append()
    done = place.run("run", "--until-end")
    expect('cause="sequence gap"' in done.stderr, done.stderr)
    place.check()
    check_parked(place)
    # Once more: nothing to do, nothing changes.
    place.run("run", "--until-end")
    place.check()
    check_parked(place)


def restarted(place):
    numbered(place, 6000, hostile=5)
    killed = 0
    for _ in range(8):
        process = place.start("run", "-s", "projector.batch_documents=20")
        place.append(0.11)
        time.sleep(place.random.uniform(0.03, 0.3))
        killed += process.poll() is None
        process.kill()
        process.wait()
    expect(killed >= 5, "only", killed, "were running when they were killed")
    process = place.start("run")
    place.append(0.05)
    place.wait_for_end()
    place.stop(process)
    place.append()
    place.run("run", "--until-end")
    place.check()
    check_parked(place)


def buckets_are_not_keyed_by_record(place):
    numbered(place, 3000)
    place.append()
    # An option names the projection, and the others are not run then.
    option = ("-s", "projection.shop_products.buckets=3")
    place.run("run", "--until-end", *option)
    for row in place.rows("status", *option):
        expect(row["position"] == row["end"] and row["parked"] == 0, row)
    ids = [json.loads(line)["id"] for line in
           place.run("dump", "shop_products", *option).stdout.splitlines()]
    expect(ids and all(":" in text for text in ids), ids)


def main():
    return pipeline.main([once, restarted, buckets_are_not_keyed_by_record])


if __name__ == "__main__":
    sys.exit(main())
