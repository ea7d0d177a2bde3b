# SPDX-License-Identifier: Apache-2.0
"""Faults while generations and modules change (F16, F28, F30)."""
import json
import os
import shutil
import subprocess

from drill import Drill, Projector
from frame import BUILD, ROOT, sh, wait_until

REBUILT = ("shop", "coupon", "sales")


class Rebuilds(Drill):
    faults = "F28"
    says = "rebuilds under load, killed midway and resumed, then rolled back"
    seconds = 30
    settle_s = 120
    short = True

    def inject(self):
        todo = list(REBUILT)
        while self.publishing() and todo:
            self.pause(0.5, 1.5)
            view = todo.pop()
            # Killed at any moment, the same command goes on.
            for _ in range(self.random.randrange(3)):
                verb = self.verb("rebuild", view)
                self.pause(0.0, 1.5)
                verb.kill()
                verb.wait()
                self.random.choice(self.pair).kill()
                self.revive()
            self.done(self.verb("rebuild", view), "rebuild", view)
            self.tried += 1
        while self.publishing():
            self.pause(0.2)
        view = REBUILT[0]
        self.done(self.verb("generation", "rollback", view), "rollback", view)
        self.tried += 1
        self.moved(view, 1)

    def moved(self, view, number):
        rows = {r["_id"]: r["number"] for r in self.db().live.find()}
        if rows[view] != number:
            raise AssertionError(f"live is {view}.{rows[view]}, not {number}")

    def verb(self, *args):
        settings = {k: v for k, v in self.run_settings().items()
                    if k != "projector.admin_listen"}
        argv = Projector("verb", settings, self.dir / "verb.log").argv()
        argv[1:2] = args
        with open(self.dir / "verb.log", "ab") as out:
            process = subprocess.Popen(argv, stdout=out,
                                       stderr=subprocess.STDOUT,
                                       start_new_session=True)
        self.helpers.append(process)
        return process

    def done(self, process, *what):
        status = process.wait(timeout=120)
        if status != 0:
            raise AssertionError(f"{what} ended with {status}:\n" + (
                self.dir / "verb.log").read_text()[-1500:])


class OtherCode(Drill):
    faults = "F30"
    says = "a process with another code of one module joins: it stops by name"

    def inject(self):
        self.wait_applied(0.2)
        modules = self.other_modules("stock")
        new = self.projector("new", **{"projector.modules": str(modules)})
        new.start()
        wait_until("the other code is refused", lambda:
                   "event=projection.stopped projection=stock " in new.text()
                   and "other code" in new.text(), 60)
        self.tried += 1
        # What it holds of that view nobody feeds, until it has gone.
        self.pause(1.0, 3.0)
        self.stop(new)
        self.programs.remove(new)

    def other_modules(self, view):
        folder = self.dir / "modules"
        shutil.copytree(BUILD / "projections", folder)
        sh(os.environ.get("CC", "cc"), "-std=c17", "-O1", "-fPIC", "-shared",
           "-fvisibility=hidden", "-D_POSIX_C_SOURCE=200809L",
           '-DPJ_SOURCE_HASH="other"', "-I", ROOT / "include", "-I", ROOT,
           "-o", folder / f"{view}.so",
           *sorted((ROOT / "projections" / view).glob("*.c")))
        return folder


class Crashing(Drill):
    faults = "F16"
    says = "records segfault, abort, hang or exit in one module: parked, others flow"
    seconds = 20
    settle_s = 120
    WORDS = ("segfault", "abort", "loop", "exit-at-once")
    settings = {"projector.fold_cpu_ms": "500ms"}

    def begin(self):
        self.modules = self.dir.parent / "hazard-modules"
        shutil.rmtree(self.modules, ignore_errors=True)
        shutil.copytree(BUILD / "projections", self.modules,
                        ignore=lambda _, names: [
                            n for n in names if not n.endswith(".so")])
        shutil.copy(BUILD / "tests/support/hazard/hazard.so", self.modules)
        super().begin()

    def run_settings(self):
        return {**super().run_settings(),
                "projector.modules": str(self.modules)}

    def make_events(self, folder, events, seed):
        super().make_events(folder, events, seed)
        # The reason of some rejected issues is what the module does then.
        n, used = 0, set()
        for path in sorted(folder.glob("coupon/*.ndjson")):
            lines = path.read_text(encoding="utf-8").splitlines()
            for at, line in enumerate(lines):
                key = json.loads(line)["key"]
                # One each: what waits behind another is never tried.
                if '"CouponIssueRejected"' in line and n < len(self.WORDS) \
                        and key not in used and self.random.randrange(3) == 0:
                    lines[at] = with_reason(line, self.WORDS[n])
                    used.add(key)
                    n += 1
            path.write_text("".join(line + "\n" for line in lines),
                            encoding="utf-8")
        self.tried = n
        if n < len(self.WORDS):
            raise AssertionError("not enough rejected issues; another seed")

    def inject(self):
        # A supervisor's work: who ends is started again.
        ends = 0
        while self.publisher.poll() is None:
            ends += sum(not p.alive() for p in self.pair)
            self.revive()
            self.pause(0.2)
        self.note(f"{ends} ends while events flowed")

    def behind(self, db):
        self.revive()
        missing = len(self.WORDS) - len(self.parked(db))
        return super().behind(db) + ["hazard"] * missing

    def parked(self, db):
        return list(db.parked.find(
            {"generation": "hazard.1", "cause": "ends the process"}))

    def verify(self):
        rows = self.parked(self.db())
        if len(rows) != len(self.WORDS):
            raise AssertionError(f"{len(rows)} records are parked, not "
                                 f"{len(self.WORDS)}")
        self.note(f"{len(rows)} records parked that end the process")
        super().verify()


def with_reason(line, word):
    row = json.loads(line)
    row["value"]["data"]["reason"] = word
    return json.dumps(row, ensure_ascii=False)


DRILLS = (Rebuilds, OtherCode, Crashing)
WORLD = {}
