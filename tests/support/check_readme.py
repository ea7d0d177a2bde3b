#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of README.md, as they stand there and in that order.

    check_readme.py [embedded|servers]      (default: embedded)

A fenced block says by the word behind `sh` where it is run:

    ```sh setup     before everything else, in both parts
    ```sh           embedded: no server needed
    ```sh servers   with real ones; tests/integration/test_readme.py
    ```sh by-ci     elsewhere: each of its lines is in ELSEWHERE, with proof

The lines of a ```text block right behind a block must occur in its output.
One bash runs the whole part in a tree of links to this one, so that nothing
here is touched; 8080 and 8081 become free ports. BUILD is the build to use.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(ROOT, os.environ.get("BUILD", "build/release")).resolve()
README = ROOT / "README.md"
LIMIT_S = {"embedded": 40, "servers": 420}
NOT_LINKED = {"build", "data", ".stack", ".git", "shopview.conf"}

# Command → a file and what in it shows that it is run.
ELSEWHERE = {
    "apt-get install -y git make": (".ci/run", r"install .*\bmake git\b"),
    "make demo": ("Makefile", r"'demo:\d+:python3 tests/sample/demo\.py"),
    "make test": (".ci/run", r"^exec make test\b"),
    "make new-projection NAME=wishlist":
        ("Makefile", r"'new-projection:\d+:.*test_new_projection\.sh"),
    "make check-golden CASE=wishlist/":
        ("Makefile", r"'golden:\d+:"),
}


class Block:
    def __init__(self, line, where, text):
        self.line, self.where, self.text = line, where, text
        self.expected = []


def blocks(text):
    """The ```sh blocks, with what is expected of them."""
    found, last = [], None
    pattern = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.M | re.S)
    end = 0
    for match in pattern.finditer(text):
        words = match.group(1).split()
        line = text.count("\n", 0, match.start()) + 1
        if words[:1] == ["sh"]:
            last = Block(line, words[1] if len(words) > 1 else "embedded",
                         match.group(2))
            found.append(last)
        elif words == ["text"] and last and not text[end:match.start()].strip():
            last.expected = match.group(2).splitlines()
        end = match.end()
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def linked_tree(into):
    """This tree by links; what is written goes beside them."""
    for entry in ROOT.iterdir():
        if entry.name not in NOT_LINKED:
            (into / entry.name).symlink_to(entry)
    (into / "build").mkdir()
    (into / "build" / "release").symlink_to(BUILD)


def script(chosen):
    """Each block leaves a mark in front of its output and one behind it."""
    lines = ["set -eu"]
    for block in chosen:
        lines += [f"echo '@@ {block.line} begin'", block.text.rstrip("\n"),
                  f"echo; echo '@@ {block.line} end'"]
    return "\n".join(lines) + "\n"


def run(part, chosen, tree):
    ports = {"8080": str(free_port()), "8081": str(free_port())}
    text = script(chosen)
    for old, new in ports.items():
        text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("SHOPVIEW_") or name == "SHOPVIEW_CACHE"}
    env["SHOPVIEW_QUERYAPI_LISTEN"] = f"127.0.0.1:{ports['8080']}"
    env["SHOPVIEW_PROJECTOR_ADMIN_LISTEN"] = "127.0.0.1:0"
    env["SHOPVIEW_QUERYAPI_ADMIN_LISTEN"] = f"127.0.0.1:{ports['8081']}"
    # A group of its own: what a failed block left running ends with it.
    shell = subprocess.Popen(["bash", "-c", text], cwd=tree, env=env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True,
                             errors="replace", start_new_session=True)
    try:
        out, _ = shell.communicate(timeout=LIMIT_S[part])
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        out, _ = shell.communicate()
        out += f"\n(not within {LIMIT_S[part]} s)\n"
    finally:
        try:
            os.killpg(shell.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    return out


def judge(chosen, out):
    """Yields (block, what was wrong or None)."""
    for block in chosen:
        begin, end = f"@@ {block.line} begin\n", f"@@ {block.line} end\n"
        if end not in out:
            yield block, "failed:\n" + out.partition(begin)[2][-2000:]
            return
        said = out.partition(begin)[2].partition(end)[0]
        missing = [e for e in block.expected if e not in said]
        yield block, (f"does not say: {missing[0]}\nbut:\n{said[-2000:]}"
                      if missing else None)


def check_elsewhere(found):
    for block in found:
        if block.where != "by-ci":
            continue
        for command in block.text.splitlines():
            if command not in ELSEWHERE:
                yield f"line {block.line}: nothing is known to run: {command}"
                continue
            path, proof = ELSEWHERE[command]
            text = (ROOT / path).read_text(encoding="utf-8")
            shown = re.search(proof, text, re.M)
            yield None if shown else f"{path} does not run: {command}"


def check(part, say=print):
    """passed, failed of one part; by-ci blocks belong to the embedded one."""
    found = blocks(README.read_text(encoding="utf-8"))
    chosen = [b for b in found if b.where in ("setup", part)]
    unknown = [b for b in found
               if b.where not in ("setup", "embedded", "servers", "by-ci")]
    faults = [f"line {b.line}: unknown kind of block '{b.where}'"
              for b in unknown]
    passed = 0
    if part == "embedded":
        for fault in check_elsewhere(found):
            passed += fault is None
            faults += [fault] if fault else []
    tree = pathlib.Path(tempfile.mkdtemp(prefix="shopview-readme-"))
    try:
        linked_tree(tree)
        out = run(part, chosen, tree)
        done = 0
        for block, wrong in judge(chosen, out):
            done += 1
            passed += wrong is None
            if wrong:
                faults.append(f"line {block.line}: {wrong}")
        if part not in {b.where for b in chosen}:
            faults.append(f"no block of part {part}")
        if done < len(chosen):
            faults.append(f"{len(chosen) - done} blocks were not reached")
    finally:
        if part == "servers":
            stop_servers(tree)
        shutil.rmtree(tree, ignore_errors=True)
    for fault in faults:
        say(f"README.md: {fault}")
    return passed, len(faults)


def stop_servers(tree):
    """What the last block does; again, should it not have been reached."""
    if not (tree / ".stack").exists():
        return
    subprocess.run(["tests/support/stack.sh", "stop", ".stack"], cwd=tree,
                   env=dict(os.environ, BUILD=str(BUILD)), check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=120)


def main():
    passed, failed = check(sys.argv[1] if len(sys.argv) > 1 else "embedded")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
