#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on the embedded pair, for people to watch.

    demo.py BUILD [--once] [--config FILE]

Copies the sample store front's events to BUILD/demo, projects them with
`projector run` into an LMDB store there, serves them with `queryapi run`, and
prints a few answers with the curl lines that got them, and the address of a
page that shows a shop (docs/storefront). Then new events keep arriving until
Ctrl-C. With --once it checks every answer instead and leaves; a wrong one makes
the exit status 1.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
sys.path.insert(0, str(SUPPORT))
from page_server import PageServer  # noqa: E402

VIEWS = ("shop", "product", "shop_products", "stock", "review_summary",
         "order", "sales", "delivery", "coupon", "member_coupons")
SHOWN = (("shop", "shop-1"), ("product", None), ("review_summary", None),
         ("sales", None), ("pages/shop", "shop-1"))
WAIT_S = 60

CONFIG = """\
source {{ type = archive  dir = "{demo}/events" }}
store {{ type = lmdb  path = "{demo}/store" }}
queryapi {{ listen = "127.0.0.1:0"  admin_listen = "127.0.0.1:0" }}
projector {{ admin_listen = ""  state_dir = "{demo}/state" }}
page "shop" {{ parts = {{"shop", "shop_products", "review_summary"}} }}
"""
PAGE = ("shop", "shop_products", "review_summary")


