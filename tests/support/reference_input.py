# SPDX-License-Identifier: Apache-2.0
"""Records in, events out, for the reference projections.

Reads archive lines, holds values to strict JSON, and validates the bundled
topics' events field by field. Written from the domain contract only.
"""

import base64
import dataclasses
import datetime
import json
import re
import unicodedata
import zoneinfo

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_DEPTH = 100
MAX_ID_BYTES = 256
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
ZONE = zoneinfo.ZoneInfo("Asia/Seoul")
MILLISECOND = datetime.timedelta(milliseconds=1)

ALIASES = {
    "배달생성": "DeliveryCreated",
    "배차완료": "RiderAssigned",
    "배차취소": "RiderUnassigned",
    "픽업완료": "PickedUp",
    "배달완료": "DeliveryCompleted",
    "배달취소": "DeliveryCancelled",
}
ALIASES = {unicodedata.normalize("NFC", k): v for k, v in ALIASES.items()}

# Field names of each event type. `!` required; `~` may be absent but not
# null; `?` null removes; otherwise null is the same as absent.
TOPICS = {
    "shop": {
        "ShopRegistered": "shopId! name! category address areaId location"
        " minOrderAmount deliveryTip hours imageUrl",
        "ShopInfoChanged": "shopId! name~ category? address? areaId?"
        " location? minOrderAmount? deliveryTip? hours? imageUrl?",
        "ShopOpened": "shopId! reason",
        "ShopClosed": "shopId! reason",
        "ShopSuspended": "shopId! reason",
        "ShopTerminated": "shopId!",
    },
    "product": {
        "ProductRegistered": "shopId! productId! name! price! categoryId"
        " imageUrl description options",
        "ProductInfoChanged": "shopId! productId! name~ price~ categoryId?"
        " imageUrl? description? options?",
        "ProductHidden": "shopId! productId!",
        "ProductShown": "shopId! productId!",
        "ProductDeleted": "shopId! productId!",
    },
    "price": {"PriceChanged": "shopId! productId! price! salePrice"},
    "stock": {
        "StockChanged": "shopId! productId! quantity! soldOut version",
        "SoldOut": "shopId! productId!",
        "Restocked": "shopId! productId! quantity!",
    },
    "order": {
        "OrderCreated": "orderId! shopId! memberId lines! totalAmount!",
        "OrderAccepted": "orderId! shopId!",
        "OrderRejected": "orderId! shopId!",
        "OrderCompleted": "orderId! shopId!",
        "OrderCancelled": "orderId! shopId! totalAmount! lines reason",
    },
    "delivery": {
        "DeliveryCreated": "deliveryId! orderId! shopId! areaId",
        "RiderAssigned": "deliveryId! riderId!",
        "RiderUnassigned": "deliveryId! reason",
        "PickedUp": "deliveryId! reason",
        "DeliveryCompleted": "deliveryId! reason",
        "DeliveryCancelled": "deliveryId! reason",
        "EtaChanged": "deliveryId! eta!",
    },
    "review": {
        "ReviewPosted": "reviewId! shopId! rating! text memberId imageUrls",
        "ReviewEdited": "reviewId! shopId! rating! previousRating! text?",
        "ReviewDeleted": "reviewId! shopId! rating!",
        "ReviewBlinded": "reviewId! shopId! rating!",
        "OwnerReplied": "reviewId! shopId! text!",
    },
    "coupon": {
        "CouponPolicyCreated": "couponId! name! amount! totalQuantity! shopId"
        " opensAt closesAt",
        "CouponIssued": "couponId! memberId!",
        "CouponIssueRejected": "couponId! memberId! reason",
        "CouponUsed": "couponId! memberId! orderId",
        "CouponUseCancelled": "couponId! memberId! orderId",
        "CouponExpired": "couponId!",
    },
}
LINE_FIELDS = "productId! name quantity! unitPrice!"

INTEGERS = {
    "minOrderAmount", "deliveryTip", "price", "salePrice", "quantity",
    "version", "totalAmount", "amount", "totalQuantity", "unitPrice",
}  # fmt: skip
ARRAYS = {"hours", "options", "imageUrls"}
DATES = {"eta", "opensAt", "closesAt"}
RATINGS = {"rating", "previousRating"}


class Parked(ValueError):
    """The record cannot be applied; `cause` is the kind, the text says more."""

    cause = "invalid field"


class Undecodable(Parked):
    """Not even its type can be read, so nobody knows whom it concerns."""

    cause = "undecodable"


class BadArchive(ValueError):
    """The archive itself is unreadable; nothing sensible can follow."""


