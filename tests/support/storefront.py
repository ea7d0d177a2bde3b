# SPDX-License-Identifier: Apache-2.0
"""A small made-up store front that says what happens to it, as events.

`Storefront` holds the shops, products and orders in hand and turns wishes
("somebody orders") into (time, topic, type, data) tuples. The sample archive
and the trickle of fresh events are both made of it. All names are invented.
"""

import datetime

SEOUL = datetime.timezone(datetime.timedelta(hours=9))
KEYS = {"order": "orderId", "delivery": "deliveryId", "coupon": "couponId"}
KOREAN = {
    "DeliveryCreated": "배달생성",
    "RiderAssigned": "배차완료",
    "RiderUnassigned": "배차취소",
    "PickedUp": "픽업완료",
    "DeliveryCompleted": "배달완료",
    "DeliveryCancelled": "배달취소",
}
REVIEWS = [
    (10, "국물이 정말 진하고 맛있어요. 또 시킬게요!"),
    (9, "포장이 꼼꼼하고 아직 따뜻했어요."),
    (8, "양이 넉넉합니다. 조금 짰지만 만족해요."),
    (7, "무난하게 잘 먹었습니다."),
    (5, "맛은 괜찮은데 배달이 늦었어요."),
    (3, "주문한 것과 다른 메뉴가 왔습니다."),
    (10, None),
]
REPLIES = ["맛있게 드셔 주셔서 감사합니다.", "불편을 드려 죄송합니다. 더 신경 쓰겠습니다."]
AREAS = ["mapo", "seodaemun", "yongsan"]


def seconds(number):
    return datetime.timedelta(seconds=number)


def envelope(kind, target, data, time, count):
    """The topic value; its time in the form and spelling of the count."""
    spelling = "occurenceDateTime" if count % 3 == 1 else "occurrenceDateTime"
    local = time.astimezone(SEOUL)
    if count % 5 == 2:
        written = local.isoformat(timespec="seconds")
    elif count % 5 == 4:
        written = int(time.timestamp() * 1000)
    else:
        written = local.strftime("%Y-%m-%d %H:%M:%S")
        if local.microsecond:
            written += f".{local.microsecond // 1000:03d}"
    if count % 4 == 3:
        kind = KOREAN.get(kind, kind)
    return {
        "eventId": target,
        "eventType": kind,
        "data": data,
        spelling: written,
    }


def record(event, count):
    """(topic, key, value, timestamp in ms) of an event, for an archive."""
    time, topic, kind, data = event
    key = data[KEYS.get(topic, "shopId")]
    target = data.get("productId") or data.get("reviewId") or key
    value = envelope(kind, target, data, time, count)
    return topic, key, value, int(time.timestamp() * 1000) + 40


