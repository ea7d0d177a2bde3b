#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the documents of one view, computed straight from archive lines.

    reference.py VIEW [--deleted] [FILE | DIR]...  (default: standard input)

Documents come as NDJSON sorted by id, as `projector fold` prints them; records
that cannot be applied are listed on standard error. A DIR is an archive
(TOPIC/PARTITION.ndjson); .gz files are read too. Records are applied in the
order given; a parked record is passed over and holds nothing back.
"""

import argparse
import gzip
import json
import pathlib
import sys

from reference_input import BadArchive, Parked, read_event, read_record
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


def fold_lines(name, lines):
    """Folds archive lines (bytes); the view and [(place, cause)] parked."""
    view, parked = VIEWS[name](), []
    for line in lines:
        if not line.strip():
            continue
        record = read_record(line)
        if record.topic not in view.topics:
            continue
        try:
            view.apply(read_event(record, view.topics[record.topic]))
        except Parked as fault:
            parked.append((record.place, str(fault)))
    return view, parked


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("view", choices=sorted(VIEWS))
    parser.add_argument("--deleted", action="store_true")
    parser.add_argument("path", nargs="*")
    args = parser.parse_intermixed_args()
    try:
        view, parked = fold_lines(args.view, read_lines(args.path))
    except (BadArchive, OSError) as fault:
        sys.exit(f"reference: {fault}")
    for place, cause in parked:
        print(f"parked {place}: {cause}", file=sys.stderr)
    out = sys.stdout.buffer
    for document in view.output(args.deleted):
        out.write(to_json(document).encode("utf-8") + b"\n")


if __name__ == "__main__":
    main()