@dataclasses.dataclass
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int | None
    key: str | None
    value: object  # parsed JSON, TOMBSTONE, or the Undecodable it is

    @property
    def place(self):
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclasses.dataclass
class Event:
    topic: str
    type: str | None  # None: tombstone
    key: str | None
    data: dict | None  # its healthy fields; None: a type that is not listed
    time: int | None  # None: at fault
    sequence: int | None = None
    fault: Parked | None = None  # the first that was found


TOMBSTONE = object()

# ---- Strict JSON ---------------------------------------------------------


def _object(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _integer(digits):
    number = int(digits)
    if not INT64_MIN <= number <= INT64_MAX:
        raise ValueError("integer outside int64")
    return number


def _real(digits):
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("number outside double")
    return number


def _constant(name):
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_real,
    parse_constant=_constant,
)
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def _check_strings(text, value):
    """Lone surrogates survive Python's reader; they do not encode."""
    if SURROGATE_ESCAPE.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")


def _depth(value):
    deepest, todo = 0, [(value, 1)]
    while todo:
        node, level = todo.pop()
        if isinstance(node, (dict, list)):
            deepest = max(deepest, level)
            inner = node.values() if isinstance(node, dict) else node
            todo.extend((child, level + 1) for child in inner)
    return deepest


def strict_json(raw):
    """Bytes to a value; raises Undecodable for anything but strict JSON."""
    try:
        text = raw.decode("utf-8")
        value = DECODER.decode(text)
        _check_strings(text, value)
    except (ValueError, RecursionError) as fault:
        raise Undecodable(str(fault)) from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        if _depth(value) > MAX_DEPTH:
            raise Undecodable("too deep")
    return value


# ---- Archive lines -------------------------------------------------------

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+', re.S)


def _split_value(line):
    """The line with its value replaced by null, and the value's bytes."""
    depth, name, start = 0, None, None
    for token in TOKEN.finditer(line):
        text = token.group()
        if start is not None and depth == 1 and text in (b",", b"}"):
            end = token.start()
            return line[:start] + b"null" + line[end:], line[start:end]
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and text == b":" and name == b'"value"':
            start = token.end()
        if depth == 1 and start is None:
            name = text
    raise BadArchive("line without a readable value")


def _value_of(line):
    """The line's members; its value parsed strictly or an Undecodable."""
    try:
        members = strict_json(line)
        if line.count(b"{") + line.count(b"[") <= MAX_DEPTH:
            return members, members.get("value")
    except Parked:
        pass
    outside, raw = _split_value(line)
    try:
        members = strict_json(outside)
    except Parked as fault:
        raise BadArchive(str(fault)) from None
    try:
        return members, strict_json(raw)
    except Parked as fault:
        return members, fault


def _key_text(raw):
    """A key is the text it holds, quoted as JSON or not; None = no key."""
    if raw is None:
        return None
    if raw.startswith(b'"') and raw.endswith(b'"'):
        try:
            quoted = strict_json(raw)
            if isinstance(quoted, str):
                return quoted
        except Parked:
            pass
    return raw.decode("utf-8", "surrogateescape")


def _record_key(members):
    if members.get("keyBase64") is not None:
        return _key_text(base64.b64decode(members["keyBase64"], validate=True))
    if members.get("key") is not None:
        return _key_text(members["key"].encode("utf-8"))
    return None


def _value_read(raw):
    try:
        value = strict_json(raw)
    except Undecodable as fault:
        return fault
    return Undecodable("not an object") if value is None else value


def raw_record(topic, partition, offset, timestamp, key, value):
    """A record by its bytes, as Kafka keeps them; value None = tombstone."""
    return Record(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=timestamp if timestamp >= 0 else None,
        key=_key_text(key),
        value=TOMBSTONE if value is None else _value_read(value),
    )


def read_record(line):
    members, value = _value_of(line)
    if members.get("valueBase64") is not None:
        value = _value_read(
            base64.b64decode(members["valueBase64"], validate=True)
        )
    elif value is None:
        value = TOMBSTONE
    timestamp = members.get("timestamp")
    if timestamp is not None and timestamp < 0:
        timestamp = None
    return Record(
        topic=members["topic"],
        partition=members["partition"],
        offset=members["offset"],
        timestamp=timestamp,
        key=_record_key(members),
        value=value,
    )


# ---- Times ---------------------------------------------------------------

