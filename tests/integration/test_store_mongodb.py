#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The store port's contract on a real MongoDB, in release and, when it was
built, under the sanitizers; and a standalone server, which is refused."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

from harness import BUILD, ROOT, SUPPORT, Program, Tests, sh, wait_until

WORK = ROOT / "build" / "integration" / "store"
CASES = ("test_store", "test_store_mongo")


class StoreMongodb(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        self.env = dict(os.environ, MONGO_ADMIN=str(
            BUILD / "tests" / "support" / "mongo_admin"))

    def start(self):
        self.uri = sh(SUPPORT / "mongo.sh", "start", WORK / "mongo",
                      env=self.env, timeout=400).strip()

    def stop(self):
        subprocess.run([SUPPORT / "mongo.sh", "stop", WORK / "mongo"],
                       env=self.env, timeout=60, check=False)

    def contract(self, build):
        env = dict(os.environ, SHOPVIEW_TEST_MONGODB=self.uri)
        for case in CASES:
            got = subprocess.run([build / "tests/component" / case], env=env,
                                 capture_output=True, text=True, timeout=300,
                                 check=False)
            text = got.stdout + got.stderr
            done = sum(int(n) for n in re.findall(
                r"\[  PASSED  \] (\d+) test", text))
            print(f"{build.name} {case}: {done} contract tests passed")
            if got.returncode != 0 or done == 0:
                raise AssertionError(text[-3000:])

    def test_contract_in_release(self):
        self.contract(BUILD)

    def test_contract_under_sanitizers(self):
        asan = ROOT / "build" / "asan"
        if not (asan / "tests/component/test_store").exists():
            raise AssertionError("build/asan is missing: make VARIANT=asan "
                                 "tests")
        self.contract(asan)

    def test_standalone_server_is_refused_unless_allowed(self):
        pid_file = WORK / "alone.pid"
        port = sh(sys.executable, "-c", "import socket; s = socket.socket(); "
                  "s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])").strip()
        (WORK / "alone").mkdir()
        cache = pathlib.Path(os.environ.get("SHOPVIEW_CACHE", os.path.join(
            os.path.expanduser("~"), ".cache/shopview")))
        server = subprocess.Popen(
            [cache / "mongodb-6.0.5/mongod", "--bind_ip", "127.0.0.1",
             "--port", port, "--nounixsocket", "--dbpath", WORK / "alone",
             "--wiredTigerCacheSizeGB", "0.25"],
            stdout=open(WORK / "alone.log", "wb"), stderr=subprocess.STDOUT)
        pid_file.write_text(str(server.pid))
        try:
            uri = f"mongodb://127.0.0.1:{port}/"
            settings = {"store.type": "mongodb", "store.uri": uri,
                        "store.database": "alone", "projector.admin_listen":
                        "", "source.dir": ROOT / "tests/sample/events"}

            def run(more):
                runner = Program("projector", ["run", "--until-end"],
                                 {**settings, **more}, WORK / "alone-run.log")
                return runner.start().wait(60), runner.text()

            wait_until("the server answers", lambda: subprocess.run(
                [BUILD / "tests/support/mongo_admin", uri, "admin",
                 '{"ping": 1}'], capture_output=True,
                check=False).returncode == 0)
            status, text = run({})
            if status != 78 or "replica set" not in text:
                raise AssertionError(f"status {status}: {text[-1500:]}")
            status, text = run({"store.allow_standalone": "true"})
            if status != 0:
                raise AssertionError(f"status {status}: {text[-1500:]}")
        finally:
            server.terminate()
            server.wait()


def main():
    tests = StoreMongodb()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.stop()


if __name__ == "__main__":
    sys.exit(main())
