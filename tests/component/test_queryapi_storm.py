#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever clients do (tests/support/storm.py), on the embedded store."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import storm  # noqa: E402
from queryapi import main  # noqa: E402


def test_whatever_clients_do():
    with tempfile.TemporaryDirectory() as d:
        storm.storm(storm.World("lmdb", d + "/store"))


if __name__ == "__main__":
    sys.exit(main(globals()))
