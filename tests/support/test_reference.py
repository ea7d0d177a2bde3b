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
from archive_writer import archive_line, murmur2, partition_of  # noqa: E402
from reference_input import ALIASES, TOPICS, Parked  # noqa: E402
from reference_input import read_record, read_time, strict_json  # noqa: E402
from reference_base import composite  # noqa: E402
from reference_parking import Behind  # noqa: E402
from reference_views import VIEWS, ReviewSummary  # noqa: E402

TESTS = HERE.parent
GOLDEN = sorted(TESTS.glob("golden/*/*/"))
SAMPLE = TESTS / "sample"


def fold(name, lines):
    """Documents and parked records as a golden case has them."""
    view, parked = reference.fold_lines(name, lines)
    documents = [reference.to_json(doc) for doc in view.output(deleted=True)]
    behind = {row.place for row in parked if row.cause == Behind.cause}
    places = {row.place for row in parked}
    return documents, sorted([*places - behind, *(f"{p} behind" for p in behind)])


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


class Parking(unittest.TestCase):
    """reference_parking.py, rule by rule; the golden cases have the rest."""

    def setUp(self):
        self.lines, self.offsets = [], {}

    def send(self, topic, key, value, partition=0):
        offset = self.offsets.get((topic, partition), 0)
        self.offsets[topic, partition] = offset + 1
        at = (topic, partition, offset, 1793577600000)
        self.lines.append(archive_line(*at, key, value))

    def sold_out(self, key, shop="s", product="p", **more):
        data = {"shopId": shop, "productId": product}
        self.send("stock", key, {"eventType": "SoldOut", "data": data, **more})

    def rows(self, view):
        """[(offset, cause, unit type, unit)]"""
        _, rows = reference.fold_lines(view, self.lines)
        return [(r.offset, r.cause, r.unit_type, r.unit) for r in rows]

    def test_the_unit_is_the_document_the_record_key_or_the_record(self):
        self.send("stock", "s", b"{")
        self.sold_out("t", product=7)
        self.sold_out("u", shop=7)
        self.sold_out(None, shop=7)
        self.send("stock", None, b"{")
        for view, units in [
            # Both ids make the key, neither is the record key.
            ("stock", [("key", "s"), ("key", "t"), ("key", "u")]),
            # The shop is enough, and is the record key.
            ("shop_products", [("document", "s"), ("document", "s"),
                               ("document", "u")]),
        ]:  # fmt: skip
            found = self.rows(view)
            self.assertEqual([row[2:] for row in found[:3]], units)
            self.assertEqual([row[2:] for row in found[3:]], [("record", "")] * 2)

    def test_what_is_known_of_a_broken_event_is_enough_for_its_document(self):
        self.sold_out("s", occurrenceDateTime="soon")
        self.sold_out("t", product="q", sequence=0)
        units = [("document", "s:p"), ("document", "s:q")]
        self.assertEqual([row[2:] for row in self.rows("stock")], units)

    def test_a_day_that_cannot_be_told_makes_the_document_unknown(self):
        data = {"orderId": "o", "shopId": "s", "totalAmount": 1, "lines": []}
        event = {"eventType": "OrderCreated", "data": data}
        self.send("order", "o", {**event, "occurrenceDateTime": "soon"})
        self.send("order", "o", event)
        row = (0, "invalid field", "key", "o")
        self.assertEqual(self.rows("sales"), [row, (1, Behind.cause, *row[2:])])

    def test_a_record_key_that_waits_goes_before_the_document(self):
        self.sold_out("s", occurrenceDateTime="soon")
        self.send("stock", "s", b"{")
        self.sold_out("s")
        self.sold_out("t")
        self.assertEqual([row[1:] for row in self.rows("stock")], [
            ("invalid field", "document", "s:p"),
            ("undecodable", "key", "s"),
            (Behind.cause, "key", "s"),
            (Behind.cause, "document", "s:p"),
        ])  # fmt: skip

    def test_what_is_broken_itself_queues_like_the_others(self):
        for value in (b"{", b"[]", {"eventType": "SoldOut"}):
            self.send("stock", "s", value)
        causes = ["undecodable", Behind.cause, Behind.cause]
        for view in ("stock", "shop_products"):
            self.assertEqual([row[1] for row in self.rows(view)], causes)

    def test_other_partitions_flow(self):
        self.send("stock", "s", b"{")
        offset = self.offsets.pop(("stock", 0))
        self.sold_out("s")
        self.lines[1] = self.lines[1].replace(b'"partition":0', b'"partition":1')
        self.assertEqual((offset, len(self.rows("stock"))), (1, 1))

    def test_types_that_are_not_listed_never_wait(self):
        self.send("stock", "s", b"{")
        for value in [
            {"eventType": "Unheard"},
            {"eventType": "Unheard", "data": {}, "sequence": "1"},
            {"eventType": "Unheard", "data": {}, "occurrenceDateTime": "soon"},
        ]:
            self.send("stock", "s", value)
        for view in ("stock", "shop_products"):
            self.assertEqual(len(self.rows(view)), 1)
        # But its number counts where the document is the record key's.
        self.send("stock", "s", {"eventType": "Unheard", "sequence": 1})
        self.assertEqual(len(self.rows("stock")), 1)
        queued = (4, Behind.cause, "document", "s")
        self.assertEqual(self.rows("shop_products")[1:], [queued])

    def test_tombstones_wait_where_they_clear_something(self):
        self.send("stock", "s", b"{")
        self.send("stock", "s", None)
        self.assertEqual(len(self.rows("stock")), 1)
        self.assertEqual(len(self.rows("shop_products")), 2)

    def test_a_key_that_no_document_can_have_names_none(self):
        for number, key in enumerate([b"\xff", "a\0b", "k" * 481]):
            self.send("stock", key, b"{")
            self.send("stock", key, None)
            self.send("stock", key, {"eventType": "Unheard", "sequence": 1})
            self.sold_out(key)
            text = key.decode("utf-8", "surrogateescape") if number == 0 else key
            unit = ("key", text)
            self.assertEqual(self.rows("shop_products")[2 * number :], [
                (4 * number, "undecodable", *unit),
                (4 * number + 3, Behind.cause, *unit),
            ])  # fmt: skip
        self.send("stock", "k" * 480, b"{")
        self.assertEqual(self.rows("shop_products")[-1][2], "document")

    def test_an_empty_key_is_none(self):
        for key in ("", '""', None):
            self.send("stock", key, b"{")
            self.sold_out(key)
        self.assertEqual({row[2] for row in self.rows("stock")}, {"record"})
        self.assertEqual(len(self.rows("shop_products")), 3)

    def test_a_key_is_one_key_raw_or_as_a_json_string(self):
        self.send("stock", '"s"', b"{")
        self.sold_out("s")
        self.sold_out('"s"')
        self.sold_out('"s')
        self.assertEqual([row[2:] for row in self.rows("stock")], [("key", "s")] * 3)

    def test_a_document_with_too_long_a_key_holds_no_queue(self):
        long = "%" * 160
        self.sold_out("s", shop=long)
        self.sold_out("s", shop=long)
        self.sold_out("s")
        row = ("long document key", "record", "")
        self.assertEqual([found[1:] for found in self.rows("stock")], [row] * 2)

    def test_a_number_is_checked_where_the_record_key_is_the_documents(self):
        self.sold_out("t", sequence=7)
        self.sold_out(None, sequence=7)
        self.assertEqual(self.rows("shop_products"), [])
        self.sold_out("s", sequence=2)
        self.sold_out("s", sequence=1)
        self.assertEqual([row[1] for row in self.rows("shop_products")],
                         ["sequence gap", Behind.cause])  # fmt: skip
        self.assertEqual(self.rows("stock"), [])

    def test_units_that_are_no_text_are_printed_in_base64(self):
        self.send("stock", b"\xff", b"{")
        self.send("stock", "s", b"{")
        _, rows = reference.fold_lines("stock", self.lines)
        first, second = (row.members("stock") for row in rows)
        self.assertEqual((first["unit"], first["unit_base64"]), (None, "/w=="))
        self.assertEqual((second["unit"], second.get("unit_base64")), ("s", None))

    def test_the_program_prints_rows_and_writes_all_views(self):
        self.send("stock", "s", b"{")
        self.sold_out("s")
        self.sold_out("t")
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch)
            (path / "lines").write_bytes(b"".join(self.lines))
            run(HERE / "reference.py", "all", "--out", path / "out", path / "lines")
            self.assertEqual(len(list((path / "out").iterdir())), 2 * len(VIEWS))
            parked = run(HERE / "reference.py", "stock", "--parked", path / "lines")
            self.assertEqual((path / "out/stock.parked.ndjson").read_bytes(), parked)
            rows = [json.loads(line) for line in parked.splitlines()]
            self.assertEqual(
                [rows[1][name] for name in ("projection", "topic", "partition",
                                            "offset", "cause", "unit_type", "unit")],
                ["stock", "stock", 0, 1, Behind.cause, "key", "s"])  # fmt: skip
            documents = (path / "out/stock.ndjson").read_text().splitlines()
            self.assertEqual([json.loads(d)["id"] for d in documents], ["s:p"])


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
        for seed, hostile, more in ((1, 0, []), (2, 0, ["--sequence", "--gap-permille", 0]), (3, 40, ["--sequence"])):
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
