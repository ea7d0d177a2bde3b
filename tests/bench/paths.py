# SPDX-License-Identifier: Apache-2.0
"""Where the benchmark finds things."""
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUPPORT = ROOT / "tests" / "support"
BUILD = (ROOT / os.environ.get("BUILD", "build/release")).resolve()
OUT = ROOT / "build" / "bench"
