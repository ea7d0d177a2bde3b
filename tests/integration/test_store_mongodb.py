#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The store port's contract on a real MongoDB, in release and, when it was
built, under the sanitizers; what a read may see there; a standalone server, which is refused; and indexes
and validators that a person has added."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from harness import BUILD, ROOT, Program, Tests, mongo, sh, wait_until

WORK = ROOT / "build" / "integration" / "store"
CASES = ("test_store", "test_store_mongo", "test_store_mongo_check",
         "test_store_mongo_replace")
WATCH = ("test_store_mongo_watch",)
READS = ("test_store_mongo_reads",)
CLAIM_TRUST_S = 3  # projector/pipeline_impl.h


# What was added to the collection, what is at odds with it, what names it.
ADDED = {
    "unique": (
        {"createIndexes": "shop.1", "indexes": [{
            "key": {"name": 1}, "name": "one_name", "unique": True,
            "partialFilterExpression": {"name": {"$exists": True}}}]},
        {"name": "first"}, "one_name",
        {"dropIndexes": "shop.1", "index": "one_name"}),
    "geo": (
        {"createIndexes": "shop.1", "indexes": [{
            "key": {"location": "2dsphere"}, "name": "where"}]},
        {"name": "bad", "location": {"lat": 37.5, "lng": 127.0}}, "geo keys",
        {"dropIndexes": "shop.1", "index": "where"}),
    "validator": (
        {"collMod": "shop.1", "validationAction": "error", "validator": {
            "$jsonSchema": {"properties": {"deliveryTip": {"maximum": 5000}}}}},
        {"name": "bad", "deliveryTip": 5001}, "deliveryTip maximum",
        {"collMod": "shop.1", "validator": {}}),
}


