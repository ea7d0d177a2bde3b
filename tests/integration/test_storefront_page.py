#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The storefront example (docs/storefront) in a real browser: from an event in
the log, through projector and queryapi, to what is to be seen.

    BUILD=build/release test_storefront_page.py [NAME]...
"""
import http.server
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from archive_writer import ArchiveWriter  # noqa: E402
from browser import Browser  # noqa: E402
from harness import ROOT, Api, Program, Tests, wait_until  # noqa: E402
from page_server import PageServer  # noqa: E402

SCRIPT = "<script>document.title='hurt'</script><img src=x onerror=alert(1)>"
# What a browser says by itself of a server that is away.
AWAY = ("net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET",
        "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_EMPTY_RESPONSE",
        "status of 503")


class Shops:
    """The sample's events and more of them, both programs, and the page."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.parts = []
        shutil.copytree(ROOT / "tests/sample/events", self.dir / "events")
        self.archive = ArchiveWriter(self.dir / "events")
        self.settings = {"source.type": "archive",
                         "source.dir": self.dir / "events",
                         "store.type": "lmdb",
                         "store.path": self.dir / "store"}
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        self.pages = self.ended_by(PageServer())
        self.projector = self.ended_by(Program(
            "projector", ["run"], {**self.settings,
                                   "projector.admin_listen": ""},
            self.dir / "projector.log").start())
        self.api = Api({
            **self.settings, "queryapi.cors_origins": self.pages.origin,
            "page.shop.parts": "shop,shop_products,review_summary",
        }, self.dir / "queryapi.log").start()
        self.ended_by(self.api)
        # Wherever it is started again, pages look for it there.
        self.api.program.settings["queryapi.listen"] = self.api.data
        self.settle("shop-1", lambda page: not page["missing"])
        self.browser = self.ended_by(Browser(self.dir))

    def ended_by(self, part):
        self.parts.append(part)
        return part

    def stop(self):
        for part in reversed(self.parts):
            part.stop()
        self.archive.close()

    def event(self, topic, kind, shop, **data):
        now = time.time()
        self.archive.append(topic, shop, {
            "eventId": data.get("productId") or data.get("reviewId") or shop,
            "eventType": kind, "data": {"shopId": shop, **data},
            "occurrenceDateTime": int(now * 1000)}, int(now * 1000))

    def settle(self, shop, wanted):
        """Until the API answers with a page like that."""
        def look():
            status, _, page = self.api.get(f"/v1/pages/shop/{shop}")
            return status == 200 and wanted(page) and page
        return wait_until(f"the page of {shop}", look)

    def open(self, shop):
        """The shop's page, up to date and listening."""
        self.browser.console()
        self.browser.open(
            self.pages.address(shop, f"http://{self.api.data}"))
        self.browser.wait("#link", ["Live"])
        return self.browser


