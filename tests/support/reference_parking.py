# SPDX-License-Identifier: Apache-2.0
"""What is parked, where it waits, and what waits behind it.

A record is parked for one of these causes:

    undecodable              no strict JSON object with a type: nobody knows
                             what it is about
    invalid field            its type is known and listed by the view, but a
                             field (`data`, the time and the sequence included)
                             is missing, mistyped or unreadable
    long document key        whole, but its document's key is over 480 bytes
    sequence gap             whole, but not the next number of its key
    rejected by fold         whole, but a counter would overflow
    behind a parked record   another one of its unit waits; what else there is
                             to say of it shows when its turn comes

The unit it waits in, the first that applies:

1.  The record key, when a record of the same topic-partition with the same
    record key waits in that unit already. This comes first because nobody
    knows which documents the one before is about: it may be any of them.
2.  The document, when its key is known: all fields that make it are healthy,
    whatever else is at fault. Of whole events it always is. A document whose
    key is too long cannot hold a queue, nor does it have to: all its records
    are parked for that reason. There it is the record alone.
3.  Where the document key is the record key and the document is unknown: the
    document that the record key names. A key that no document can have (empty,
    no UTF-8, with U+0000, over 480 bytes) names none.
4.  The record key, if there is one (an empty key is none).
5.  The record alone.

Whatever of the same topic-partition comes later and belongs to that unit by the
same rules queues behind it: a repeated number, a tombstone, one that is broken
itself. A document has one queue per topic-partition therefore, and other
partitions go on changing it. Nothing waits behind a record that is alone.

What is none of a view's business is skipped and never waits: types it does not
list, and tombstones, where the document key is not the record key or no
document can have that key. But in a view whose document key is the record key a
record of any type with a sequence is an event of the document that its key
names, because its number counts: it queues there. (The sequence of an event
that goes to another document than its record key names is not looked at. An
unreadable one of a type that is not listed is none.)

Record keys are compared normalised: raw, or the string of a JSON string
literal. An unknown document that is parked is not served: of a document there
is what was applied before, and what other partitions apply.
"""

import base64
import dataclasses

from reference_base import MAX_KEY_BYTES, names_a_document
from reference_input import Parked, Undecodable, read_event

DOCUMENT, RECORD_KEY, ALONE = "document", "key", "record"


class LongKey(Parked):
    cause = "long document key"


class Behind(Parked):
    cause = "behind a parked record"

    def __str__(self):
        return "an earlier record of its partition waits"


@dataclasses.dataclass(frozen=True, order=True)
class Row:
    """One parked record."""

    topic: str
    partition: int
    offset: int
    cause: str
    unit_type: str
    unit: str  # document key or record key; "" of a record alone
    detail: str = dataclasses.field(compare=False)

    @property
    def place(self):
        return f"{self.topic}/{self.partition}@{self.offset}"

    def compared(self):
        """What has to be equal elsewhere; the unit in bytes."""
        raw = self.unit.encode("utf-8", "surrogateescape")
        place = (self.topic, self.partition, self.offset)
        return (*place, self.cause, self.unit_type, raw)

    def members(self, view):
        """As `reference.py --parked` prints it."""
        found = {"projection": view, **dataclasses.asdict(self)}
        try:
            self.unit.encode("utf-8")
        except UnicodeEncodeError:
            raw = base64.b64encode(self.compared()[-1])
            found.update(unit=None, unit_base64=raw.decode("ascii"))
        return found


def is_long(key):
    return len(key.encode("utf-8")) > MAX_KEY_BYTES


class Parking:
    """Feeds one view; keeps what waits."""

    def __init__(self, view):
        self.view = view
        self.rows = []
        self.waiting = set()  # (topic, partition, unit type, unit)

    def take(self, record):
        """The next record of its topic-partition."""
        listed = self.view.topics.get(record.topic)
        if listed is None:
            return
        try:
            event = read_event(record, listed)
        except Undecodable as fault:
            self.park(record, self.unit_of(record, None), fault)
            return
        if not self.view.concerns(event):
            return
        key = self.view.document_key(event)
        unit = self.unit_of(record, key)
        try:
            self.judge(record, event, key, unit)
            self.view.apply(key, event)
        except Parked as fault:
            self.park(record, unit, fault)

    def judge(self, record, event, key, unit):
        """Raises what keeps the event from its document."""
        if self.is_waiting(record, unit):
            raise Behind
        if event.fault is not None:
            raise event.fault
        if is_long(key):
            raise LongKey(f"over {MAX_KEY_BYTES} bytes")

    def unit_of(self, record, key):
        by_key = (RECORD_KEY, record.key)
        if self.is_waiting(record, by_key):
            return by_key
        if key is not None:
            return (ALONE, "") if is_long(key) else (DOCUMENT, key)
        if self.view.by_record_key and names_a_document(record.key):
            return DOCUMENT, record.key
        return by_key if record.key else (ALONE, "")

    def is_waiting(self, record, unit):
        return (record.topic, record.partition, *unit) in self.waiting

    def park(self, record, unit, fault):
        if self.is_waiting(record, unit):
            fault = Behind()
        if unit[0] != ALONE:
            self.waiting.add((record.topic, record.partition, *unit))
        place = (record.topic, record.partition, record.offset)
        self.rows.append(Row(*place, fault.cause, *unit, str(fault)))
