#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The two users of docs/operations.md on a MongoDB that lets nobody else in:
their roles are enough for both programs, and queryapi's can write nothing.

Run one test: test_mongodb_users.py NAME_PART. Logs are kept in
build/integration/users.
"""
import itertools
import json
import os
import re
import shutil
import subprocess
import sys

from harness import (BUILD, ROOT, Api, Program, Tests, mongo, read_ndjson,
                     wait_until)

WORK = ROOT / "build" / "integration" / "users"
SAMPLE = ROOT / "tests" / "sample"
ADMIN = BUILD / "tests" / "support" / "mongo_admin"
PASSWORDS = {"root": "r00t", "projector": "pr0j:/secret", "queryapi": "qu3ry"}


class MongodbUsers(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        self.logs = itertools.count()

    def mongo(self, verb):
        return mongo(verb, WORK / "mongo", MONGO_AUTH="1")

    def uri(self, user, password=None):
        word = (password or PASSWORDS[user]).replace(":", "%3A")
        database = "admin" if user == "root" else "sample"
        return (self.bare.replace("mongodb://", "mongodb://%s:%s@" % (
            user, word.replace("/", "%2F"))) + "&authSource=" + database)

    def command(self, uri, database, text):
        return subprocess.run([ADMIN, uri, database, json.dumps(text)],
                              capture_output=True, text=True, timeout=60)

    def create(self, by, database, user, *roles):
        done = self.command(by, database, {
            "createUser": user, "pwd": PASSWORDS[user],
            "roles": [{"role": role, "db": db} for role, db in roles]})
        assert done.returncode == 0, done.stderr

    def start(self):
        self.bare = self.mongo("start")
        self.create(self.bare, "admin", "root", ("root", "admin"))
        root = self.uri("root")
        self.create(root, "sample", "projector", ("readWrite", "sample"),
                    ("clusterMonitor", "admin"))
        self.create(root, "sample", "queryapi", ("read", "sample"))
        self.projector("run", "--until-end")

    def settings(self, user, password=None):
        return {"store.type": "mongodb", "store.database": "sample",
                "store.uri": self.uri(user, password)}

    def log(self, name):
        return WORK / f"{name}-{next(self.logs)}.log"

    def projector(self, *args):
        program = Program("projector", args, {
            **self.settings("projector"), "source.dir": SAMPLE / "events",
            "projector.admin_listen": ""}, self.log("projector")).start()
        status = program.wait()
        assert status == 0, program.text()[-1500:]

    def test_a_user_who_may_read_is_enough_for_queryapi(self):
        api = Api(self.settings("queryapi"), self.log("queryapi")).start()
        try:
            expected = read_ndjson(SAMPLE / "expected" / "shop.ndjson")
            keys = [d["id"] for d in expected]
            wait_until("documents", lambda: api.get(
                "/v1/shop/" + keys[0])[0] == 200, 20)
            assert api.documents("shop", keys) == expected
            assert api.get("/v1/shop/none")[0] == 404
            assert api.get("/openapi.json")[0] == 200
            text = api.program.text()
            assert "not authorized" not in text, text
            assert "level=warn" not in text, text
        finally:
            assert api.stop() == 0

    def test_check_is_content_with_that_user(self):
        argv = Program("queryapi", ["check"], self.settings("queryapi"),
                       os.devnull).argv()
        done = subprocess.run(argv, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_that_user_can_change_nothing(self):
        uri = self.uri("queryapi")
        names = json.loads(self.command(
            uri, "sample", {"listCollections": 1, "nameOnly": True}).stdout)
        names = [c["name"] for c in names["cursor"]["firstBatch"]]
        assert names
        for name in names + ["new"]:
            for text in ({"insert": name, "documents": [{"_id": "x"}]},
                         {"delete": name, "deletes": [{"q": {}, "limit": 0}]},
                         {"update": name,
                          "updates": [{"q": {}, "u": {"$set": {"x": 1}}}]},
                         {"drop": name}):
                done = self.command(uri, "sample", text)
                assert done.returncode == 1, text
                assert "not authorized" in done.stderr, done.stderr
        done = self.command(uri, "other", {"find": "x"})
        assert "not authorized" in done.stderr, done.stderr

    def test_a_wrong_password_is_told_and_not_shown(self):
        api = Api(self.settings("queryapi", "wr0ng-w0rd"),
                  self.log("queryapi")).start()
        try:
            text = wait_until("a word", lambda: re.search(
                r"event=store\.away .*", api.program.text()), 30).group(0)
            assert "uthentication" in text, text
            status, headers, _ = api.get("/v1/shop/x")
            assert status == 503 and headers["Retry-After"], status
            assert "wr0ng-w0rd" not in api.program.text()
        finally:
            assert api.stop() == 0

    def test_no_log_and_no_output_shows_a_password(self):
        for user in ("queryapi", "projector"):
            argv = Program(user, ["config"], self.settings(user),
                           os.devnull).argv()
            shown = subprocess.run(argv, capture_output=True, text=True,
                                   timeout=60, check=True).stdout
            assert "***" in shown and f"{user}:***@" in shown
            for text in [shown] + [p.read_text(errors="replace")
                                   for p in WORK.glob("*.log")]:
                assert PASSWORDS[user] not in text


def main():
    tests = MongodbUsers()
    try:
        tests.start()
        return tests.run()
    finally:
        tests.mongo("stop")


if __name__ == "__main__":
    sys.exit(main())