class Demo:
    def __init__(self, build, config):
        self.build = pathlib.Path(build).resolve()
        self.dir = self.build / "demo"
        self.config = config
        self.children = []
        self.base = self.admin = None

    def prepare(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.copytree(HERE / "events", self.dir / "events")
        if not self.config:
            self.config = self.dir / "shopview.conf"
            self.config.write_text(CONFIG.format(demo=self.dir))

    def start(self, name, *args):
        log = self.dir / f"{name}.log"
        with open(log, "wb") as out:
            child = subprocess.Popen(
                [self.build / name / name, *args, "-c", self.config],
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        self.children.append((name, child, log))
        return log

    def stop(self):
        """Asks each child to end, and waits; true when all ended well."""
        good = True
        for _, child, _ in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for name, child, log in self.children:
            try:
                status = child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                status = child.wait()
            if status != 0:
                good = False
                print(f"{name} ended with status {status}:\n"
                      f"{log.read_text(errors='replace')[-2000:]}")
        self.children = []
        return good

    def check_alive(self):
        for name, child, log in self.children:
            if child.poll() is not None:
                sys.exit(f"{name} ended with status {child.returncode}:\n"
                         f"{log.read_text(errors='replace')[-2000:]}")

    def find_listeners(self, log):
        """The addresses queryapi says it listens on."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            found = dict(re.findall(r"event=listen listener=(\w+) "
                                    r"address=(\S+)", log.read_text()))
            if {"data", "admin"} <= set(found):
                self.base = f"http://{found['data']}"
                self.admin = f"http://{found['admin']}"
                return
            self.check_alive()
            time.sleep(0.05)
        sys.exit(f"queryapi did not open its listeners, see {log}")

    def get(self, view, key):
        path = f"/v1/{view}/{urllib.parse.quote(key, safe='')}"
        try:
            with urllib.request.urlopen(self.base + path, timeout=10) as got:
                return got.status, json.load(got)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def wait_for(self, view, document):
        """Until the API serves exactly this document (bounded)."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if self.get(view, document["id"]) == (200, document):
                return True
            self.check_alive()
            time.sleep(0.05)
        return False


def expected():
    for view in VIEWS:
        path = HERE / "expected" / f"{view}.ndjson"
        for line in path.read_text(encoding="utf-8").splitlines():
            yield view, json.loads(line)


def show(demo):
    documents = list(expected())
    for view, key in SHOWN:
        if key is None:
            key = next(d["id"] for v, d in documents if v == view)
        path = f"/v1/{view}/{urllib.parse.quote(key, safe='')}"
        _, body = demo.get(view, key)
        text = json.dumps(body, ensure_ascii=False)
        print(f"\n$ curl -s {demo.base}{path}")
        print(text if len(text) < 700 else text[:700] + " …")


def check(demo):
    """Every document of every view; the number that was wrong."""
    right = wrong = 0
    for view, document in expected():
        if demo.wait_for(view, document):
            right += 1
            continue
        wrong += 1
        print(f"wrong: {view}/{document['id']}\n  expected {document}\n"
              f"  got      {demo.get(view, document['id'])}")
    for key in sorted(page_keys()):
        good = check_page(demo, key)
        right += good
        wrong += not good
    print(f"{right} answers as expected, {wrong} wrong")
    return wrong


def page_keys():
    return {d["id"] for view, d in expected() if view in PAGE}


def check_page(demo, key):
    """The page of this key: what its views have, all of it by now."""
    want = {view: d for view, d in expected()
            if view in PAGE and d["id"] == key}
    status, body = demo.get("pages/shop", key)
    good = status == 200 and {
        view: part["document"] for view, part in body["parts"].items()
    } == want and set(body["missing"]) == set(PAGE) - set(want)
    if not good:
        print(f"wrong: pages/shop/{key}\n  expected {want}\n  got {body}")
    return good


def check_storefront(demo, pages):
    """The page's files, and an answer that it may read; the wrong ones."""
    wrong = 0
    for name, sign in (("", b"storefront.js"), ("storefront.js", b"/v1/pages/"),
                       ("storefront.css", b".product")):
        with urllib.request.urlopen(f"{pages.origin}/{name}",
                                    timeout=10) as got:
            wrong += sign not in got.read()
    asked = urllib.request.Request(f"{demo.base}/v1/pages/shop/shop-1",
                                   headers={"Origin": pages.origin})
    with urllib.request.urlopen(asked, timeout=10) as got:
        wrong += got.headers["Access-Control-Allow-Origin"] != pages.origin
    print(f"the storefront page: {wrong} wrong of 4")
    return wrong


def watch(demo, pages):
    """New events keep arriving; tells which documents changed."""
    shown = [(v, d["id"]) for v, d in expected()
             if v in ("stock", "review_summary", "sales", "shop_products")]
    seen = {pair: demo.get(*pair)[1].get("updatedAt") for pair in shown}
    trickle = subprocess.Popen(
        [sys.executable, SUPPORT / "sample_trickle.py", demo.dir / "events",
         "--interval-ms", "500"], stdout=subprocess.DEVNULL,
        start_new_session=True)
    print(f"\nNew events arrive twice a second. Look for yourself:\n"
          f"  {pages.address('shop-1', demo.base)}   (a shop's page)\n"
          f"  curl -s {demo.base}/v1/shop_products/shop-1\n"
          f"  {demo.admin}/   (plots)\nCtrl-C ends it.\n")
    try:
        while True:
            time.sleep(1)
            demo.check_alive()
            for pair in shown:
                body = demo.get(*pair)[1]
                if body.get("updatedAt") != seen[pair]:
                    seen[pair] = body.get("updatedAt")
                    print(f"changed {pair[0]}/{pair[1]} "
                          f"updatedAt {seen[pair]}", flush=True)
    finally:
        trickle.terminate()
        trickle.wait()


def on_term(_number, _frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--config", help="another source and store, started "
                                         "and filled by you")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, on_term)
    demo = Demo(args.build, args.config and pathlib.Path(args.config))
    pages = PageServer()
    wrong = 1
    try:
        demo.prepare()
        print(f"events, store, logs: {os.path.relpath(demo.dir)}")
        print("$ projector run", "-c", os.path.relpath(demo.config))
        demo.start("projector", "run")
        allow = f"queryapi.cors_origins={pages.origin}"
        print("$ queryapi run -s", allow, "-c", os.path.relpath(demo.config))
        demo.find_listeners(demo.start("queryapi", "run", "-s", allow))
        if not demo.wait_for(*next(iter(expected()))):
            sys.exit("the sample's documents did not arrive")
        if args.once:
            wrong = check(demo) + check_storefront(demo, pages)
            show(demo)
        else:
            wrong = 0
            show(demo)
            watch(demo, pages)
    except KeyboardInterrupt:
        print("\nending")
    finally:
        good = demo.stop()
        pages.stop()
    sys.exit(1 if wrong or not good else 0)


if __name__ == "__main__":
    main()
