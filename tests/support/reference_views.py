# SPDX-License-Identifier: Apache-2.0
"""The ten bundled views, folded the slow and obvious way.

Each view is a class: which topics and types it lists, how an event finds its
document, what the event does to the document's state, and what is served.
`fold` returns whether the event changed something and must not touch the
state before it can no longer raise Parked.
"""

import copy
import decimal
import fractions

from reference_base import View, checked, composite, dates, merge, pick, typed
from reference_input import TOPICS, local_day


class Shop(View):
    topics = {"shop": set(TOPICS["shop"])}
    by_record_key = True
    key_field = "shopId"
    FIELDS = (
        "name category address areaId location minOrderAmount deliveryTip"
        " hours imageUrl"
    )
    STATUS = {
        "ShopOpened": "OPEN",
        "ShopClosed": "CLOSED",
        "ShopSuspended": "SUSPENDED",
    }

    def fold(self, doc, event):
        terminated = doc.state.get("terminated", False)
        if event.type == "ShopTerminated":
            if terminated:
                return False
            doc.live, doc.state = False, {"terminated": True}
            return True
        if terminated:
            if event.type != "ShopRegistered":
                return False
            doc.state = {}
        state = self.revived(doc)
        before = copy.deepcopy(state)
        state.setdefault("complete", False)
        if event.type in self.STATUS:
            state["status"] = self.STATUS[event.type]
        else:
            merge(state, event.data, self.FIELDS)
        if event.type == "ShopRegistered":
            state["complete"] = True
            state.setdefault("status", "REGISTERED")
        return typed(state) != typed(before)

    def body(self, doc):
        return {
            "shopId": doc.key,
            **pick(doc.state, self.FIELDS + " status complete"),
        }


# ---- Parts of a product, shared by product, shop_products and stock ------


def fold_product(part, event, fields):
    """The product part after the event."""
    kind, deleted = event.type, bool(part and part.get("deleted"))
    if kind == "ProductDeleted":
        return {"deleted": True}
    if deleted and kind != "ProductRegistered":
        return part
    clean = {"hidden": False, "complete": False}
    part = dict(part) if part and not deleted else clean
    if kind in ("ProductHidden", "ProductShown"):
        part["hidden"] = kind == "ProductHidden"
    else:
        merge(part, event.data, fields)
    if kind == "ProductRegistered":
        part["complete"] = True
    return part


def fold_price(event):
    return pick(event.data, "price salePrice")


def fold_stock(part, event):
    part = dict(part or {})
    if event.type == "SoldOut":
        part["soldOut"] = True
        return part
    merge(part, event.data, "quantity version")
    part["soldOut"] = False
    if event.type == "StockChanged":
        part["soldOut"] = event.data.get("soldOut", part["quantity"] <= 0)
    return part


def prices(product, price):
    """Served price and salePrice of a product."""
    return price if price is not None else pick(product, "price")


class Product(View):
    topics = {name: set(TOPICS[name]) for name in ("product", "price", "stock")}
    FIELDS = "name price categoryId imageUrl description options"
    SERVED = (
        "name price salePrice categoryId imageUrl description options"
        " quantity soldOut hidden complete"
    )

    def key(self, event):
        return composite(event.data["shopId"], event.data["productId"])

    def fold(self, doc, event):
        parts = doc.state
        old = parts.get(event.topic)
        if event.topic == "product":
            new = fold_product(old, event, self.FIELDS)
        elif event.topic == "price":
            new = fold_price(event)
        else:
            new = pick(fold_stock(old, event), "quantity soldOut")
        if old is not None and typed(new) == typed(old):
            return False
        parts["ids"] = pick(event.data, "shopId productId")
        parts[event.topic] = new
        doc.live = not parts.get("product", {}).get("deleted", False)
        return True

    def body(self, doc):
        product = doc.state.get("product", {"hidden": False, "complete": False})
        found = {**product, **doc.state.get("stock", {})}
        found.pop("price", None)
        found.update(prices(product, doc.state.get("price")))
        return {**doc.state["ids"], **pick(found, self.SERVED)}