class Storefront:
    def __init__(self, random):
        self.random = random
        self.products = {}  # (shopId, productId) -> {name, price, quantity}
        self.open = {}  # shopId -> True while it takes orders
        self.reviews = {}  # reviewId -> [shopId, rating]
        self.coupons = {}  # couponId -> left
        self.numbers = {"o": 1000, "d": 5000, "r": 9000}

    def number(self, letter):
        self.numbers[letter] += 1
        return f"{letter}-{self.numbers[letter]}"

    def member(self):
        return f"member-{self.random.randint(1, 24):02d}"

    def sellable(self):
        return [pair for pair in self.products if self.open.get(pair[0])]

    # Each of these returns a list of events.

    def stock(self, time, shop, product, quantity):
        self.products[shop, product]["quantity"] = quantity
        version = self.products[shop, product].get("version", 0) + 1
        self.products[shop, product]["version"] = version
        data = {"shopId": shop, "productId": product, "quantity": quantity}
        return [(time, "stock", "StockChanged", {**data, "version": version})]

    def some_stock(self, time):
        shop, product = self.random.choice(list(self.products))
        ids = {"shopId": shop, "productId": product}
        entry = self.products[shop, product]
        chance = self.random.random()
        if chance < 0.12 and entry["quantity"] > 0:
            entry["quantity"] = 0
            return [(time, "stock", "SoldOut", ids)]
        if entry["quantity"] <= 0:
            entry["quantity"] = self.random.randint(10, 40)
            data = {**ids, "quantity": entry["quantity"]}
            return [(time, "stock", "Restocked", data)]
        less = self.random.randint(1, 3)
        return self.stock(time, shop, product, max(0, entry["quantity"] - less))

    def some_price(self, time):
        shop, product = self.random.choice(list(self.products))
        entry = self.products[shop, product]
        entry["price"] += self.random.choice([-500, -300, 300, 500])
        entry["price"] = max(1000, entry["price"])
        data = {"shopId": shop, "productId": product, "price": entry["price"]}
        if self.random.random() < 0.4:
            data["salePrice"] = entry["price"] * 9 // 1000 * 100
        return [(time, "price", "PriceChanged", data)]

    def lines(self, shop):
        known = [p for s, p in self.products if s == shop]
        some = self.random.sample(known, min(len(known), 1 + int(self.random.random() * 3)))
        found = []
        for product in sorted(some):
            entry = self.products[shop, product]
            found.append(
                {
                    "productId": product,
                    "name": entry["name"],
                    "quantity": self.random.randint(1, 3),
                    "unitPrice": entry["price"],
                }
            )
        return found

    def some_order(self, time):
        """An order with all that follows from it."""
        shop, _ = self.random.choice(self.sellable())
        order, lines = self.number("o"), self.lines(shop)
        total = sum(line["quantity"] * line["unitPrice"] for line in lines)
        ids = {"orderId": order, "shopId": shop}
        data = {**ids, "memberId": self.member(), "lines": lines}
        events = [(time, "order", "OrderCreated", {**data, "totalAmount": total})]
        for line in lines:
            entry = self.products[shop, line["productId"]]
            left = entry["quantity"] - line["quantity"]
            events += self.stock(
                time + seconds(1), shop, line["productId"], max(0, left)
            )
        chance = self.random.random()
        if chance < 0.08:
            events.append((time + seconds(70), "order", "OrderRejected", ids))
            return events
        if chance < 0.16:
            data = {**ids, "totalAmount": total, "reason": "고객 변심"}
            events.append((time + seconds(95), "order", "OrderCancelled", data))
            return events
        accepted = time + seconds(self.random.randint(20, 90))
        events.append((accepted, "order", "OrderAccepted", ids))
        done, delivery = self.delivery(accepted + seconds(5), ids)
        events += delivery
        if done:
            events.append((done + seconds(3), "order", "OrderCompleted", ids))
        return events

    def delivery(self, time, ids):
        """A delivery; when it was completed (or None) and its events."""
        key = {"deliveryId": self.number("d")}
        random, events = self.random, []

        def add(kind, **data):
            events.append((time, "delivery", kind, {**key, **data}))

        def rider():
            return f"rider-{random.randint(1, 8)}"

        add("DeliveryCreated", **ids, areaId=random.choice(AREAS))
        time += seconds(random.randint(30, 240))
        add("RiderAssigned", riderId=rider())
        if random.random() < 0.15:
            time += seconds(random.randint(30, 90))
            add("RiderUnassigned", reason="라이더 사정")
            time += seconds(random.randint(30, 90))
            add("RiderAssigned", riderId=rider())
        if random.random() < 0.4:
            eta = time + seconds(random.randint(1500, 2400))
            time += seconds(2)
            add("EtaChanged", eta=eta.astimezone(SEOUL).isoformat())
        if random.random() < 0.06:
            time += seconds(random.randint(60, 300))
            add("DeliveryCancelled", reason="주소 오류")
            return None, events
        time += seconds(random.randint(300, 800))
        add("PickedUp")
        time += seconds(random.randint(400, 1200))
        add("DeliveryCompleted")
        return time, events

    def some_review(self, time):
        chance = self.random.random()
        if self.reviews and chance < 0.3:
            return self.about_review(time, chance)
        shop = self.random.choice(sorted(self.open))
        rating, text = self.random.choice(REVIEWS)
        review = self.number("r")
        self.reviews[review] = [shop, rating]
        data = {"reviewId": review, "shopId": shop, "rating": rating}
        if text:
            data["text"] = text
        data["memberId"] = self.member()
        if self.random.random() < 0.2:
            data["imageUrls"] = [f"https://img.example/{review}.jpg"]
        return [(time, "review", "ReviewPosted", data)]

    def about_review(self, time, chance):
        review = self.random.choice(sorted(self.reviews))
        shop, rating = self.reviews[review]
        data = {"reviewId": review, "shopId": shop}
        if chance < 0.15:
            data["text"] = REPLIES[0] if rating > 5 else REPLIES[1]
            return [(time, "review", "OwnerReplied", data)]
        if chance < 0.22:
            now = max(1, rating - 1) if rating == 10 else rating + 1
            self.reviews[review][1] = now
            data.update(rating=now, previousRating=rating)
            return [(time, "review", "ReviewEdited", data)]
        del self.reviews[review]
        kind = "ReviewDeleted" if chance < 0.26 else "ReviewBlinded"
        return [(time, "review", kind, {**data, "rating": rating})]

    def some_coupon(self, time):
        coupon = self.random.choice(sorted(self.coupons))
        data = {"couponId": coupon, "memberId": self.member()}
        if self.coupons[coupon] <= 0:
            data["reason"] = "수량 소진"
            return [(time, "coupon", "CouponIssueRejected", data)]
        self.coupons[coupon] -= 1
        return [(time, "coupon", "CouponIssued", data)]