DAY = r"(\d{4})-(\d\d)-(\d\d)"
CLOCK = r"(\d\d):(\d\d):(\d\d)"
LOCAL = re.compile(DAY + " " + CLOCK + r"(?:\.(\d{1,9}))?", re.ASCII)
RFC3339 = re.compile(
    DAY + "[Tt]" + CLOCK + r"(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def read_time(value):
    """Any of the contract's three forms to epoch milliseconds."""
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            moment = EPOCH + value * MILLISECOND
        except OverflowError:
            raise Parked("time: out of range") from None
        return (moment - EPOCH) // MILLISECOND
    if not isinstance(value, str):
        raise Parked("time: neither a string nor an integer")
    try:
        if found := LOCAL.fullmatch(value):
            zone = ZONE
        elif found := RFC3339.fullmatch(value):
            sign, hours, minutes = found.groups()[7:]
            hours, minutes = int(hours or 0), int(minutes or 0)
            if hours > 23 or minutes > 59:
                raise ValueError("offset")
            offset = datetime.timedelta(hours=hours, minutes=minutes)
            zone = datetime.timezone(-offset if sign == "-" else offset)
        else:
            raise ValueError("form")
        parts = [int(part) for part in found.groups()[:6]]
        millis = int(((found.group(7) or "") + "000")[:3])
        moment = datetime.datetime(*parts, tzinfo=zone)  # fold 0: the first
        return (moment - EPOCH) // MILLISECOND + millis
    except (ValueError, OverflowError):
        raise Parked("time: unreadable") from None


def served_time(ms):
    moment = EPOCH + ms * MILLISECOND
    head = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return head + "Z"


def local_day(ms):
    return (EPOCH + ms * MILLISECOND).astimezone(ZONE).date().isoformat()


# ---- Fields --------------------------------------------------------------


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _check_id(value):
    return (
        isinstance(value, str)
        and 0 < len(value.encode("utf-8")) <= MAX_ID_BYTES
        and "\0" not in value
    )


def read_field(name, value):
    if name.endswith("Id"):
        fine = _check_id(value)
    elif name in INTEGERS:
        fine = _is_int(value)
    elif name in RATINGS:
        fine = _is_int(value) and 1 <= value <= 10
    elif name in ARRAYS:
        fine = isinstance(value, list)
    elif name == "location":
        fine = isinstance(value, dict)
    elif name == "soldOut":
        fine = isinstance(value, bool)
    elif name in DATES:
        return read_time(value)
    elif name == "lines":
        if not isinstance(value, list):
            raise Parked("lines: not a list")
        return [read_fields(LINE_FIELDS, line) for line in value]
    else:
        fine = isinstance(value, str)
    if not fine:
        raise Parked(f"{name}: wrong type or out of range")
    return value


def read_declared(field, data):
    """One declared field of data, if it is there; None marks a removal."""
    name, mark = field.rstrip("!~?"), field[-1]
    if data.get(name) is not None:
        return {name: read_field(name, data[name])}
    if mark == "!" or (mark == "~" and name in data):
        raise Parked(f"{name}: missing or null")
    return {name: None} if mark == "?" and name in data else {}


def read_fields(fields, data):
    """The declared fields of an object, all of them healthy."""
    if not isinstance(data, dict):
        raise Parked("not an object")
    found = {}
    for field in fields.split():
        found.update(read_declared(field, data))
    return found


def read_data(fields, data):
    """The declared fields that are healthy, and the first fault or None."""
    if not isinstance(data, dict):
        return {}, Parked("data: missing or not an object")
    found, first = {}, None
    for field in fields.split():
        try:
            found.update(read_declared(field, data))
        except Parked as fault:
            first = fault if first is None else first
    return found, first


def read_event_time(record, value):
    """The event's own time, else the record's."""
    time = value.get("occurrenceDateTime")
    if time is None:
        time = value.get("occurenceDateTime")
    if time is None:
        time = record.timestamp
    if time is None:
        raise Parked("time: none")
    return read_time(time)


def read_sequence(value):
    sequence = value.get("sequence")
    if sequence is not None and (not _is_int(sequence) or sequence < 1):
        raise Parked("sequence: not a positive integer")
    return sequence


def _or_fault(read, *args):
    try:
        return read(*args), None
    except Parked as fault:
        return None, fault


def read_event(record, listed):
    """The record as an event of its topic; raises Undecodable. An event may
    have a fault: what of it is healthy can be read for all that. A type that is
    not listed has no data, hence no faults."""
    value = record.value
    if value is TOMBSTONE:
        time, fault = _or_fault(read_event_time, record, {})
        return Event(record.topic, None, record.key, {}, time, None, fault)
    if isinstance(value, Undecodable):
        raise value
    if not isinstance(value, dict):
        raise Undecodable("not an object")
    kind = value.get("eventType")
    if not isinstance(kind, str) or not kind:
        raise Undecodable("eventType: missing, empty or not a string")
    kind = ALIASES.get(unicodedata.normalize("NFC", kind), kind)
    sequence, no_sequence = _or_fault(read_sequence, value)
    if kind not in listed:
        return Event(record.topic, kind, record.key, None, None, sequence)
    time, no_time = _or_fault(read_event_time, record, value)
    data, fault = read_data(TOPICS[record.topic][kind], value.get("data"))
    fault = no_time or no_sequence or fault
    return Event(record.topic, kind, record.key, data, time, sequence, fault)
