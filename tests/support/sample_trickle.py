#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps a sample store front alive: appends fresh events to an archive.

    sample_trickle.py DIR [--count N] [--interval-ms M] [--seed S]

DIR is a copy of tests/sample/events. Offsets and partitions are continued,
each event is one whole line written at once. Ends after N events, or on
Ctrl-C, and says how many it wrote.
"""

import argparse
import collections
import datetime
import json
import pathlib
import random
import sys
import time

from archive_writer import ArchiveWriter
from reference_input import read_record
from storefront import Storefront, record


def learn(front, directory):
    """What a new event has to fit: shops, products, coupons, reviews, ids."""
    for path in sorted(pathlib.Path(directory).glob("*/*.ndjson")):
        with open(path, "rb") as lines:
            for line in lines:
                value = read_record(line).value
                if isinstance(value, dict) and "data" in value:
                    learn_event(front, value["eventType"], value["data"])
    for shop, product in list(front.products):
        if "name" not in front.products[shop, product]:
            del front.products[shop, product]


def learn_event(front, kind, data):
    shop = data.get("shopId")
    pair = (shop, data.get("productId"))
    if kind in ("ShopOpened", "ShopRegistered"):
        front.open[shop] = kind == "ShopOpened" or front.open.get(shop, False)
    elif kind in ("ShopClosed", "ShopSuspended", "ShopTerminated"):
        front.open[shop] = False
    elif pair[1] is not None and "rating" not in data:
        entry = front.products.setdefault(pair, {"price": 5000, "quantity": 20})
        entry.update({n: data[n] for n in ("name", "price", "version") if data.get(n)})
        entry["quantity"] = data.get("quantity", entry["quantity"])
        if kind == "ProductDeleted":
            entry.pop("name", None)
    elif kind in ("ReviewPosted", "ReviewEdited"):
        front.reviews[data["reviewId"]] = [shop, data["rating"]]
    elif kind in ("ReviewDeleted", "ReviewBlinded"):
        front.reviews.pop(data["reviewId"], None)
    elif kind == "CouponPolicyCreated":
        front.coupons[data["couponId"]] = data["totalQuantity"]
    elif kind == "CouponIssued" and data["couponId"] in front.coupons:
        front.coupons[data["couponId"]] -= 1
    for name in ("orderId", "deliveryId", "reviewId"):
        letter, _, number = str(data.get(name, "")).partition("-")
        if letter in front.numbers and number.isdecimal():
            front.numbers[letter] = max(front.numbers[letter], int(number))


def something(front, now):
    """One thing that happens now: a list of events."""
    choices = {"stock": 40, "review": 12, "coupon": 8, "price": 10}
    if front.sellable():
        choices["order"] = 30
    if not front.products:
        del choices["stock"], choices["price"]
    if not front.open:
        del choices["review"]
    if not front.coupons:
        del choices["coupon"]
    if not choices:
        sys.exit("no shops, products or coupons in this archive to go on with")
    names = list(choices)
    name = front.random.choices(names, weights=choices.values())[0]
    return getattr(front, "some_" + name)(now)


def trickle(front, archive, count, pause):
    """Writes events as they come; what follows an order comes in between."""
    waiting, written = collections.deque(), 0
    try:
        while count is None or written < count:
            now = datetime.datetime.now(datetime.timezone.utc)
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            if not waiting or front.random.random() < 0.5:
                first, *later = something(front, now)
                waiting.extend(later)
            else:
                first = waiting.popleft()
            archive.append(*record((now, *first[1:]), written))
            written += 1
            if pause:
                time.sleep(pause)
    except KeyboardInterrupt:
        pass
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory")
    parser.add_argument("--count", type=int)
    parser.add_argument("--interval-ms", type=int, default=500)
    parser.add_argument("--seed", type=int)
    args = parser.parse_args()
    front = Storefront(random.Random(args.seed))
    try:
        learn(front, args.directory)
        archive = ArchiveWriter(args.directory)
        pause = args.interval_ms / 1000
        written = trickle(front, archive, args.count, pause)
        archive.close()
    except KeyboardInterrupt:
        written = 0
    except (OSError, ValueError) as fault:
        sys.exit(f"sample_trickle: {fault}")
    print(json.dumps({"written": written}))


if __name__ == "__main__":
    main()
