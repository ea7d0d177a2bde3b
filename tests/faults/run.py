#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs fault drills, family by family.

    run.py [--short] [--seed N] [--times N] [FAMILY | DRILL]...
    run.py --list | [--short] --families | --markdown | --write FILE

Without names: all. --short: those that belong to `make test`. Every drill prints
its seed; --seed gives it back. The last line is 'N passed, N failed'.
"""
import argparse
import importlib
import random
import signal
import sys
import time
import traceback

import matrix
from drill import WORK
from servers import World

FAMILIES = ("processes", "brokers", "cluster", "logs", "input",
            "generations", "partitioners", "stores", "replicas", "disks",
            "endings", "embedded")


def family_of(name):
    return importlib.import_module(name)


def chosen(args):
    """{family module: [drill classes]}, in order."""
    found, known = {}, set()
    for name in FAMILIES:
        family = family_of(name)
        known |= {name, *(d.__name__.lower() for d in family.DRILLS)}
        drills = [d for d in family.DRILLS
                  if (not args.names or name in args.names or
                      d.__name__.lower() in args.names) and
                  (d.short or not args.short)]
        if drills:
            found[family] = drills
    if unknown := set(args.names) - known:
        sys.exit(f"run.py: no such drill: {', '.join(sorted(unknown))}")
    return found


def run_one(drill, world, seed, number):
    """True when it passed."""
    name = drill.__name__.lower()
    print(f"---- {name} ({drill.faults}): {drill.says}\n"
          f"  seed {seed}", flush=True)
    begun, fault = time.monotonic(), None
    one = drill(world, seed, number)
    try:
        one.run()
    except Exception as caught:  # any fault fails this drill only
        fault = caught
        if not isinstance(caught, AssertionError):
            traceback.print_exc(file=sys.stdout)
        print(f"{type(caught).__name__}: {caught}", flush=True)
    print(f"{'FAIL' if fault else 'ok  '} {name:<16} {drill.faults:<8} "
          f"tried {one.tried:>3}  {time.monotonic() - begun:5.1f} s  "
          f"run.py {name} --seed {seed}", flush=True)
    return fault is None


def run_family(family, drills, args):
    name = family.__name__
    passed = failed = 0
    if why := getattr(family, "unable", lambda: None)():
        print(f"skip {name}: {why}", flush=True)
        return passed, failed
    # None: it needs no servers.
    world = None if family.WORLD is None else \
        World(WORK / f"{name}-servers", **family.WORLD)
    try:
        if world:
            world.start()
        for n in range(args.times):
            for drill in drills:
                seed = args.seed if args.seed is not None else \
                    random.SystemRandom().randrange(2**32)
                ok = run_one(drill, world, seed, n)
                passed, failed = passed + ok, failed + (not ok)
    finally:
        if world:
            world.stop()
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--families", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if args.families:
        print(*(family.__name__ for family in chosen(args)))
        return
    if args.markdown or args.write:
        table = matrix.markdown([d for name in FAMILIES
                                 for d in family_of(name).DRILLS])
        if args.write:
            matrix.write(args.write, table)
        else:
            print(matrix.BEGIN + table + matrix.END, end="")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    passed = failed = 0
    for family, drills in chosen(args).items():
        if args.list:
            for d in drills:
                print(f"{family.__name__:<12} {d.__name__.lower():<16} "
                      f"{d.faults:<10} {d.says}")
            continue
        ok, bad = run_family(family, drills, args)
        passed, failed = passed + ok, failed + bad
    if not args.list:
        print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
