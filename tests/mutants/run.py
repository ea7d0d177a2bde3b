#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes one protection of the delivery protocol or of the read API away at a
time, and looks which test notices.

Usage: run.py [--list] [--markdown] [--write FILE] [NAME_PART ...]

A mutant is one edit of one file (table.py, table_read.py). The tree is copied to
build/mutants/tree, with the objects of the release build, so that a mutant
costs one file and the links behind it. First every test runs unmutated: it has
to be green, or its red means nothing. A mutant is killed when its test ends
badly AND says the name that it was expected to say; one that survives, whose
edit does not fit the source any more, or that does not compile, fails the run.

The table of docs/guarantees.md is what --markdown prints; --write puts it
between the two marks of FILE.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from table import MUTANTS as WRITE_SIDE  # noqa: E402
from table_read import MUTANTS as READ_SIDE  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build" / "mutants" / "tree"
LOGS = ROOT / "build" / "mutants" / "logs"
BUILD = "build/release"
TEST_S = 900
MUTANTS = WRITE_SIDE + READ_SIDE


def copy_tree():
    """The files git knows, and the objects of the last release build."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                           capture_output=True).stdout.split(b"\0")
    for name in filter(None, (n.decode() for n in names)):
        if not (ROOT / name).exists():
            continue
        (TREE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, TREE / name)
    if (ROOT / BUILD).exists():
        shutil.copytree(ROOT / BUILD, TREE / BUILD, symlinks=True)


def make(targets, log):
    """True when the targets could be built."""
    with open(log, "ab") as out:
        return subprocess.run(["make", "-j2", *targets], cwd=TREE, stdout=out,
                              stderr=subprocess.STDOUT, timeout=TEST_S,
                              check=False).returncode == 0


def run_test(test, log):
    """The exit status; what it said is in the log."""
    env = dict(os.environ, BUILD=BUILD, MONGOC_DISABLE_SHM="1")
    with open(log, "ab") as out:
        try:
            return subprocess.run(test["run"], shell=True, cwd=TREE, env=env,
                                  stdout=out, stderr=subprocess.STDOUT,
                                  timeout=TEST_S, check=False).returncode
        except subprocess.TimeoutExpired:
            return -1


def mutate(mutant):
    """Makes the edit; the source as it was, or None when it does not fit."""
    path = TREE / mutant["file"]
    text = path.read_text()
    if text.count(mutant["old"]) != 1:
        return None
    path.write_text(text.replace(mutant["old"], mutant["new"]))
    return text


def failed(name, text):
    """As cmocka, the simulator and the runners of Python tests say it."""
    return re.search(rf"^(\[  FAILED  \]|FAILED|FAIL ) {re.escape(name)}\b",
                     text, re.MULTILINE) is not None


def try_mutant(mutant):
    """(killed, what is to be said about it)"""
    log = LOGS / (mutant["name"].replace(" ", "-").replace("/", "-") + ".log")
    log.unlink(missing_ok=True)
    source = mutate(mutant)
    if source is None:
        return False, f"{mutant['file']} does not hold the text to change"
    try:
        if not make(mutant["test"]["make"], log):
            return False, f"does not compile, see {log}"
        status = run_test(mutant["test"], log)
    finally:
        (TREE / mutant["file"]).write_text(source)
    if status == 0:
        return False, "SURVIVES"
    if not failed(mutant["says"], log.read_text(errors="replace")):
        return False, f"red, but not by '{mutant['says']}', see {log}"
    return True, f"killed by {mutant['says']}"


def baseline(mutants):
    """Every test of the chosen mutants, unmutated."""
    good = True
    seen = []
    for mutant in mutants:
        test = mutant["test"]
        if test in seen:
            continue
        seen.append(test)
        log = LOGS / f"baseline-{len(seen)}.log"
        log.unlink(missing_ok=True)
        begun = time.monotonic()
        fine = make(test["make"], log) and run_test(test, log) == 0
        print(f"{'ok  ' if fine else 'FAIL'} unmutated: {test['run']} "
              f"{time.monotonic() - begun:.0f} s"
              + ("" if fine else f", see {log}"), flush=True)
        good = good and fine
    return good


def markdown(mutants):
    rows = [f"| {m['name']} | `{m['file']}` | `{m['says']}` |"
            for m in mutants]
    return "\n".join(["| taken away | where | notices |", "|---|---|---|",
                      *rows]) + "\n"


def write_into(path):
    text = path.read_text()
    head, rest = text.split("<!-- mutants -->", 1)
    tail = rest.split("<!-- /mutants -->", 1)[1]
    path.write_text(f"{head}<!-- mutants -->\n\n{markdown(MUTANTS)}\n"
                    f"<!-- /mutants -->{tail}")


def main():
    if "--write" in sys.argv:
        write_into(pathlib.Path(sys.argv[sys.argv.index("--write") + 1]))
        return 0
    words = [a for a in sys.argv[1:] if not a.startswith("--")]
    chosen = [m for m in MUTANTS
              if not words or any(w in m["name"] for w in words)]
    if "--list" in sys.argv:
        print("\n".join(m["name"] for m in chosen))
        return 0
    if "--markdown" in sys.argv:
        print(markdown(chosen), end="")
        return 0
    copy_tree()
    if not baseline(chosen):
        print("0 passed, 1 failed")
        return 1
    killed = 0
    for mutant in chosen:
        begun = time.monotonic()
        dead, what = try_mutant(mutant)
        killed += dead
        print(f"{'ok  ' if dead else 'FAIL'} {mutant['name']}: {what} "
              f"({time.monotonic() - begun:.0f} s)", flush=True)
    print(f"{killed} passed, {len(chosen) - killed} failed")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
