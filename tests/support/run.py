#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs test suites, two at a time, and adds up what they say.

Usage: run.py LOGDIR NAME:BUDGET_SECONDS:COMMAND ... [, NAME:... ...]

A lone comma waits for all suites before it.

A suite is one shell command. What it counts is read from its output: cmocka's
closing lines, or 'N passed, N failed'. A suite that ends badly, runs over its
budget or counts nothing at all is a failure of its own. The last line is
'N passed, N failed'; the exit status is 0 only without failures.
"""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time

AT_A_TIME = 2

PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)\.", re.M)
FAILED = re.compile(r"^\[  FAILED  \] [^\n]*?(\d+) test\(s\), listed below", re.M)
PLAIN = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed\s*$", re.M)


def count(text):
    passed = sum(int(n) for n in PASSED.findall(text))
    failed = sum(int(n) for n in FAILED.findall(text))
    for ok, bad in PLAIN.findall(text):
        passed += int(ok)
        failed += int(bad)
    return passed, failed


def run(command, budget, log):
    """The suite's exit status, or None when its budget ran out."""
    with open(log, "wb") as out:
        proc = subprocess.Popen(["/bin/sh", "-c", command], stdout=out,
                                stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL,
                                start_new_session=True)
        try:
            return proc.wait(timeout=budget)
        except subprocess.TimeoutExpired:
            os.killpg(proc.pid, signal.SIGTERM)
            try:
                proc.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(proc.pid, signal.SIGKILL)
                proc.wait()
            return None


def tail(log, lines=40):
    with open(log, errors="replace") as f:
        return "".join(f.readlines()[-lines:])


def suite(logs, name, budget, command):
    log = os.path.join(logs, name + ".log")
    begun = time.monotonic()
    status = run(command, budget, log)
    took = time.monotonic() - begun
    with open(log, errors="replace") as f:
        passed, failed = count(f.read())
    why = ""
    if status is None:
        why, failed = "over its budget", failed + 1
    elif status != 0 and failed == 0:
        why, failed = f"exit status {status}", 1
    elif status == 0 and failed == 0 and passed == 0:
        why, failed = "counted nothing", 1
    mark = "ok  " if failed == 0 else "FAIL"
    said = (f"{mark} {name:<28} {passed:>5} passed {failed:>3} failed "
            f"{took:6.1f} s of {budget} s {why}").rstrip()
    if failed:
        said += f"\n---- end of {log}\n{tail(log)}----"
    print(said, flush=True)
    return passed, failed


def groups(specs):
    """The suites between the commas."""
    group = []
    for spec in specs:
        if spec == ",":
            yield group
            group = []
        else:
            group.append(spec.split(":", 2))
    yield group


def main():
    logs = sys.argv[1]
    os.makedirs(logs, exist_ok=True)
    begun = time.monotonic()
    total = [0, 0]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for group in groups(sys.argv[2:]):
            for got in pool.map(lambda g: suite(logs, g[0], int(g[1]), g[2]),
                                group):
                total = [total[0] + got[0], total[1] + got[1]]
    print(f"{time.monotonic() - begun:.0f} s in all")
    print(f"{total[0]} passed, {total[1]} failed", flush=True)
    sys.exit(1 if total[1] else 0)


if __name__ == "__main__":
    main()
