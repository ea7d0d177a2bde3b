#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`projector fold` on whole archives: the sample's, real shops' where
SHOPVIEW_DATA names a folder of them (NAME/archive, NAME/expected, .gz or not),
and what generate_events.py makes of hostile producers.

The documents must be the expected ones to the byte, in whatever order the
partitions are read; of hostile ones the parked records, too, each for its cause
and in its unit, as reference.py has them.

    [BUILD=build/release] python3 tests/support/test_fold.py [-v] [Class[.test]]

FOLD_SEEDS=100 tries that many hostile archives, FOLD_SEED=7 that one.
"""

import collections
import concurrent.futures
import gzip
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate_events  # noqa: E402
import reference  # noqa: E402
from parked_causes import cause_class  # noqa: E402
from reference_views import VIEWS  # noqa: E402

ROOT = HERE.parent.parent
PROJECTOR = ROOT / os.environ.get("BUILD", "build/release") / "projector/projector"
SAMPLE = ROOT / "tests/sample"


def read(path):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        return file.read()


def fold(view, data, *args):
    """Exit status, documents, parked records and other messages."""
    done = subprocess.run([PROJECTOR, "fold", view, *args], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr.decode()


class Archives(unittest.TestCase):
    def check(self, archive, expected):
        files = [f for f in sorted(pathlib.Path(archive).glob("*/*"))
                 if ".ndjson" in f.suffixes]
        partitions = [read(f) for f in files]
        found = sorted(pathlib.Path(expected).glob("*.ndjson*"))
        self.assertTrue(partitions and found)
        for path in found:
            view, want = path.name.partition(".")[0], read(path)
            orders = [partitions, partitions[::-1]]
            orders += [random.Random(view).sample(partitions, len(partitions))]
            for number, order in enumerate(orders):
                with self.subTest(view=view, order=number):
                    status, got, said = fold(view, b"".join(order))
                    self.assertEqual((status, said), (0, ""))
                    self.assertTrue(got == want, self.first_difference(got, want))

    @staticmethod
    def first_difference(got, want):
        for mine, its in zip(got.splitlines(), want.splitlines()):
            if mine != its:
                return f"\nexpected {its[:2000]!r}\nfound    {mine[:2000]!r}"
        return f"{got.count(10)} documents instead of {want.count(10)}"

    def test_the_sample(self):
        self.check(SAMPLE / "events", SAMPLE / "expected")

    @unittest.skipUnless(os.environ.get("SHOPVIEW_DATA"), "SHOPVIEW_DATA is not set")
    def test_real_shops(self):
        shops = sorted(pathlib.Path(os.environ["SHOPVIEW_DATA"]).glob("*/expected"))
        self.assertTrue(shops)
        for expected in shops:
            self.check(expected.parent / "archive", expected)


PARKED = re.compile(rb"parked (\w+)/(\d+)@(\d+): ([^:]+): (.+) \((\w+)(?: (.+))?\)")


def parked_by_fold(said):
    for line in said.splitlines():
        found = PARKED.fullmatch(line)
        if not found:
            raise AssertionError(line)
        topic, partition, offset, cause, _, unit_type, unit = found.groups()
        yield (topic.decode(), int(partition), int(offset),
               cause_class(cause.decode()), unit_type.decode(), unit or b"")


def parked_by_reference(rows):
    for row in rows:
        *same, unit = row.compared()
        yield (*same, quoted(unit) if unit else b"")


def quoted(raw):
    """As the programs write a foreign string: plain, or with escapes."""
    out, plain = b"", True
    for char in raw.decode("utf-8", "surrogateescape"):
        own = char.encode("utf-8", "surrogateescape")
        if char in '"\\':
            own = b"\\" + own
        elif char == "\n":
            own = b"\\n"
        elif own[0] < 0x20 or own == b"\x7f" or "\udc80" <= char <= "\udcff":
            own = b"\\u00%02x" % own[0]
        plain = plain and len(own) == len(char.encode("utf-8", "replace"))
        plain = plain and char not in ' ="\\\x7f' and char >= " "
        plain = plain and not "\udc80" <= char <= "\udcff"
        out += own
    return out if plain else b'"' + out + b'"'


EVENTS, RATES = 5000, (2, 5, 10, 20, 40)


def hostile_archive(seed):
    with tempfile.TemporaryDirectory() as out:
        numbered = ["--sequence"] if seed % 2 else []
        generate_events.main(
            ["--seed", str(seed), "--events", str(EVENTS), "--out", out,
             "--hostile-permille", str(RATES[seed % len(RATES)]), *numbered])
        return list(reference.read_lines([out]))


def fold_hostile(seed):
    """What is wrong with it, and how often each cause was met in each unit."""
    lines = hostile_archive(seed)
    records = reference.read_records(lines)
    wrong, seen = [], collections.Counter()
    for view in VIEWS:
        folded, rows = reference.fold_records(view, records)
        done = subprocess.run([PROJECTOR, "fold", view, "--deleted"],
                              input=b"".join(lines), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=True)
        have = sorted(parked_by_fold(done.stderr))
        want = list(parked_by_reference(rows))
        if have != want:
            wrong.append(f"seed {seed} {view}:\nmissing "
                         f"{[p for p in want if p not in set(have)][:5]}\n"
                         f"too many {[p for p in have if p not in set(want)][:5]}")
        documents = b"".join(reference.to_json(doc).encode() + b"\n"
                             for doc in folded.output(deleted=True))
        if done.stdout != documents:
            first = Archives.first_difference(done.stdout, documents)
            wrong.append(f"seed {seed} {view}: {first}")
        seen.update((row.cause, row.unit_type) for row in rows)
    return wrong, seen


class Hostile(unittest.TestCase):
    def test_fold_parks_what_the_reference_parks_and_applies_the_rest(self):
        one = os.environ.get("FOLD_SEED")
        seeds = range(int(os.environ.get("FOLD_SEEDS", 20)))
        seen = collections.Counter()
        with concurrent.futures.ProcessPoolExecutor(2) as pool:
            for wrong, met in pool.map(fold_hostile, [int(one)] if one else seeds):
                seen += met
                for text in wrong:
                    with self.subTest():
                        self.fail(text)
        if not one and len(seeds) >= 20:
            self.assertEqual(set(seen), self.kinds(), seen)

    @staticmethod
    def kinds():
        """Every cause in every unit in which there can be one."""
        found = {(cause, unit) for cause in ("undecodable", "invalid field")
                 for unit in ("document", "key", "record")}
        return found | {
            ("behind a parked record", "document"), ("behind a parked record", "key"),
            ("long document key", "record"), ("sequence gap", "document"),
            ("rejected by fold", "document")}


class Verb(unittest.TestCase):
    LINE = (b'{"topic":"stock","partition":0,"offset":0,"timestamp":1,"key":"s",'
            b'"value":{"eventType":"SoldOut","data":{"shopId":"s","productId":%s}}}')

    def test_nothing_in_gives_nothing_out(self):
        self.assertEqual(fold("stock", b""), (0, b"", ""))
        self.assertEqual(fold("stock", b"\n\n"), (0, b"", ""))

    def test_a_last_line_without_newline_counts(self):
        status, got, said = fold("stock", self.LINE % b'"p"')
        self.assertEqual((status, said), (0, ""))
        self.assertIn(b'"id":"s:p"', got)

    def test_what_is_parked_is_told_and_is_no_failure(self):
        status, got, said = fold("stock", self.LINE % b"7")
        self.assertEqual((status, got), (0, b""))
        self.assertRegex(said, r"\Aparked stock/0@0: [^:\n]+: [^\n]+ \(key s\)\n\Z")

    def test_what_queues_behind_it_is_told_and_where(self):
        data = self.LINE % b"7" + b"\n" + (self.LINE % b'"p"').replace(
            b'"offset":0', b'"offset":1')
        status, got, said = fold("stock", data)
        self.assertEqual((status, got), (0, b""))
        self.assertRegex(said, r"\n" r"parked stock/0@1: behind a parked record: "
                               r"[^\n]+ \(key s\)\n\Z")

    def test_topics_the_view_does_not_read_are_passed_over(self):
        self.assertEqual(fold("shop", self.LINE % b"7"), (0, b"", ""))

    def test_a_line_that_is_none_is_named(self):
        status, got, said = fold("stock", self.LINE % b'"p"' + b"\n{}\n")
        self.assertEqual((status, got), (1, b""))
        self.assertIn("stdin:2: ", said)

    def test_deleted_documents_are_shown_when_asked_for(self):
        line = (b'{"topic":"shop","partition":0,"offset":0,"timestamp":1,"key":"s",'
                b'"value":{"eventType":"ShopTerminated","data":{"shopId":"s"}}}\n')
        self.assertEqual(fold("shop", line), (0, b"", ""))
        self.assertEqual(fold("shop", line, "--deleted"),
                         (0, b'{"id":"s","deleted":true}\n', ""))

    def test_buckets_spread_the_cards_of_a_shop(self):
        data = b"".join(
            b'{"topic":"product","partition":0,"offset":%d,"timestamp":1,"key":"s:1",'
            b'"value":{"eventType":"ProductRegistered","data":{"shopId":"s:1",'
            b'"productId":"p%d","name":"n","price":1}}}\n' % (n, n) for n in range(40))
        option = ("-s", "projection.shop_products.buckets=4")
        status, got, said = fold("shop_products", data, *option)
        self.assertEqual((status, said), (0, ""))
        placed = {}
        for line in got.decode().splitlines():
            doc = json.loads(line)
            self.assertEqual((doc["shopId"], doc["count"]), ("s:1", len(doc["products"])))
            for card in doc["products"]:
                placed[card["productId"]] = doc["id"]
        self.assertEqual(placed, {f"p{n}": f"s%3A1:{fnv1a_32(f'p{n}') % 4}"
                                  for n in range(40)})


def fnv1a_32(text):
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    wrong = result.failures + result.errors
    # A test that fails in several subtests is one.
    failed = len({getattr(test, "test_case", test).id() for test, _ in wrong})
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(1 if failed else 0)
