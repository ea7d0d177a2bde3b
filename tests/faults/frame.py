# SPDX-License-Identifier: Apache-2.0
"""Where things are, and what the drills share with the integration tests."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE.parent / "support")]

from harness import (BUILD, ROOT, SUPPORT, TOPICS, VIEWS,  # noqa: E402,F401
                     Program, sh, wait_until)
