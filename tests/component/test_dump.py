#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`projector dump`: which of the stored documents it prints.

BUILD names the build directory (default build/release); the last line is
"N passed, N failed". Arguments: names of tests to run; all without.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from queryapi import (BUILD, Store, document, generation, live,
                      main)  # noqa: E402

PROJECTOR = os.path.join(BUILD, "projector", "projector")
HEAVY = "x" * (12 << 20)


def dump(store, *keys):
    done = subprocess.run(
        [PROJECTOR, "dump", "shop", *keys, "-s", "store.type=lmdb",
         "-s", "store.path=" + store.path], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def with_store(test, *ops):
    with tempfile.TemporaryDirectory() as d:
        store = Store(d + "/store")
        store.fill(generation(1), live(0, 1), *ops)
        test(store)


def test_only_documents_that_are_there_are_printed():
    def t(store):
        assert [d["id"] for d in dump(store)] == ["a", "z"]
        assert [d["id"] for d in dump(store, "z", "none", "meta", "gone",
                                      "a")] == ["a", "z"]
    with_store(t, document("z", 1, name="Z"), document("a", 1, name="A"),
               document("gone", 2, state=1),
               document("meta", 0, state=2,
                        meta={"k": {"0": {"first": 1, "tail": 1, "n": 1}}}))


def test_keys_that_are_more_than_one_load_are_all_printed():
    keys = ["k%d" % i for i in range(5)]

    def t(store):
        got = dump(store, *keys)
        assert [d["id"] for d in got] == keys
        assert all(d["name"] == HEAVY for d in got)
    with_store(t, *[document(k, 1, name=HEAVY) for k in keys])


if __name__ == "__main__":
    sys.exit(main(globals()))
