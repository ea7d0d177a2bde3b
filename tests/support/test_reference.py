#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the reference projections and of the test data made with them.

    python3 tests/support/test_reference.py [-v] [Class[.test]]

REAL_DATA=DIR also compares whole real archives (DIR/*/archive) with their
expected documents (DIR/*/expected/VIEW.ndjson[.gz]).
"""

import gzip
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import reference  # noqa: E402
from archive_writer import murmur2, partition_of  # noqa: E402
from reference_input import ALIASES, TOPICS, Parked  # noqa: E402
from reference_input import read_record, read_time, strict_json  # noqa: E402
from reference_base import composite  # noqa: E402
from reference_views import VIEWS, ReviewSummary  # noqa: E402

TESTS = HERE.parent
GOLDEN = sorted(TESTS.glob("golden/*/*/"))
SAMPLE = TESTS / "sample"


def fold(name, lines):
    view, parked = reference.fold_lines(name, lines)
    documents = [reference.to_json(doc) for doc in view.output(deleted=True)]
    return documents, sorted(place for place, _ in parked)


def interleaved(lines, rng):
    """The lines in another order that keeps each partition's own."""
    sources = {}
    for line in lines:
        record = read_record(line)
        sources.setdefault((record.topic, record.partition), []).append(line)
    queues = [iter(source) for source in sources.values()]
    order = [queue for queue, s in zip(queues, sources.values()) for _ in s]
    rng.shuffle(order)
    return [next(queue) for queue in order]


