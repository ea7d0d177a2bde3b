#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the documents of one view, computed straight from archive lines.

    reference.py VIEW [--deleted | --parked] [FILE | DIR]...
    reference.py all --out OUT [--deleted] [FILE | DIR]...

Reads standard input when nothing is named. A DIR is an archive
(TOPIC/PARTITION.ndjson); .gz files are read too. Records are applied in the
order given; what is parked and what queues behind it: reference_parking.py.

Documents come as NDJSON sorted by id, as `projector fold` prints them, and
parked records are listed on standard error. With --parked those alone are
printed, ascending by topic, partition and offset, one object per line:
`{"projection","topic","partition","offset","cause","unit_type","unit",
"detail"}`; a unit that is no UTF-8 is null there and in `unit_base64`. `detail`
is for people. `all` makes OUT/VIEW.ndjson and OUT/VIEW.parked.ndjson of every
view.
"""

import argparse
import gzip
import json
import pathlib
import sys

from reference_input import BadArchive, read_record
from reference_parking import Parking
from reference_views import VIEWS


def whole_numbers(value):
    """Served numbers carry no `.0`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return value


def to_json(value):
    return json.dumps(
        whole_numbers(value), ensure_ascii=False, separators=(",", ":")
    )


def fold_records(name, records):
    """The view and its parked rows (reference_parking.Row), ascending."""
    parking = Parking(VIEWS[name]())
    for record in records:
        parking.take(record)
    return parking.view, sorted(parking.rows)


def read_records(lines):
    return [read_record(line) for line in lines if line.strip()]


def fold_lines(name, lines):
    """The same from archive lines (bytes)."""
    return fold_records(name, read_records(lines))


def archive_files(path):
    path = pathlib.Path(path)
    if not path.is_dir():
        return [path]
    return sorted([*path.glob("*/*.ndjson"), *path.glob("*/*.ndjson.gz")])


def read_lines(paths):
    if not paths:
        yield from sys.stdin.buffer
    for path in paths:
        for file in archive_files(path):
            opener = gzip.open if file.suffix == ".gz" else open
            with opener(file, "rb") as lines:
                yield from lines


def print_to(out, rows):
    for row in rows:
        out.write(to_json(row).encode("utf-8") + b"\n")


def write_all(directory, records, deleted):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name in VIEWS:
        view, parked = fold_records(name, records)
        with open(directory / f"{name}.ndjson", "wb") as out:
            print_to(out, view.output(deleted))
        with open(directory / f"{name}.parked.ndjson", "wb") as out:
            print_to(out, [row.members(name) for row in parked])


def print_one(name, records, deleted, only_parked):
    view, parked = fold_records(name, records)
    if only_parked:
        print_to(sys.stdout.buffer, [row.members(name) for row in parked])
        return
    for row in parked:
        told = f"parked {row.place}: {row.cause}: {row.detail}"
        print(told.encode("unicode_escape").decode("ascii"), file=sys.stderr)
    print_to(sys.stdout.buffer, view.output(deleted))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("view", choices=[*sorted(VIEWS), "all"])
    parser.add_argument("--deleted", action="store_true")
    parser.add_argument("--parked", action="store_true")
    parser.add_argument("--out")
    parser.add_argument("path", nargs="*")
    args = parser.parse_intermixed_args()
    if (args.view == "all") != (args.out is not None):
        parser.error("all and --out belong together")
    try:
        records = read_records(read_lines(args.path))
    except (BadArchive, OSError) as fault:
        sys.exit(f"reference: {fault}")
    if args.out:
        write_all(args.out, records, args.deleted)
    else:
        print_one(args.view, records, args.deleted, args.parked)


if __name__ == "__main__":
    main()