class Stock(View):
    topics = {"stock": set(TOPICS["stock"])}
    key = Product.key

    def fold(self, doc, event):
        new = fold_stock(doc.state.get("stock"), event)
        if typed(new) == typed(doc.state.get("stock")):
            return False
        doc.state["ids"] = pick(event.data, "shopId productId")
        doc.state["stock"] = new
        return True

    def body(self, doc):
        stock = pick(doc.state["stock"], "quantity soldOut version")
        return {**doc.state["ids"], **stock}


class ShopProducts(View):
    """One bucket, so the document key is the record key."""

    topics = Product.topics
    by_record_key = True
    key_field = "shopId"
    FIELDS = "name price categoryId imageUrl"
    CARD = "productId name price salePrice categoryId imageUrl soldOut"

    def fold(self, doc, event):
        parts = doc.state.setdefault(event.topic, {})
        product_id = event.data["productId"]
        old = parts.get(product_id)
        if event.topic == "product":
            new = fold_product(old, event, self.FIELDS)
        elif event.topic == "price":
            new = fold_price(event)
        else:
            new = pick(fold_stock(None, event), "soldOut")
        if old is not None and typed(new) == typed(old):
            return False
        parts[product_id] = new
        if event.topic == "product":
            doc.live = True
        return True

    def clear(self, doc, event):
        if not doc.state.get(event.topic):
            return False
        doc.state[event.topic] = {}
        if event.topic == "product":
            doc.live = False
        return True

    def body(self, doc):
        cards = []
        for product_id, part in sorted(doc.state.get("product", {}).items()):
            if part.get("deleted") or part["hidden"] or not part["complete"]:
                continue
            card = {"productId": product_id, **part}
            card.pop("price", None)
            price = doc.state.get("price", {}).get(product_id)
            card.update(prices(part, price))
            card.update(doc.state.get("stock", {}).get(product_id, {}))
            cards.append(pick(card, self.CARD))
        return {"shopId": doc.key, "count": len(cards), "products": cards}


class ReviewSummary(View):
    topics = {"review": set(TOPICS["review"])}
    by_record_key = True
    key_field = "shopId"
    RECENT, REMEMBERED = 10, 200
    ENTRY = "reviewId rating text memberId postedAt reply"

    def fold(self, doc, event):
        data, kind = event.data, event.type
        state = copy.deepcopy(doc.state) or self.nothing()
        entries = [
            entry
            for entry in state["recent"]
            if entry["reviewId"] == data["reviewId"]
        ]
        if kind == "ReviewPosted":
            self.count(state, data["rating"], 1)
            entry = pick(data, "reviewId rating text memberId")
            entry["postedAt"] = event.time
            state["recent"] = [entry, *state["recent"]][: self.RECENT]
        elif kind == "ReviewEdited":
            self.count(state, data["previousRating"], -1)
            self.count(state, data["rating"], 1)
            for entry in entries[:1]:  # posted twice: the newer one
                merge(entry, data, "rating text")
        elif kind == "OwnerReplied":
            for entry in entries[:1]:
                entry["reply"] = data["text"]
        elif data["reviewId"] not in state["gone"]:
            self.count(state, data["rating"], -1)
            gone = [*state["gone"], data["reviewId"]]
            state["gone"] = gone[-self.REMEMBERED :]
            state["recent"] = [e for e in state["recent"] if e not in entries]
        if state == (doc.state or self.nothing()):
            return False
        self.revived(doc)
        doc.state = state
        return True

    @staticmethod
    def nothing():
        return {"count": 0, "sum": 0, "ratings": {}, "recent": [], "gone": []}

    @staticmethod
    def count(state, rating, change):
        state["count"] = checked(state["count"] + change)
        state["sum"] = checked(state["sum"] + rating * change)
        ratings = state["ratings"]
        ratings[rating] = checked(ratings.get(rating, 0) + change)
        if ratings[rating] == 0:
            del ratings[rating]

    @staticmethod
    def average(total, count):
        if count == 0:
            return None
        exact = fractions.Fraction(total, count)
        hundredths = abs(exact) * 100 + fractions.Fraction(1, 2)
        rounded = decimal.Decimal(hundredths.__floor__()) / 100
        number = float(-rounded if exact < 0 else rounded)
        return int(number) if number.is_integer() else number

    def body(self, doc):
        state = doc.state
        recent = [dates(pick(e, self.ENTRY), "postedAt") for e in state["recent"]]
        return {
            "shopId": doc.key,
            "count": state["count"],
            "sum": state["sum"],
            "average": self.average(state["sum"], state["count"]),
            "histogram": {str(k): v for k, v in sorted(state["ratings"].items())},
            "recent": recent,
        }


