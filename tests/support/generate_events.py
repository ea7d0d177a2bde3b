#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random events of all topics, as an archive, for interleavings and load.

    generate_events.py --seed S --events N --out DIR
                       [--partitions P] [--topics A,B] [--hostile-permille H]
                       [--sequence [--gap-permille G]]

Ids come from small pools, so documents collide, events come before what they
refer to, and deletions and revivals are frequent. With --sequence each key's
events of a topic are numbered from 1, some twice; before G of a thousand (2 when
not given) a number is missing.

Of a thousand values H are hostile (hostile_events.py): undecodable, with fields
at fault, too large to be counted; and of a thousand ids H are awkward ones. Some
keys come as JSON strings, some are no UTF-8, some are missing. A key that had a
hostile value is mostly healthy afterwards. All records that belong to one key
are in its partition whatever their record keys look like, so the result is one
however the partitions meet. The same arguments give the same archive.
"""

import argparse
import datetime
import random
import sys

from archive_writer import ArchiveWriter
from hostile_events import Hostility
from reference_input import ALIASES, TOPICS

TEXTS = ["맛있어요", "보통", "", "다시 올게요 🍜", 'quote " and \\', "line\nbreak"]
WEIGHTS = {
    "shop": 4, "product": 12, "price": 12, "stock": 30, "order": 15,
    "delivery": 12, "review": 10, "coupon": 8,
}  # fmt: skip
KEYS = {"order": "orderId", "delivery": "deliveryId", "coupon": "couponId"}
KOREAN = {english: korean for korean, english in ALIASES.items()}
TOMBSTONE_PERMILLE = {"shop": 20, "product": 2, "price": 2, "stock": 2}
AGAIN_PERMILLE = 125  # of the hostile values for a key that had one
START_MS = 1793577600000  # 2026-11-02 09:00:00 in Seoul


class Generator:
    def __init__(self, seed, events, hostile=0, gaps=None, topics=TOPICS):
        """gaps None: nothing is numbered."""
        self.random = random.Random(seed)
        self.weights = {t: n for t, n in WEIGHTS.items() if t in topics}
        self.sequences, self.gaps = {}, gaps
        self.hostile, self.spoiled = hostile, set()
        self.hostility = Hostility(self.random)
        pool = max(4, int(events**0.5) // 4)
        self.pools = {
            "shopId": [f"shop-{n}" for n in range(max(3, pool // 2))],
            "productId": [f"p-{n}" for n in range(8)],
            "orderId": [f"o-{n}" for n in range(pool * 6)],
            "deliveryId": [f"d-{n}" for n in range(pool * 5)],
            "couponId": [f"c-{n}" for n in range(max(3, pool // 3))],
            "memberId": [f"m-{n}" for n in range(pool * 2)],
            "riderId": [f"rider-{n}" for n in range(6)],
            "areaId": ["mapo", "yongsan"],
            "categoryId": ["main", "side"],
        }
        self.posted, self.next_review = [], 0
        self.clock = START_MS

    def chance(self, permille):
        return self.random.randrange(1000) < permille

    def pick(self, name):
        if self.hostile and self.chance(self.hostile):
            return self.hostility.awkward_id()
        return self.random.choice(self.pools[name])

    def review_id(self, kind):
        """Posted reviews are new; the others mostly mean one of the newest."""
        if kind == "ReviewPosted" or not self.posted:
            self.next_review += 1
            self.posted = [*self.posted[-40:], f"r-{self.next_review}"]
            return self.posted[-1]
        return self.random.choice(self.posted)

    def time(self):
        """Milliseconds around a clock that moves on: late and equal times."""
        self.clock += self.random.randrange(0, 90_000)
        late = self.random.choice([0, 0, 0, 1_000, 3_600_000])
        return self.clock - self.random.randrange(0, late + 1)

    def written(self, ms):
        form = self.random.randrange(4)
        if form == 0:
            return ms
        seconds, millis = divmod(ms, 1000)
        # Seoul has been at +09:00 all year round since 1988.
        local = iso(seconds + 9 * 3600)
        if form == 1:
            return f"{local[:10]}T{local[11:]}.{millis:03d}+09:00"
        if form == 2:
            return f"{iso(seconds).replace(' ', 'T')}.{millis:03d}Z"
        return f"{local}.{millis:03d}"

    def value(self, name, kind):
        draw = self.random
        if name == "reviewId":
            return self.review_id(kind)
        if name in self.pools:
            return self.pick(name)
        if name in ("quantity", "version"):
            return draw.randint(-2, 9)
        if name in ("rating", "previousRating"):
            return draw.randint(1, 10)
        if name == "soldOut":
            return draw.random() < 0.5
        if name in ("eta", "opensAt", "closesAt"):
            return self.written(self.clock + draw.randrange(10**7))
        if name == "totalQuantity":
            return draw.randint(0, 60)
        if name == "location":
            return {"lat": 37.5, "lng": 126 + draw.randrange(100) / 128}
        if name in ("hours", "options", "imageUrls"):
            return [draw.choice(TEXTS) for _ in range(draw.randint(0, 2))]
        if name == "lines":
            return [self.line() for _ in range(draw.randint(0, 3))]
        if name in ("name", "text", "description", "reason", "address",
                    "category", "imageUrl"):  # fmt: skip
            return draw.choice(TEXTS)
        return draw.randint(0, 50) * 100

    def line(self):
        line = {"productId": self.pick("productId")}
        if self.chance(500):
            line["name"] = self.random.choice(TEXTS)
        line["quantity"] = self.random.randint(0, 4)
        line["unitPrice"] = self.random.randint(0, 50) * 100
        return line

    def data(self, kind, fields):
        data = {}
        for field in fields.split():
            name, mark = field.rstrip("!~?"), field[-1]
            if mark == "!":
                data[name] = self.value(name, kind)
            elif self.chance(450):
                null = mark != "~" and self.chance(200)
                data[name] = None if null else self.value(name, kind)
        return data

    def record(self):
        """ArchiveWriter.append()'s arguments for the next record."""
        topic = self.random.choices(*zip(*self.weights.items()))[0]
        types = list(TOPICS[topic])
        kind = self.random.choice(types)
        data = self.data(kind, TOPICS[topic][kind])
        owner, ms = data[KEYS.get(topic, "shopId")], self.time()
        if self.chance(TOMBSTONE_PERMILLE.get(topic, 10)):
            value = None
        else:
            value = self.event(owner, kind, data, ms)
            if self.gaps is not None:
                value["sequence"] = self.next_number(topic, owner)
            if self.is_to_be_spoiled(topic, owner):
                value = self.hostility.spoil(value, TOPICS[topic][kind])
        key = self.hostility.record_key(owner) if self.hostile else owner
        return topic, key, value, ms, owner

    def event(self, owner, kind, data, ms):
        spelling = self.random.choice(["occurrence", "occurence"])
        name = KOREAN[kind] if kind in KOREAN and self.chance(300) else kind
        value = {"eventId": owner, "eventType": name, "data": data}
        if not self.chance(50):
            value[spelling + "DateTime"] = self.written(ms)
        return value

    def next_number(self, topic, owner):
        last = self.sequences.get((topic, owner), 0)
        last += not (last and self.chance(50))
        last += self.chance(self.gaps)
        self.sequences[topic, owner] = last
        return last

    def is_to_be_spoiled(self, topic, owner):
        if not self.hostile or not self.chance(self.hostile):
            return False
        again = (topic, owner) in self.spoiled
        self.spoiled.add((topic, owner))
        return not again or self.chance(AGAIN_PERMILLE)


def iso(seconds):
    """UTC `yyyy-MM-dd HH:mm:ss`."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--hostile-permille", type=int, default=0)
    parser.add_argument("--topics", default=",".join(TOPICS))
    parser.add_argument("--sequence", action="store_true")
    parser.add_argument("--gap-permille", type=int, default=2)
    args = parser.parse_args(argv)
    topics = args.topics.split(",")
    if unknown := set(topics) - set(TOPICS):
        sys.exit(f"generate_events: unknown topics {sorted(unknown)}")
    archive = ArchiveWriter(args.out, args.partitions)
    if archive.topics:
        sys.exit(f"generate_events: {args.out} holds an archive already")
    for topic in topics:
        archive.open_topic(topic, args.partitions)
    gaps = args.gap_permille if args.sequence else None
    source = Generator(
        args.seed, args.events, args.hostile_permille, gaps, topics
    )
    for _ in range(args.events):
        archive.append(*source.record())
    archive.close()


if __name__ == "__main__":
    main()