class Shops:
    """The view shop alone, on an archive of one partition."""

    def __init__(self, uri, name, **more):
        self.dir = WORK / name
        modules = self.dir / "modules"
        modules.mkdir(parents=True)
        shutil.copy(BUILD / "projections" / "shop.so", modules)
        self.file = self.dir / "events" / "shop" / "0.ndjson"
        self.file.parent.mkdir(parents=True)
        self.offset = 0
        self.uri, self.database = uri, f"added_{name}"
        self.settings = {
            "store.type": "mongodb", "store.uri": uri,
            "store.database": self.database, "projector.modules": modules,
            "source.dir": self.dir / "events", "projector.admin_listen": "",
            **{k.replace("__", "."): v for k, v in more.items()}}

    def happens(self, kind, shop, **data):
        value = {"eventType": kind, "data": {"shopId": shop, **data},
                 "occurrenceDateTime": "2026-01-02T03:04:05Z"}
        line = {"topic": "shop", "partition": 0, "offset": self.offset,
                "timestamp": 1700000000000, "key": shop, "headers": {},
                "value": value}
        with open(self.file, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        self.offset += 1
        return self.offset - 1

    def admin(self, command):
        sh(BUILD / "tests/support/mongo_admin", self.uri, self.database,
           json.dumps(command))

    def program(self, *args):
        return Program("projector", args, self.settings, self.dir / "log")

    def says(self, *args):
        return [json.loads(line)
                for line in sh(*self.program(*args).argv()).splitlines()]

    def to_the_end(self):
        run = self.program("run", "--until-end")
        status = run.start().wait(60)
        if status != 0:
            raise AssertionError(f"status {status}: {run.text()[-1500:]}")

    def names(self):
        return {doc["shopId"]: (doc["name"], doc.get("category"))
                for doc in self.says("dump", "shop")}


@contextlib.contextmanager
def standalone(name):
    """A server of its own, which is no replica set; its URI."""
    place = WORK / name
    place.mkdir()
    port = sh(sys.executable, "-c", "import socket; s = socket.socket(); "
              "s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])").strip()
    cache = pathlib.Path(os.environ.get("SHOPVIEW_CACHE", os.path.join(
        os.path.expanduser("~"), ".cache/shopview")))
    with open(WORK / f"{name}.log", "wb") as log:
        server = subprocess.Popen(
            [cache / "mongodb-6.0.5/mongod", "--bind_ip", "127.0.0.1",
             "--port", port, "--nounixsocket", "--dbpath", place,
             "--wiredTigerCacheSizeGB", "0.25"],
            stdout=log, stderr=subprocess.STDOUT)
    try:
        uri = f"mongodb://127.0.0.1:{port}/"
        wait_until("the server answers", lambda: subprocess.run(
            [BUILD / "tests/support/mongo_admin", uri, "admin",
             '{"ping": 1}'], capture_output=True,
            check=False).returncode == 0)
        yield uri
    finally:
        server.terminate()
        server.wait()


class StoreMongodb(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)

    def start(self):
        self.uri = mongo("start", WORK / "mongo")

    def stop(self):
        mongo("stop", WORK / "mongo")

    def contract(self, build, cases=CASES):
        env = dict(os.environ, SHOPVIEW_TEST_MONGODB=self.uri)
        for case in cases:
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

    def test_reads_in_release(self):
        self.contract(BUILD, READS)

    def test_watch_in_release(self):
        self.contract(BUILD, WATCH)

    def test_contract_under_sanitizers(self):
        asan = ROOT / "build" / "asan"
        if not (asan / "tests/component/test_store").exists():
            raise AssertionError("build/asan is missing: make VARIANT=asan "
                                 "tests")
        self.contract(asan, CASES + READS + WATCH)

    def parks_alone(self, name):
        added, at_odds, says, removed = ADDED[name]
        shops = Shops(self.uri, name)
        shops.happens("ShopRegistered", "1", name="first")
        shops.to_the_end()
        shops.admin(added)
        shops.happens("ShopRegistered", "2", name="second")
        bad = shops.happens("ShopRegistered", "3", **at_odds)
        shops.happens("ShopRegistered", "4", name="fourth")
        shops.happens("ShopInfoChanged", "1", category="more")
        shops.happens("ShopInfoChanged", "3", category="more")
        shops.to_the_end()
        want = {"1": ("first", "more"), "2": ("second", None),
                "4": ("fourth", None)}
        if shops.names() != want:
            raise AssertionError(f"{shops.names()}")
        rows = shops.says("parked", "list", "shop", "--json")
        if [(r["key"], r["offset"], r["cause"], r["queued"]) for r in rows] != [
                ("3", bad, "document cannot be stored", 1)]:
            raise AssertionError(f"{rows}")
        shown = sh(*shops.program("parked", "show", "shop", "3").argv())
        if says not in shown:
            raise AssertionError(f"{says} is not in: {shown}")
        # Without it, both are applied on request.
        shops.admin(removed)
        run = shops.program("run").start()
        try:
            asked = shops.says("parked", "retry", "shop", "--json")
        finally:
            run.stop()
        if [a["state"] for a in asked] != ["done"] or \
                shops.names() != {**want, "3": (at_odds["name"], "more")}:
            raise AssertionError(f"{asked} {shops.names()}")

    def test_what_a_unique_index_keeps_out_is_parked_alone(self):
        self.parks_alone("unique")

    def test_what_a_geo_index_keeps_out_is_parked_alone(self):
        self.parks_alone("geo")

    def test_what_a_validator_keeps_out_is_parked_alone(self):
        self.parks_alone("validator")

    def test_a_validator_that_takes_nothing_is_a_named_stop(self):
        shops = Shops(self.uri, "nothing")
        shops.happens("ShopRegistered", "1", name="first")
        shops.to_the_end()
        shops.admin({"collMod": "shop.1", "validator": {"no": {"$exists": 1}}})
        shops.happens("ShopInfoChanged", "1", category="more")
        run = shops.program("run")
        status = run.start().wait(60)
        if status != 65 or "document 1" not in run.text() or \
                "Document failed validation" not in run.text():
            raise AssertionError(f"status {status}: {run.text()[-1500:]}")
        shops.admin({"collMod": "shop.1", "validator": {}})
        shops.to_the_end()
        if shops.names() != {"1": ("first", "more")}:
            raise AssertionError(f"{shops.names()}")

    def test_standalone_server_is_refused_unless_allowed(self):
        with standalone("alone") as uri:
            settings = {"store.type": "mongodb", "store.uri": uri,
                        "store.database": "alone", "projector.admin_listen":
                        "", "source.dir": ROOT / "tests/sample/events"}

            def run(more):
                runner = Program("projector", ["run", "--until-end"],
                                 {**settings, **more}, WORK / "alone-run.log")
                return runner.start().wait(60), runner.text()

            status, text = run({})
            if status != 78 or "replica set" not in text:
                raise AssertionError(f"status {status}: {text[-1500:]}")
            status, text = run({"store.allow_standalone": "true"})
            if status != 0:
                raise AssertionError(f"status {status}: {text[-1500:]}")

    def test_on_a_standalone_server_projecting_goes_on(self):
        with standalone("lasting") as uri:
            shops = Shops(uri, "lasts", store__allow_standalone="true")
            shops.happens("ShopRegistered", "before", name="first")
            shops.to_the_end()
            run = shops.program("run").start()
            try:
                self.flows(shops, 2 * CLAIM_TRUST_S)
            finally:
                run.stop()

    def flows(self, shops, seconds):
        """One event after the other, for so long from the first one on."""
        end = None
        while end is None or time.monotonic() < end:
            shop = f"shop-{shops.offset}"
            shops.happens("ShopRegistered", shop, name="new")
            wait_until(f"{shop} is there", lambda: shop in shops.names())
            end = end or time.monotonic() + seconds


def main():
    tests = StoreMongodb()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.stop()


if __name__ == "__main__":
    sys.exit(main())