class Order(View):
    topics = {"order": set(TOPICS["order"])}
    by_record_key = True
    key_field = "orderId"
    STATE = {
        "OrderAccepted": "ACCEPTED",
        "OrderRejected": "REJECTED",
        "OrderCompleted": "COMPLETED",
        "OrderCancelled": "CANCELLED",
    }
    SERVED = "shopId memberId state lines totalAmount createdAt"

    def fold(self, doc, event):
        state = self.revived(doc)
        before = dict(state)
        state["shopId"] = event.data["shopId"]
        if event.type == "OrderCreated":
            merge(state, event.data, "memberId lines totalAmount")
            state["createdAt"] = event.time
            state.setdefault("state", "CREATED")
        else:
            state["state"] = self.STATE[event.type]
        return typed(state) != typed(before)

    def body(self, doc):
        found = dates(pick(doc.state, self.SERVED), "createdAt")
        return {"orderId": doc.key, **found}


class Sales(View):
    topics = {"order": {"OrderCreated", "OrderCancelled"}}
    COUNTERS = "orders cancelled grossAmount cancelledAmount units"

    def key(self, event):
        if event.time is None:
            raise KeyError("time")
        return composite(event.data["shopId"], local_day(event.time))

    def fold(self, doc, event):
        state = copy.deepcopy(doc.state) or {
            "shopId": event.data["shopId"],
            "date": local_day(event.time),
            **dict.fromkeys(self.COUNTERS.split(), 0),
            "products": {},
        }
        if event.type == "OrderCancelled":
            self.add(state, "cancelled", 1)
            self.add(state, "cancelledAmount", event.data["totalAmount"])
        else:
            self.add(state, "orders", 1)
            self.add(state, "grossAmount", event.data["totalAmount"])
            for line in event.data["lines"]:
                amount = checked(line["quantity"] * line["unitPrice"])
                self.add(state, "units", line["quantity"])
                sold = state["products"].setdefault(
                    line["productId"], {"units": 0, "amount": 0}
                )
                self.add(sold, "units", line["quantity"])
                self.add(sold, "amount", amount)
        doc.state = state
        return True

    @staticmethod
    def add(counters, name, change):
        counters[name] = checked(counters[name] + change)

    def body(self, doc):
        found = dict(doc.state)
        found["products"] = dict(sorted(found["products"].items()))
        return found