class InFront:
    """What stands in front of the API while that is away: every stream is
    answered 503, and every page too unless there is one."""

    def __init__(self, address, page=None):
        host, port = address.split(":")
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                stream = self.path.endswith("/events")
                body = json.dumps(page or {"title": "away"}).encode()
                self.send_response(200 if page and not stream else 503)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args):
                pass

        self.server = http.server.ThreadingHTTPServer((host, int(port)),
                                                      Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_exc):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class StorefrontPage(Tests):
    def __init__(self, shops):
        self.shops = shops

    def quiet(self, *allowed):
        said = [line for line in self.shops.browser.console()
                if not any(a in line for a in allowed)]
        assert not said, said

    def a_shop(self, shop, name="가게"):
        self.shops.event("shop", "ShopRegistered", shop, name=name,
                         category="한식", minOrderAmount=9000, deliveryTip=0)
        self.shops.event("shop", "ShopOpened", shop)
        for product, price in (("p-1", 5000), ("p-2", 12500)):
            self.shops.event("product", "ProductRegistered", shop,
                             productId=product, name=f"음식 {product}",
                             price=price)
            self.shops.event("stock", "StockChanged", shop, productId=product,
                             quantity=3, version=1)
        self.shops.settle(shop, lambda page: page["parts"].get(
            "shop", {"document": {}})["document"].get("status") == "OPEN"
            and page["parts"].get("shop_products", {"document": {}})
            ["document"].get("count") == 2)

    def test_it_shows_the_shop_its_menu_and_its_rating(self):
        web = self.shops.open("shop-1")
        web.wait("h1", ["노을분식"])
        web.wait("#shop-status", ["Open now"])
        web.wait("#shop-lead", ["분식 · 서울시 마포구 물빛로 12"])
        web.wait(".facts dd", ["★ 8.0 of 10 · 2 reviews", "₩12,000", "₩2,500",
                               "월-금 10:00–21:30"])
        web.wait("#menu .name", ["국물떡볶이", "찹쌀순대 (간 포함)", "모둠튀김",
                                 "꼬마김밥", "치즈라면", "어묵탕", "컵과일"])
        web.wait("#menu .price", ["₩5,500", "₩5,000", "₩6,000", "₩3,000",
                                  "₩4,600", "₩7,000", "₩2,700"])
        web.wait("#menu .before", ["₩5,200"])
        web.wait(".soldout, .missing, .notice", [])
        web.wait("#average", ["8.0"])
        web.wait("#reviews .text", ["양이 넉넉합니다. 조금 짰지만 만족해요.",
                                    "다시 시켰는데 이번엔 따뜻했어요."])
        web.wait("#reviews .reply", ["죄송합니다. 보온 포장으로 바꿨습니다."])
        assert web.run("return document.title;") == "노을분식"
        self.quiet()

    def test_an_event_changes_it_and_marks_what_is_new(self):
        self.a_shop("s-changes")
        web = self.shops.open("s-changes")
        web.wait("#menu .price", ["₩5,000", "₩12,500"])
        # Kept although the mark itself is gone after a moment.
        web.run("window.marked = new Set(); window.first = "
                "document.querySelector('.product'); new MutationObserver("
                "(all) => all.forEach((m) => m.target.classList.contains("
                "'changed') && marked.add(m.target.textContent))).observe("
                "document.body, {subtree: true, attributeFilter: ['class']});")
        self.shops.event("stock", "StockChanged", "s-changes", productId="p-2",
                         quantity=0, version=2)
        web.wait(".gone .name", ["음식 p-2"])
        web.wait("#menu .soldout", ["Sold out"])
        self.shops.event("price", "PriceChanged", "s-changes",
                         productId="p-1", price=5500)
        web.wait("#menu .price", ["₩5,500", "₩12,500"])
        self.shops.event("review", "ReviewPosted", "s-changes",
                         reviewId="r-1", rating=7, text="맛있어요")
        web.wait("#fact-rating", ["★ 7.0 of 10 · 1 review"])
        self.shops.event("review", "ReviewPosted", "s-changes",
                         reviewId="r-2", rating=10, text="또 올게요")
        web.wait("#reviews .text", ["또 올게요", "맛있어요"])
        web.wait("#average", ["8.5"])
        self.shops.event("product", "ProductDeleted", "s-changes",
                         productId="p-2")
        web.wait("#menu .name", ["음식 p-1"])
        self.shops.event("shop", "ShopClosed", "s-changes")
        web.wait("#shop-status", ["Closed now"])
        marked = set(web.run("return Array.from(marked);"))
        assert {"Sold out", "₩5,500", "8.5", "Closed now"} <= marked, marked
        # What has not changed is neither marked nor made anew.
        assert not {"음식 p-1", "₩12,500", "가게"} & marked, marked
        assert web.run("return first.isConnected;")
        web.wait("#link", ["Live"])
        self.quiet()

    def test_it_survives_a_restart_and_shows_what_changed_meanwhile(self):
        self.a_shop("s-restart")
        web = self.shops.open("s-restart")
        web.wait("#menu .price", ["₩5,000", "₩12,500"])
        web.run("window.same = true;")
        assert self.shops.api.stop() == 0
        web.wait("#link", ["Reconnecting…"])
        web.wait("h1", ["가게"])
        self.shops.event("price", "PriceChanged", "s-restart",
                         productId="p-2", price=13000)
        self.shops.api.start()
        web.wait("#link", ["Live"])
        web.wait("#menu .price", ["₩5,000", "₩13,000"])
        assert web.run("return window.same;"), "it was loaded anew"
        self.quiet(*AWAY)

    def test_it_comes_back_from_answers_that_are_no_streams(self):
        """A browser gives a stream up for good that is answered 503."""
        self.a_shop("s-refused")
        web = self.shops.open("s-refused")
        web.wait("#menu .price", ["₩5,000", "₩12,500"])
        assert self.shops.api.stop() == 0
        with InFront(self.shops.api.data) as proxy:
            web.until("two streams asked for", lambda: [
                path.endswith("/events") for path in proxy.asked].count(True) > 1)
            web.wait("#link", ["Reconnecting…"])
            web.wait("#menu .price", ["₩5,000", "₩12,500"])
            web.wait(".notice, .missing", ["Reviews are on their way."])
        self.shops.event("price", "PriceChanged", "s-refused",
                         productId="p-1", price=6000)
        self.shops.api.start()
        web.wait("#link", ["Live"])
        web.wait("#menu .price", ["₩6,000", "₩12,500"])
        self.quiet(*AWAY)

    def test_what_is_late_leaves_what_is_there(self):
        self.a_shop("s-late")
        web = self.shops.open("s-late")
        web.wait("#menu .price", ["₩5,000", "₩12,500"])
        assert self.shops.api.stop() == 0
        with InFront(self.shops.api.data, page={
                "id": "s-late",
                "parts": {"shop": {"revision": 9, "document": {
                    "id": "s-late", "name": "다른 이름"}}},
                "missing": {"shop_products": "late",
                            "review_summary": "late"}}):
            web.wait("h1", ["다른 이름"])
            web.wait("#menu .price", ["₩5,000", "₩12,500"])
            web.wait(".missing",
                     ["This takes a moment longer than usual."])
        self.shops.api.start()
        web.wait("h1", ["가게"])
        web.wait(".missing", ["Reviews are on their way."])
        self.quiet(*AWAY)

    def test_a_part_that_is_not_there_is_said_in_its_place(self):
        self.a_shop("s-bare")
        web = self.shops.open("s-bare")
        web.wait("h1", ["가게"])
        web.wait(".missing", ["Reviews are on their way."])
        web.wait(".facts dd", ["₩9,000", "Free"])
        web.wait("#score, #reviews", [])
        self.shops.event("review", "ReviewPosted", "s-bare", reviewId="r-3",
                         rating=9, text="좋아요")
        web.wait(".missing", [])
        web.wait("#reviews .text", ["좋아요"])
        self.shops.event("shop", "ShopTerminated", "s-bare")
        web.wait(".missing", ["This shop has closed for good."])
        web.wait("#shop-status, #shop-lead", [])
        self.quiet()

    def test_a_shop_nobody_knows_is_said_and_shown_when_it_comes(self):
        web = self.shops.open("s-new")
        web.wait(".notice", ["Nothing is known of “s-new” yet."])
        web.wait("section", [])
        self.a_shop("s-new", "새 가게")
        web.wait("h1", ["새 가게"])
        web.wait(".notice", [])
        # The browser's own word on the first answer.
        self.quiet("status of 404")

    def test_text_of_a_document_is_never_markup(self):
        self.a_shop("s-text", SCRIPT)
        self.shops.event("review", "ReviewPosted", "s-text", reviewId="r-4",
                         rating=1, text=SCRIPT, memberId=SCRIPT)
        self.shops.event("product", "ProductInfoChanged", "s-text",
                         productId="p-1", name=SCRIPT)
        self.shops.settle("s-text", lambda page: not page["missing"])
        web = self.shops.open("s-text")
        web.wait("h1", [SCRIPT])
        web.wait("#menu .name", [SCRIPT, "음식 p-2"])
        web.wait("#reviews .text", [SCRIPT])
        web.wait("#reviews .who", [SCRIPT])
        assert web.run("return document.title;") == SCRIPT
        assert web.run("return document.querySelectorAll("
                       "'body script, main img').length;") == 0
        self.quiet()

    def test_it_fits_a_phone(self):
        web = self.shops.browser
        web.size(390, 844)
        self.shops.open("shop-1").wait("h1", ["노을분식"])
        wide = web.run("return document.documentElement.scrollWidth;")
        web.size(1280, 900)
        assert wide == 390, wide


def main():
    # A browser that was ended may still be putting its profile away.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        shops = Shops(directory)
        try:
            return StorefrontPage(shops).run()
        finally:
            shops.stop()


if __name__ == "__main__":
    sys.exit(main())
