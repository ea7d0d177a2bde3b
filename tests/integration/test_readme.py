#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The README's commands for real servers, as they stand there."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import check_readme  # noqa: E402


def main():
    passed, failed = check_readme.check("servers")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
