#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document of a running queryapi, held to by somebody who knows
nothing else of it: schemathesis asks for what the document allows and for what
it forbids, and compares the answers with it.

Run one test: test_openapi.py NAME_PART. SEED repeats a run, EXAMPLES says how
many requests there are per operation and phase. Reports stay in
build/integration/openapi. Schemathesis comes as tests/support/schemathesis.txt
pins it, and is kept in SHOPVIEW_CACHE.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

from harness import ROOT, SUPPORT, Api, Program, Tests, read_ndjson

WORK = ROOT / "build" / "integration" / "openapi"
SAMPLE = ROOT / "tests" / "sample"
PINS = SUPPORT / "schemathesis.txt"
SEED = os.environ.get("SEED", "20231114")
EXAMPLES = os.environ.get("EXAMPLES", "25")
RUN_S = 240
# Not held to:
# - that everything the schema allows is answered 200: OpenAPI cannot say that
#   `ids` excludes a list's parameters, or what a cursor is;
# - methods: OpenAPI 3.1 has no QUERY, and a document's key may be "batch", so
#   that GET is allowed where POST is.
LEFT_OUT = ("positive_data_acceptance", "unsupported_method",
            "allow_header_conformance")
# Data that the schema forbids may also be too long for a request line.
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 414, 415, 431]
"""


def check(fact, *what):
    if not fact:
        raise AssertionError(" ".join(str(w) for w in what))


def schemathesis():
    """The folder that holds it, fetched once per set of pins."""
    digest = hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]
    cache = pathlib.Path(os.environ.get("SHOPVIEW_CACHE") or
                         pathlib.Path.home() / ".cache" / "shopview")
    place = cache / f"schemathesis-{digest}"
    if not place.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Several may race for it: made aside, then moved into place.
        with tempfile.TemporaryDirectory(dir=cache) as aside:
            done = subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet",
                 "--disable-pip-version-check", "--no-deps", "--only-binary",
                 ":all:", "--target", aside + "/it", "-r", PINS],
                capture_output=True, text=True, timeout=600, check=False)
            check(done.returncode == 0, "pip:", done.stderr[-1000:])
            try:
                os.rename(aside + "/it", place)
            except OSError:
                check(place.exists(), "nothing at", place)
    return place


class OpenApi(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        self.tool = schemathesis()
        (WORK / "schemathesis.toml").write_text(CONFIG)
        self.store = {"store.type": "lmdb", "store.path": WORK / "store"}
        projector = Program("projector", ["run", "--until-end"], {
            **self.store, "source.dir": SAMPLE / "events",
            "projector.admin_listen": ""}, WORK / "projector.log").start()
        check(projector.wait() == 0, projector.text()[-1000:])
        self.api = Api(self.store, WORK / "queryapi.log").start()

    def close(self):
        check(self.api.stop() == 0, self.api.program.text()[-1000:])

    def schema(self):
        """The document, without what takes its time: streams and waits, which
        have tests of their own; and without itself."""
        schema = self.api.get("/openapi.json")[2]
        schema["paths"] = {
            path: item for path, item in schema["paths"].items()
            if path != "/openapi.json" and not path.endswith("/events")}
        for item in schema["paths"].values():
            for operation in item.values():
                operation["parameters"] = [
                    p for p in operation.get("parameters", ())
                    if p.get("name") not in ("wait", "Prefer")]
        return schema

    def held_to(self, schema, name, *options):
        """One run without a failure; its report."""
        file = WORK / f"{name}-openapi.json"
        file.write_text(json.dumps(schema))
        report = WORK / f"{name}.json"
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file",
             WORK / "schemathesis.toml", "run", file, "--url",
             "http://" + self.api.data, "--seed", SEED, "--no-color",
             "--checks", "all", "--exclude-checks", ",".join(LEFT_OUT),
             "--request-timeout", "20", "--report", "json",
             "--report-json-path", report, *options],
            cwd=WORK, capture_output=True, text=True, timeout=RUN_S,
            env=dict(os.environ, PYTHONPATH=str(self.tool)), check=False)
        (WORK / f"{name}.log").write_text(done.stdout + done.stderr)
        check(report.exists(), done.stdout[-1000:], done.stderr[-1000:])
        got = json.loads(report.read_text())
        for fault in got["failures"] + got["errors"]:
            print(f"  {json.dumps(fault)[:300]}")
        check(done.returncode == 0 and not got["failures"] and
              not got["errors"], f"seed {SEED}, see {WORK / name}.log")
        check(got["operations"]["tested"] == len(schema["paths"]),
              got["operations"])
        print(f"  {got['test_cases']['generated']} requests")
        return got

    def answered(self, route, status):
        admin = re.search(r"listener=admin address=(\S+)",
                          self.api.program.text()).group(1)
        with urllib.request.urlopen(f"http://{admin}/metrics",
                                    timeout=10) as got:
            text = got.read().decode()
        found = re.search(r'^shopview_http_requests_total\{route="%s",'
                          r'status="%d"\} (\d+)$' % (re.escape(route), status),
                          text, re.M)
        return int(found.group(1)) if found else 0

    def test_anything_is_answered_as_the_document_says(self):
        self.held_to(self.schema(), "anything", "--max-examples", EXAMPLES,
                     "--phases", "coverage,fuzzing")
        check(self.answered("/v1/{view}/{key}", 500) == 0)

    def held_to_of_what_is_there(self, schema, name):
        """Made-up keys lead to nothing: so, real ones as its examples."""
        n = 0
        for file in sorted((SAMPLE / "expected").glob("*.ndjson")):
            if f"/v1/{file.stem}" not in schema["paths"]:
                continue
            keys = [d["id"] for d in read_ndjson(file)][:10]
            get = schema["paths"][f"/v1/{file.stem}/{{key}}"]["get"]
            get["parameters"][0]["examples"] = {
                str(i): {"value": key} for i, key in enumerate(keys)}
            many = schema["paths"][f"/v1/{file.stem}"]["get"]
            many["parameters"] = [p for p in many["parameters"] if p.get(
                "name") in ("ids", "fields")]  # no list's
            many["parameters"][0]["example"] = keys
            post = schema["paths"][f"/v1/{file.stem}/batch"]["post"]
            post["requestBody"]["content"]["application/json"]["example"] = {
                "ids": keys}
            n += len(keys)
        before = [self.answered(route, 200) for route in
                  ("/v1/{view}/{key}", "/v1/{view}", "/v1/{view}/batch")]
        self.held_to(schema, name, "--phases", "examples")
        after = [self.answered(route, 200) for route in
                 ("/v1/{view}/{key}", "/v1/{view}", "/v1/{view}/batch")]
        got = [a - b for a, b in zip(after, before)]
        views = sum(path.endswith("/batch") for path in schema["paths"])
        check(views and got[0] >= n and got[1] >= views and got[2] >= views,
              got, n)

    def test_documents_are_as_the_document_says(self):
        self.held_to_of_what_is_there(self.schema(), "documents")

    def test_parts_of_documents_are_as_the_document_says(self):
        schema, paths = self.schema(), {}
        schemas = schema["components"]["schemas"]
        for path, item in schema["paths"].items():
            for operation in item.values():
                for field in operation["parameters"]:
                    if field.get("name") == "fields":
                        name = field["example"] = field["schema"]["enum"][0]
                        field["required"] = True
                        paths[path] = item
                        # Nothing else is asked for, so nothing else will do.
                        view = path.split("/")[2]
                        schemas[view + "-any"] = {
                            "$ref": f"#/components/schemas/{view}.{name}"}
        schema["paths"] = paths
        self.held_to_of_what_is_there(schema, "parts")


def main():
    tests = OpenApi()
    try:
        return tests.run()
    finally:
        tests.close()


if __name__ == "__main__":
    sys.exit(main())
