# SPDX-License-Identifier: Apache-2.0
"""What producers do wrong: nasty ids, twisted record keys, broken values.

Ids of AWKWARD are allowed, those of FORBIDDEN are not. A broken value is either
undecodable for everybody or at fault in one place; every kind has a name.
"""

import unicodedata

from archive_writer import to_json

HANGUL = "카페 라떼"
AWKWARD = [
    ".", "..", "a.b", "$", "$set", "%", "100%", "%2F", ":", "a:b", "/", "x/y",
    "sp ace", "🍜", "👩‍🍳", '"q"\\', "_m", "_id", "new\nline", "\u007f", "null",
    unicodedata.normalize("NFC", HANGUL), unicodedata.normalize("NFD", HANGUL),
    "가" * 85 + "a", "z" * 256, "z" * 240, "%" * 80, "%:" * 128,
]  # fmt: skip
FORBIDDEN = ["", "\0", "a\0b", "z" * 257, "가" * 85 + "ab", "🍜" * 65]

# Texts in the place of a value that is JSON, and of one that is none.
NO_EVENTS = [b"", b"null", b"[]", b"7", b'"SoldOut"', b"{}", b"{", b"\0", b"\xff"]
NO_JSON = [
    b"NaN", b"-Infinity", b"1e400", b"01", b"+1", b".5", b"[1,]", b"{'a':1}", b'"\t"',
    b'"\0"', b'"\\x"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\\ud800"',
    b'"\\udc00\\ud83c"', b'"\\ud83c\\u0041"', b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}',
    b"9223372036854775808", b"-9223372036854775809", b"1" * 400,
    b"[" * 101 + b"]" * 101, b'{"a":' * 101 + b"1" + b"}" * 101,
]  # fmt: skip


class Hostility:
    """Draws from the generator's own random numbers."""

    def __init__(self, random):
        self.random = random
        self.forms = {}
        self.kinds = [
            self.cut, self.prefixed, self.named_twice, self.holding_no_json,
            self.no_event, self.no_event_type, self.unlisted_type, self.no_data,
            self.unreadable_time, self.bad_sequence, self.missing, self.null,
            self.mistyped, self.forbidden_id, self.overflow,
        ]  # fmt: skip

    def awkward_id(self):
        return self.random.choice(AWKWARD)

    # ---- Record keys -------------------------------------------------------

    def record_key(self, text):
        """The key's form is the producer's habit: one per key, for good."""
        if text not in self.forms:
            forms = [self.as_it_is] * 9
            forms += [self.literal_or_not, self.none, self.no_utf8]
            self.forms[text] = self.random.choice(forms)
        return self.forms[text](text)

    @staticmethod
    def as_it_is(text):
        return text

    def literal_or_not(self, text):
        return self.random.choice([text, to_json(text)])

    def none(self, _text):
        return self.random.choice([None, None, ""])

    @staticmethod
    def no_utf8(text):
        return b"\xff\xfe" + text.encode("utf-8")

    # ---- Values ------------------------------------------------------------

    def spoil(self, value, fields):
        """A value that is wrong, as bytes or to be written as JSON."""
        return self.random.choice(self.kinds)(value, fields.split())

    def required(self, fields):
        return self.random.choice([f[:-1] for f in fields if f.endswith("!")])

    def cut(self, value, _fields):
        raw = to_json(value).encode("utf-8")
        return raw[: -self.random.randint(1, 20)]

    def prefixed(self, value, _fields):
        junk = self.random.choice([b"\xef\xbb\xbf", b"\xff", b"{", b"\0", b"// \n"])
        return junk + to_json(value).encode("utf-8")

    def named_twice(self, value, _fields):
        raw = to_json(value).encode("utf-8")
        again = self.random.choice([b'"data":{},', b'"\\u0064ata":{},'])
        return raw.replace(b'"data":', again + b'"data":', 1)

    def holding_no_json(self, value, _fields):
        value["data"]["unlisted"] = "@"
        raw = to_json(value).encode("utf-8")
        return raw.replace(b'"@"', self.random.choice(NO_JSON), 1)

    def no_event(self, _value, _fields):
        return self.random.choice(NO_EVENTS)

    def no_event_type(self, value, _fields):
        value["eventType"] = self.random.choice([None, "", 5, ["SoldOut"]])
        return value

    def unlisted_type(self, value, _fields):
        value["eventType"] = self.random.choice(["Unheard", "CouponApplied"])
        return value

    def no_data(self, value, _fields):
        value["data"] = self.random.choice([None, [], "x", 7])
        return value

    def unreadable_time(self, value, _fields):
        value["occurrenceDateTime"] = self.random.choice(
            ["soon", True, 1.5, {}, "2026-02-30 00:00:00", 2**62]
        )
        return value

    def bad_sequence(self, value, _fields):
        value["sequence"] = self.random.choice([0, -1, "1", 1.0, True, [1]])
        return value

    def missing(self, value, fields):
        del value["data"][self.required(fields)]
        return value

    def null(self, value, fields):
        value["data"][self.required(fields)] = None
        return value

    def mistyped(self, value, _fields):
        victim = self.random.choice(list(value["data"]))
        value["data"][victim] = self.random.choice([1.5, True, "", [], {"a": 1}])
        return value

    def forbidden_id(self, value, fields):
        ids = [f[:-1] for f in fields if f.endswith("Id!")]
        value["data"][self.random.choice(ids)] = self.random.choice(FORBIDDEN)
        return value

    def overflow(self, value, _fields):
        """Beyond int64 in whatever order the topics' partitions meet."""
        data = value["data"]
        if "lines" in data:
            line = {"productId": "p-1", "quantity": 4, "unitPrice": 2**62}
            data["lines"] = [line]
        elif "totalQuantity" in data:
            data["totalQuantity"] = -(2**63)
        else:
            data["unlisted"] = 2**63
        return value
