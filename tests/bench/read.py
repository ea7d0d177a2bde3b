#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast the read API answers, at what cost, beside others, on this machine.

    make bench-read
    python3 tests/bench/read.py --only hits --rounds 3 --seconds 2

Real MongoDB, real servers; docs/benchmarks.md says what is measured and how.
Prints tables of medians (min–max); raw figures go to build/bench/read.json.
"""
import argparse
import json
import os
import resource
import signal
import sys
import time

import machine
from benchrun import Run
from goals import print_goals
from paths import OUT
from scenarios import SCENARIOS, all_stopped

LOADING_S = 90
# A run that takes this many times what it should is ended.
BOUND = 3


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="Scenarios: " + " ".join(SCENARIOS))
    p.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME",
                   default=list(SCENARIOS), help="these scenarios")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=4, help="of one round")
    p.add_argument("--warmup", type=float, default=5,
                   help="seconds before the rounds, per candidate")
    p.add_argument("--documents", type=int, default=200000)
    p.add_argument("--fresh-documents", type=int, default=20000)
    p.add_argument("--updates", type=int, default=2000, help="per second")
    p.add_argument("--idle", type=int, default=10000, help="connections")
    p.add_argument("--peers", nargs="*", default=["go", "lru", "spring"],
                   choices=["go", "lru", "spring"], help="beside nginx")
    p.add_argument("--keep", action="store_true",
                   help="leave logs and data in build/bench/run")
    return p.parse_args()


def expected_s(options):
    """What it takes on a machine that does nothing else."""
    total = LOADING_S
    for name in options.only:
        _, candidates, beside = SCENARIOS[name]
        total += beside + candidates * (
            options.rounds * (options.seconds + 0.5) + options.warmup)
    return int(total)


def too_long(*_):
    raise TimeoutError("the run is over its bound")


def main():
    options = arguments()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("read.py: needs two cores: one for the server alone")
    expected = expected_s(options)
    bound = expected * BOUND
    print(f"{' '.join(options.only)}: {options.rounds} rounds of "
          f"{options.seconds:g} s, some {expected // 60 + 1} minutes, at most "
          f"{bound // 60 + 1}")
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.alarm(bound)
    # Also for the servers, which inherit it.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {machine.OTHER_CORE})
    about = machine.about()
    print(", ".join(f"{k} {v}" for k, v in about.items()), flush=True)
    run = Run(options)
    begun = time.monotonic()
    try:
        run.start()
        for name in options.only:
            SCENARIOS[name][0](run)
            all_stopped(run)
        print_goals(run.raw)
    finally:
        signal.alarm(0)
        (OUT / "read.json").write_text(json.dumps(
            {"about": about, "options": vars(options),
             "results": run.raw}, indent=1, ensure_ascii=False))
        run.stop()
    print(f"{time.monotonic() - begun:.0f} s; every round is in "
          f"{OUT / 'read.json'}")


if __name__ == "__main__":
    main()
