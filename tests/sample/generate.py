#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the sample archive: a week of a small made-up store front.

    tests/sample/generate.py [DIR]      (default: next to this file)

Writes DIR/events/TOPIC/PARTITION.ndjson and, by the reference projections,
DIR/expected/VIEW.ndjson. The same every time: what is checked in is what this
prints.
"""

import datetime
import pathlib
import random
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import reference  # noqa: E402
from archive_writer import ArchiveWriter  # noqa: E402
from reference_input import TOPICS  # noqa: E402
from reference_views import VIEWS  # noqa: E402
from storefront import SEOUL, Storefront, record  # noqa: E402

PARTITIONS = 2
HOURS = [{"days": "월-금", "open": "10:00", "close": "21:30"}]

SHOPS = {
    "shop-1": {
        "name": "노을분식",
        "category": "분식",
        "address": "서울시 마포구 물빛로 12",
        "areaId": "mapo",
        "location": {"lat": 37.5512, "lng": 126.9139},
        "minOrderAmount": 12000,
        "deliveryTip": 2500,
        "hours": HOURS,
        "imageUrl": "https://img.example/shop-1.jpg",
    },
    "shop-2": {
        "name": "구름국수집",
        "category": "한식",
        "address": "서울시 서대문구 솔바람길 3",
        "areaId": "seodaemun",
        "location": {"lat": 37.5661, "lng": 126.9387},
        "minOrderAmount": 14000,
        "deliveryTip": 3000,
        "imageUrl": "https://img.example/shop-2.jpg",
    },
    "shop-3": {
        "name": "달토끼카페",
        "category": "카페",
        "areaId": "mapo",
        "minOrderAmount": 9000,
        "deliveryTip": 2000,
        "hours": HOURS,
    },
    "shop-4": {"name": "바다고양이횟집", "category": "일식", "areaId": "yongsan"},
}
MENU = {
    "shop-1": [
        ("국물떡볶이", 5500), ("찹쌀순대", 5000), ("모둠튀김", 6000),
        ("꼬마김밥", 3500), ("치즈라면", 5500), ("어묵탕", 7000),
        ("컵과일", 3000),
    ],
    "shop-2": [
        ("멸치국수", 7000), ("비빔국수", 7500), ("들깨칼국수", 9000),
        ("왕만두", 6000), ("해물파전", 13000), ("콩국수", 9500),
    ],
    "shop-3": [
        ("달빛라떼", 5500), ("아메리카노", 4000), ("쑥크림케이크", 6800),
        ("귤에이드", 5800), ("흑임자쿠키", 2800), ("토끼마카롱", 3200),
        ("보리차", 2500),
    ],
    "shop-4": [
        ("모둠회 소", 38000), ("연어덮밥", 15000), ("물회", 18000),
        ("매운탕", 22000), ("회무침", 24000),
    ],
}  # fmt: skip


def at(day, clock):
    local = f"2026-11-{day:02d} {clock}"
    return datetime.datetime.strptime(local, "%Y-%m-%d %H:%M:%S").replace(
        tzinfo=SEOUL
    )


def opening(front):
    """Registrations, first stock, coupons: what every story starts with."""
    events = []
    for number, (shop, fields) in enumerate(SHOPS.items()):
        data = {"shopId": shop, **fields}
        time = at(2, f"08:{number * 7:02d}:00")
        events.append((time, "shop", "ShopRegistered", data))
        for index, (name, price) in enumerate(MENU[shop]):
            ids = {"shopId": shop, "productId": f"{shop[-1]}{index + 1:02d}"}
            time = at(2, f"08:{30 + number * 7:02d}:{index * 5:02d}")
            data = {**ids, "name": name, "price": price}
            if index < 4:
                data["categoryId"] = "main" if price > 5000 else "side"
            if index == 0:
                data["description"] = f"{fields['name']}의 대표 메뉴"
                data["options"] = [{"name": "양", "values": ["보통", "곱빼기"]}]
                data["imageUrl"] = f"https://img.example/{ids['productId']}.jpg"
            events.append((time, "product", "ProductRegistered", data))
            entry = {"name": name, "price": price}
            front.products[shop, ids["productId"]] = entry
            events += front.stock(
                at(2, f"09:{number * 7:02d}:{index * 5:02d}"),
                shop, ids["productId"], 20 + 5 * (index % 4),
            )  # fmt: skip
        front.open[shop] = True
        opened = at(2, f"10:0{number}:00")
        events.append((opened, "shop", "ShopOpened", {"shopId": shop}))
    return events


def coupons(front):
    policies = {
        "coupon-welcome": ("첫 주문 3천원 할인", 3000, 200, None),
        "coupon-noodle": ("구름국수집 2천원 할인", 2000, 3, "shop-2"),
        "coupon-late": ("밤 주문 1천원 할인", 1000, 50, None),
    }
    events = []
    for index, (coupon, policy) in enumerate(policies.items()):
        name, amount, total, shop = policy
        data = {"couponId": coupon, "name": name, "amount": amount}
        data["totalQuantity"] = total
        if shop:
            data["shopId"] = shop
        data["opensAt"] = "2026-11-02 10:00:00"
        if index:
            data["closesAt"] = "2026-11-08T23:59:59+09:00"
        time = at(2, f"09:50:{index:02d}")
        events.append((time, "coupon", "CouponPolicyCreated", data))
        front.coupons[coupon] = total
    for index in range(6):
        who = {"couponId": "coupon-noodle", "memberId": f"member-{index + 1:02d}"}
        time = at(2, f"10:00:{index:02d}")
        events.append((time, "coupon", "CouponApplied", who))
        kind = "CouponIssued" if index < 3 else "CouponIssueRejected"
        data = who if index < 3 else {**who, "reason": "수량 소진"}
        events.append((time, "coupon", kind, data))
    front.coupons["coupon-noodle"] = 0
    used = {"couponId": "coupon-noodle", "memberId": "member-02"}
    order = {**used, "orderId": "o-1002"}
    events.append((at(3, "12:10:00"), "coupon", "CouponUsed", order))
    events.append((at(3, "12:30:00"), "coupon", "CouponUseCancelled", order))
    first = {"couponId": "coupon-noodle", "memberId": "member-01"}
    first["orderId"] = "o-1004"
    events.append((at(3, "18:40:00"), "coupon", "CouponUsed", first))
    late = {"couponId": "coupon-late"}
    events.append((at(9, "00:00:00"), "coupon", "CouponExpired", late))
    return events


def turns():
    """What happens to shops, products and reviews once."""

    def shop(day, clock, kind, shop, **data):
        return (at(day, clock), "shop", kind, {"shopId": shop, **data})

    def product(day, clock, kind, product, **data):
        ids = {"shopId": f"shop-{product[0]}", "productId": product}
        return (at(day, clock), "product", kind, {**ids, **data})

    review = {"shopId": "shop-1", "reviewId": "r-8001"}
    spam = {"shopId": "shop-3", "reviewId": "r-8002"}
    gone = {"shopId": "shop-2", "reviewId": "r-8003"}
    return [
        shop(3, "21:30:00", "ShopClosed", "shop-1"),
        shop(4, "10:00:00", "ShopOpened", "shop-1"),
        shop(4, "15:00:00", "ShopSuspended", "shop-3", reason="기계 고장"),
        shop(5, "10:00:00", "ShopOpened", "shop-3"),
        shop(5, "11:00:00", "ShopInfoChanged", "shop-2", deliveryTip=2000,
             hours=HOURS),
        shop(7, "22:00:00", "ShopClosed", "shop-2", reason="재료 소진"),
        shop(6, "20:00:00", "ShopTerminated", "shop-4"),
        shop(8, "09:00:00", "ShopRegistered", "shop-4", name="바다고양이덮밥",
             category="일식", areaId="yongsan", minOrderAmount=15000),
        product(3, "09:00:00", "ProductHidden", "205"),
        product(4, "09:30:00", "ProductInfoChanged", "102",
                name="찹쌀순대 (간 포함)", imageUrl="https://img.example/102.jpg"),
        product(5, "09:30:00", "ProductShown", "205"),
        product(5, "10:00:00", "ProductHidden", "307"),
        product(6, "20:05:00", "ProductDeleted", "404"),
        product(6, "20:05:01", "ProductDeleted", "405"),
        product(8, "09:05:00", "ProductRegistered", "404",
                name="매운탕 덮밥", price=16000),
        product(7, "09:00:00", "ProductInfoChanged", "101", description=None),
        (at(2, "19:00:00"), "review", "ReviewPosted",
         {**review, "rating": 4, "text": "조금 식어서 왔어요.",
          "memberId": "member-07"}),
        (at(2, "20:00:00"), "review", "OwnerReplied",
         {**review, "text": "죄송합니다. 보온 포장으로 바꿨습니다."}),
        (at(4, "12:00:00"), "review", "ReviewEdited",
         {**review, "rating": 8, "previousRating": 4,
          "text": "다시 시켰는데 이번엔 따뜻했어요."}),
        (at(3, "19:00:00"), "review", "ReviewPosted",
         {**spam, "rating": 1, "text": "광고 광고 광고", "memberId": "member-24"}),
        (at(3, "19:30:00"), "review", "ReviewBlinded", {**spam, "rating": 1}),
        (at(3, "13:00:00"), "review", "ReviewPosted",
         {**gone, "rating": 6, "text": "보통이에요.", "memberId": "member-11"}),
        (at(5, "13:00:00"), "review", "ReviewDeleted", {**gone, "rating": 6}),
        (at(6, "18:00:00"), "stock", "SoldOut",
         {"shopId": "shop-2", "productId": "204"}),
        (at(7, "10:00:00"), "stock", "Restocked",
         {"shopId": "shop-2", "productId": "204", "quantity": 30}),
        (at(5, "12:30:00"), "order", "OrderCreated",
         {"orderId": "o-0999", "shopId": "shop-4", "memberId": "member-05",
          "lines": [{"productId": "402", "name": "연어덮밥", "quantity": 2,
                     "unitPrice": 15000}], "totalAmount": 30000}),
        (at(5, "12:31:00"), "order", "OrderRejected",
         {"orderId": "o-0999", "shopId": "shop-4"}),
        (at(6, "23:58:00"), "order", "OrderCreated",
         {"orderId": "o-0998", "shopId": "shop-1",
          "lines": [{"productId": "101", "name": "국물떡볶이", "quantity": 1,
                     "unitPrice": 5500}], "totalAmount": 5500}),
        (at(7, "00:03:00"), "order", "OrderCancelled",
         {"orderId": "o-0998", "shopId": "shop-1", "totalAmount": 5500,
          "reason": "주문 실수"}),
        (at(4, "18:00:00"), "delivery", "DeliveryCreated",
         {"deliveryId": "d-4999", "orderId": "o-0997", "shopId": "shop-3",
          "areaId": "mapo"}),
        (at(4, "18:02:00"), "delivery", "RiderAssigned",
         {"deliveryId": "d-4999", "riderId": "rider-2"}),
        (at(4, "18:03:00"), "delivery", "RiderUnassigned",
         {"deliveryId": "d-4999", "reason": "오토바이 고장"}),
        (at(4, "18:10:00"), "delivery", "DeliveryCancelled",
         {"deliveryId": "d-4999", "reason": "배차 실패"}),
    ]  # fmt: skip


def rush_hour(front, day, hour):
    """One order on odd days, two on even ones, in the order of their time."""
    draw = front.random.randint
    clocks = [(draw(0, 59), draw(0, 59)) for _ in range(2 - day % 2)]
    events = []
    for minute, second in sorted(clocks):
        events += front.some_order(at(day, f"{hour}:{minute:02d}:{second:02d}"))
    return events


def story():
    front = Storefront(random.Random(20261102))
    events = opening(front) + coupons(front) + turns()
    for day in range(2, 9):
        if day == 7:
            front.open["shop-4"] = False
        events += front.some_price(at(day, "07:00:00"))
        if day > 4:
            events += front.some_stock(at(day, "08:30:00"))
        events += front.some_coupon(at(day, "11:00:00"))
        events += rush_hour(front, day, 12)
        events += front.some_price(at(day, "16:20:00"))
        events += rush_hour(front, day, 18)
        events += front.some_review(at(day, f"20:{day:02d}:00"))
        events += front.some_review(at(day, f"21:{day:02d}:30"))
    return sorted(events, key=lambda event: event[0])


def main():
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name in ("events", "expected"):
        shutil.rmtree(target / name, ignore_errors=True)
    archive = ArchiveWriter(target / "events", PARTITIONS)
    for topic in sorted(TOPICS):
        archive.open_topic(topic, PARTITIONS)
    for count, event in enumerate(story()):
        archive.append(*record(event, count))
    archive.close()
    (target / "expected").mkdir(parents=True)
    for name in VIEWS:
        lines = reference.read_lines([target / "events"])
        view, parked = reference.fold_lines(name, lines)
        if parked:
            sys.exit(f"{name}: parked {parked}")
        documents = [reference.to_json(doc) + "\n" for doc in view.output()]
        path = target / "expected" / f"{name}.ndjson"
        path.write_text("".join(documents), encoding="utf-8")


if __name__ == "__main__":
    main()