class Delivery(View):
    topics = {"delivery": set(TOPICS["delivery"])}
    by_record_key = True
    key_field = "deliveryId"
    HISTORY = 50
    MOVES = {
        "RiderAssigned": ("ASSIGNED", "assignedAt"),
        "RiderUnassigned": ("CREATED", None),
        "PickedUp": ("PICKED_UP", "pickedUpAt"),
        "DeliveryCompleted": ("COMPLETED", "completedAt"),
        "DeliveryCancelled": ("CANCELLED", "cancelledAt"),
    }
    TIMES = "createdAt assignedAt pickedUpAt completedAt cancelledAt"
    SERVED = "orderId shopId areaId riderId state eta " + TIMES

    def fold(self, doc, event):
        data, state = event.data, self.revived(doc)
        final = state.get("state") in ("COMPLETED", "CANCELLED")
        if event.type == "DeliveryCreated":
            merge(state, data, "orderId shopId areaId")
            state["createdAt"] = event.time
            state.setdefault("state", "CREATED")
        elif event.type == "EtaChanged" and not final:
            state["eta"] = data["eta"]
        elif not final:
            state["state"], stamp = self.MOVES[event.type]
            if stamp:
                state[stamp] = event.time
            if event.type == "RiderAssigned":
                state["riderId"] = data["riderId"]
            if event.type == "RiderUnassigned":
                state.pop("riderId", None)
        entry = {"type": event.type, "at": event.time, **pick(data, "riderId")}
        history = [*state.get("history", []), entry]
        state["history"] = history[-self.HISTORY :]
        return True

    def body(self, doc):
        found = pick(doc.state, self.SERVED)
        return {
            "deliveryId": doc.key,
            **dates(found, "eta", *self.TIMES.split()),
            "history": [dates(entry, "at") for entry in doc.state["history"]],
        }


class Coupon(View):
    topics = {"coupon": set(TOPICS["coupon"])}
    by_record_key = True
    key_field = "couponId"
    POLICY = "name shopId amount totalQuantity opensAt closesAt"
    COUNTED = {
        "CouponIssued": ("issued", 1),
        "CouponIssueRejected": ("rejected", 1),
        "CouponUsed": ("used", 1),
        "CouponUseCancelled": ("used", -1),
    }
    SERVED = (
        "name shopId amount totalQuantity issued rejected used remaining"
        " state opensAt closesAt"
    )

    def fold(self, doc, event):
        fresh = {"issued": 0, "rejected": 0, "used": 0, "expired": False}
        state = dict(doc.state or fresh)
        if event.type in self.COUNTED:
            name, change = self.COUNTED[event.type]
            state[name] = checked(state[name] + change)
        elif event.type == "CouponExpired":
            state["expired"] = True
        else:
            merge(state, event.data, self.POLICY)
        if "totalQuantity" in state:
            checked(state["totalQuantity"] - state["issued"])
        if doc.live and typed(state) == typed(doc.state):
            return False
        self.revived(doc)
        doc.state = state
        return True

    def body(self, doc):
        found = dict(doc.state)
        found["state"] = "OPEN"
        if "totalQuantity" in found:
            found["remaining"] = found["totalQuantity"] - found["issued"]
            if found["remaining"] <= 0:
                found["state"] = "EXHAUSTED"
        if found["expired"]:
            found["state"] = "EXPIRED"
        found = dates(pick(found, self.SERVED), "opensAt", "closesAt")
        return {"couponId": doc.key, **found}


class MemberCoupons(View):
    topics = {"coupon": {"CouponIssued", "CouponUsed", "CouponUseCancelled"}}
    key_field = "memberId"

    def fold(self, doc, event):
        coupon_id = event.data["couponId"]
        old = doc.state.get(coupon_id)
        if event.type == "CouponIssued":
            new = {"state": "ISSUED", "issuedAt": event.time}
        else:
            new = pick(old or {}, "issuedAt")
            new["state"] = "ISSUED"
            if event.type == "CouponUsed":
                new.update(state="USED", usedAt=event.time)
                new.update(pick(event.data, "orderId"))
        if new == old:
            return False
        doc.state[coupon_id] = new
        return True

    def body(self, doc):
        coupons = []
        for coupon_id, entry in sorted(doc.state.items()):
            found = pick(entry, "state issuedAt usedAt orderId")
            found = dates(found, "issuedAt", "usedAt")
            coupons.append({"couponId": coupon_id, **found})
        live = sum(entry["state"] == "ISSUED" for entry in coupons)
        return {"memberId": doc.key, "coupons": coupons, "live": live}


VIEWS = {
    "shop": Shop,
    "product": Product,
    "shop_products": ShopProducts,
    "stock": Stock,
    "review_summary": ReviewSummary,
    "order": Order,
    "sales": Sales,
    "delivery": Delivery,
    "coupon": Coupon,
    "member_coupons": MemberCoupons,
}
