#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`projector export` of an archive: the log as it was when the export began.

    BUILD=build/release test_export.py [NAME]...
"""
import json
import os
import signal
import sys

from test_pipeline import expect, main

TOPIC = "stock"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def file_of(directory, partition):
    return directory / TOPIC / f"{partition}.ndjson"


def write(place, partition, n):
    """A whole file of n records, there at once; the records."""
    lines = [{"topic": TOPIC, "partition": partition, "offset": offset,
              "timestamp": 1700000000000 + offset, "key": f"k{offset}",
              "headers": {}, "value": {"text": "x" * 400}}
             for offset in range(n)]  # fmt: skip
    file = file_of(place.events, partition)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = place.directory / "aside"
    aside.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.rename(aside, file)
    return lines


def read(directory, partition):
    return [json.loads(line) for line in
            file_of(directory, partition).read_text().splitlines()]


def export(place, to):
    return place.start("export", TOPIC, "--to", to)


def expect_done(process):
    status = process.wait(timeout=60)
    expect(status == 0, "status", status, process.log.read_text())


@test
def what_is_exported_is_what_was_there(place):
    want = [write(place, partition, 50) for partition in range(2)]
    to = place.directory / "out"
    expect_done(export(place, to))
    expect([read(to, 0), read(to, 1)] == want, "other records")
    before = file_of(to, 0).read_bytes()
    expect(export(place, to).wait(timeout=60) == 1, "it wrote over a file")
    expect(file_of(to, 0).read_bytes() == before, "it wrote over a file")


def begin_and_hold(place, to):
    """An export that is stopped in the middle, or None: it was too quick."""
    process = export(place, to)
    out = file_of(to, 0)
    place.wait_for(out.exists, "the export to begin")
    process.send_signal(signal.SIGSTOP)
    if out.stat().st_size < file_of(place.events, 0).stat().st_size // 2:
        return process
    process.send_signal(signal.SIGCONT)
    expect_done(process)
    return None


@test
def a_partition_that_is_added_meanwhile_is_no_part_of_it(place):
    process, n = None, 50000
    while not process:
        n *= 2
        want = write(place, 0, n)
        to = place.directory / f"out-{n}"
        process = begin_and_hold(place, to)
    write(place, 1, 10)
    process.send_signal(signal.SIGCONT)
    expect_done(process)
    expect(read(to, 0) == want, "not the whole partition, each record once")
    expect(not file_of(to, 1).exists(), "what was added is there")


if __name__ == "__main__":
    sys.exit(main(TESTS))