def run(script, *args):
    command = [sys.executable, str(script), *map(str, args)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


class Golden(unittest.TestCase):
    def test_every_view_has_its_cases(self):
        wanted = {"ordinary", "out-of-order", "hostile-ids", "input-errors"}
        for name in VIEWS:
            cases = {p.name for p in GOLDEN if p.parent.name == name}
            self.assertLessEqual(wanted, cases, name)
            self.assertGreaterEqual(len(cases), 6, name)

    def test_documents_and_parked_records_are_the_expected_ones(self):
        for case in GOLDEN:
            with self.subTest(case=f"{case.parent.name}/{case.name}"):
                self.check(case)

    def check(self, case):
        lines = (case / "events.ndjson").read_bytes().splitlines(keepends=True)
        expected = json.loads((case / "expected.json").read_bytes())
        listed = case / "parked.json"
        parked = json.loads(listed.read_bytes()) if listed.exists() else []
        wanted = [reference.to_json(document) for document in expected]
        rng = random.Random(case.name)
        for order in [lines] + [interleaved(lines, rng) for _ in range(4)]:
            self.assertEqual(fold(case.parent.name, order), (wanted, parked))


class Input(unittest.TestCase):
    def test_json_that_is_not_strict_is_refused(self):
        for raw in [
            b"", b"{", b"[1,]", b'{"a":1,}', b"{'a':1}", b"NaN", b"-Infinity",
            b"01", b"1.", b".5", b"+1", b"1 2", b'"\t"', b'"\\x"', b"nul",
            b'\xef\xbb\xbf{}', b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"',
            b'"\\udc00\\ud800"', b'{"\\ud800":1}', b'{"a":1,"\\u0061":2}',
            b"9223372036854775808", b"-9223372036854775809", b"1e400",
            b"[" * 101 + b"]" * 101, b"[" * 5000 + b"]" * 5000,
        ]:  # fmt: skip
            with self.assertRaises(Parked, msg=raw[:40]):
                strict_json(raw)

    def test_json_at_the_limits_is_read(self):
        for raw, value in [
            (b"9223372036854775807", 2**63 - 1),
            (b"-9223372036854775808", -(2**63)),
            (b'"\\ud83c\\udf5c"', "🍜"),
            (b' {"a" : "\\u0000"} ', {"a": "\0"}),
            (b'{"a":{"b":1},"b":{"b":2}}', {"a": {"b": 1}, "b": {"b": 2}}),
        ]:
            self.assertEqual(strict_json(raw), value)
        strict_json(b"[" * 100 + b"]" * 100)

    def test_a_broken_value_does_not_break_its_line(self):
        head = b'{"topic":"stock","partition":1,"offset":7,"timestamp":5,'
        for raw in (b'{"a":1,"a":"}"}', b"[1e999]", b'{"b":"\\ud800,\\"}"}'):
            line = head + b'"key":"value","value":' + raw + b',"headers":{}}\n'
            record = read_record(line)
            self.assertIsInstance(record.value, Parked)
            self.assertEqual(record.place, "stock/1@7")

    def test_times_are_read_in_seoul_unless_they_say_otherwise(self):
        for written, ms in [
            ("1970-01-01 09:00:00", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.9999+00:01", -59001),
            (-1, -1),
            # 1988: clocks went 02:00 -> 03:00 on May 8, 03:00 -> 02:00 on
            # October 9. Skipped: the offset before; repeated: the first.
            ("1988-05-08 01:59:59", 579027599000),
            ("1988-05-08 02:30:00", 579029400000),
            ("1988-05-08 03:00:00", 579027600000),
            ("1988-10-09 02:30:00", 592331400000),
            ("1988-10-09 03:00:00", 592336800000),
        ]:
            self.assertEqual(read_time(written), ms, written)

    def test_other_times_are_refused(self):
        for written in [
            "", "now", "2026-11-02", "2026-11-02T09:00:00", 1.0, True, None,
            "2026-02-29 00:00:00", "2026-11-02 24:00:00", "2026-11-02 9:00:00",
            "2026-11-02  09:00:00", "2026-11-02 09:00:00Z ", [], "20261102",
            "２０２６-11-02 09:00:00", "2026-11-02T09:00:00+24:00",
        ]:  # fmt: skip
            with self.assertRaises(Parked, msg=written):
                read_time(written)

    def test_composite_keys_never_meet(self):
        self.assertEqual(composite("a:b", "50%"), "a%3Ab:50%25")
        pairs = [("a:b", "c"), ("a", "b:c"), ("a%3Ab", "c"), ("a%", "3Ab:c")]
        self.assertEqual(len({composite(*pair) for pair in pairs}), 4)

    def test_averages_are_rounded_half_up_from_the_exact_fraction(self):
        for total, count, average in [
            (0, 0, None), (9, 8, 1.13), (1, 3, 0.33), (2, 3, 0.67), (201, 200, 1.01),
            (999, 200, 5.0), (-1, 8, -0.13), (1, -8, -0.13), (-5, -1, 5), (-1, 400, 0),
        ]:  # fmt: skip
            got = ReviewSummary.average(total, count)
            self.assertEqual(got, average, (total, count))

    def test_murmur2_is_the_one_of_kafka(self):
        for text, signed in [
            ("21", -973932308), ("foobar", -790332482), ("abc", 479470107),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
        ]:  # fmt: skip
            self.assertEqual(murmur2(text.encode()), signed & 0xFFFFFFFF)


class Sample(unittest.TestCase):
    def records(self, directory):
        for path in sorted(pathlib.Path(directory).glob("*/*.ndjson")):
            with open(path, "rb") as lines:
                for offset, line in enumerate(lines):
                    record = read_record(line)
                    at = (path.parent.name, path.stem, offset)
                    place = (record.topic, str(record.partition), record.offset)
                    self.assertEqual(place, at)
                    self.assertTrue(line.endswith(b"\n"))
                    yield record

    def test_what_is_checked_in_is_what_generate_writes(self):
        with tempfile.TemporaryDirectory() as scratch:
            run(SAMPLE / "generate.py", scratch)
            for name in ("events", "expected"):
                new, old = pathlib.Path(scratch) / name, SAMPLE / name
                for root in (new, old):
                    for path in root.rglob("*.ndjson"):
                        rest = path.relative_to(root)
                        same = (new / rest).read_bytes() == (old / rest).read_bytes()
                        self.assertTrue(same, rest)

    def test_sample_has_every_event_type_in_its_partition(self):
        seen = set()
        for record in self.records(SAMPLE / "events"):
            kind = unicodedata.normalize("NFC", record.value["eventType"])
            seen.add((record.topic, ALIASES.get(kind, kind)))
            self.assertEqual(record.partition, partition_of(record.key, 2))
        wanted = {(topic, kind) for topic in TOPICS for kind in TOPICS[topic]}
        self.assertEqual(seen, wanted | {("coupon", "CouponApplied")})

    def test_trickle_goes_on_with_the_archive(self):
        with tempfile.TemporaryDirectory() as scratch:
            copy = pathlib.Path(scratch) / "events"
            shutil.copytree(SAMPLE / "events", copy)
            before = len(list(self.records(copy)))
            for seed in (1, 2):
                run(HERE / "sample_trickle.py", copy, "--count", 150,
                    "--interval-ms", 0, "--seed", seed)  # fmt: skip
            records = list(self.records(copy))
            self.assertEqual(len(records), before + 300)
            for record in records:
                self.assertEqual(record.partition, partition_of(record.key, 2))
            for name in VIEWS:
                lines = reference.read_lines([copy])
                self.assertEqual(fold(name, lines)[1], [], name)


class Generated(unittest.TestCase):
    def test_results_do_not_depend_on_the_interleaving(self):
        for seed, hostile, more in ((1, 0, []), (2, 0, ["--sequences"]), (3, 40, [])):
            with tempfile.TemporaryDirectory() as scratch:
                run(HERE / "generate_events.py", "--seed", seed, "--events", 1500,
                    "--out", scratch, "--hostile-permille", hostile, *more)  # fmt: skip
                lines = list(reference.read_lines([scratch]))
            rng = random.Random(seed)
            orders = [interleaved(lines, rng) for _ in range(2)]
            for name in VIEWS:
                with self.subTest(view=name, seed=seed):
                    documents, parked = fold(name, lines)
                    self.assertGreaterEqual(len(documents), 3)
                    self.assertTrue(hostile or not parked)
                    for order in orders:
                        self.assertEqual(fold(name, order), (documents, parked))

    def test_the_same_seed_gives_the_same_archive(self):
        with tempfile.TemporaryDirectory() as scratch:
            for name in ("a", "b"):
                run(HERE / "generate_events.py", "--seed", 5, "--events", 300,
                    "--out", f"{scratch}/{name}", "--hostile-permille", 99)  # fmt: skip
            one, two = (list(reference.read_lines([f"{scratch}/{n}"])) for n in "ab")
            self.assertEqual(one, two)


@unittest.skipUnless(os.environ.get("REAL_DATA"), "REAL_DATA is not set")
class RealData(unittest.TestCase):
    def test_real_archives_give_the_expected_documents(self):
        found = sorted(pathlib.Path(os.environ["REAL_DATA"]).glob("*/expected/*"))
        self.assertTrue(found)
        for path in found:
            opener = gzip.open if path.suffix == ".gz" else open
            with opener(path, "rb") as file:
                expected = file.read().decode("utf-8").splitlines()
            name = path.name.partition(".")[0]
            lines = list(reference.read_lines([path.parent.parent / "archive"]))
            for order in (lines, interleaved(lines, random.Random(name))):
                self.assertTrue(fold(name, order) == (expected, []), path)


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    wrong = result.failures + result.errors
    # A test that fails in several subtests is one.
    failed = len({getattr(test, "test_case", test).id() for test, _ in wrong})
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(1 if failed else 0)
