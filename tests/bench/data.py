# SPDX-License-Identifier: Apache-2.0
"""The documents that the read benchmark reads.

Shops of an exact size as served, registered by events that the projector
itself folds and writes: what is stored is what a real installation has.
"""
import json
import random
import sys

from paths import SUPPORT

sys.path.append(str(SUPPORT))
from archive_writer import archive_line, partition_of  # noqa: E402

PARTITIONS = 4
TOPIC = "shop"
BEGIN_MS = 1_700_000_000_000
DAYS = "월화수목금토일"


def key_of(number):
    return f"shop-{number:07d}"


def served(data, updated_at):
    """As queryapi answers: a check of the sizes, not of queryapi."""
    return json.dumps({"id": data["shopId"], **data, "status": "REGISTERED",
                       "complete": True, "updatedAt": updated_at},
                      ensure_ascii=False, separators=(",", ":")).encode()


def shop(number, size):
    """The data of one ShopRegistered; `size` bytes when it is served."""
    data = {
        "shopId": key_of(number), "name": f"가게 {number}",
        "category": ("분식", "카페", "일식", "치킨")[number % 4],
        "address": "서울시 마포구 물빛로 12, ",
        "areaId": ("mapo", "yongsan", "jongno")[number % 3],
        "location": {"lat": round(37.5 + number % 977 / 10000, 4),
                     "lng": round(126.9 + number % 991 / 10000, 4)},
        "minOrderAmount": 9000 + number % 20 * 500,
        "deliveryTip": 1000 + number % 7 * 500,
        "hours": [{"days": DAYS[i % 7], "open": "10:00", "close": "15:00",
                   "lastOrder": "14:30"} for i in range(14 * size // 2048)],
        "imageUrl": f"https://img.example/{key_of(number)}.jpg"}
    missing = size - len(served(data, "2023-11-14T22:13:20.000Z"))
    assert missing >= 0, (number, size)
    data["address"] += ("abcdefghi " * (missing // 10 + 1))[:missing]
    return data


def event(kind, number, data, at_ms):
    return {"eventId": f"{kind}-{number}-{at_ms}", "eventType": kind,
            "data": data, "occurrenceDateTime": at_ms}


class Archive:
    """shop/N.ndjson files that are written in pieces."""

    def __init__(self, directory):
        folder = directory / TOPIC
        folder.mkdir(parents=True)
        self.files = [open(folder / f"{p}.ndjson", "ab", buffering=1 << 20)
                      for p in range(PARTITIONS)]
        self.offsets = [0] * PARTITIONS

    def append(self, key, value, at_ms):
        p = partition_of(key, PARTITIONS)
        self.files[p].write(archive_line(TOPIC, p, self.offsets[p], at_ms,
                                         key, value))
        self.offsets[p] += 1

    def flush(self):
        for file in self.files:
            file.flush()

    def close(self):
        for file in self.files:
            file.close()


def register_all(archive, count, size):
    for number in range(count):
        archive.append(key_of(number), event(
            "ShopRegistered", number, shop(number, size), BEGIN_MS), BEGIN_MS)
    archive.flush()


def ranked_keys(count, seed):
    """All keys in an order of popularity that has nothing to do with theirs."""
    keys = [key_of(n) for n in range(count)]
    random.Random(seed).shuffle(keys)
    return keys
