# SPDX-License-Identifier: Apache-2.0
"""What the reference views share: documents, keys, sequences, tombstones."""

from reference_input import INT64_MAX, INT64_MIN, Parked, served_time

MAX_KEY_BYTES = 480


def checked(number):
    if not INT64_MIN <= number <= INT64_MAX:
        raise Parked("counter overflow")
    return number


def composite(*parts):
    return ":".join(
        part.replace("%", "%25").replace(":", "%3A") for part in parts
    )


def merge(target, data, names):
    """Takes the carried fields; None removes. True when something changed."""
    before = dict(target)
    for name in names.split():
        if name not in data:
            continue
        if data[name] is None:
            target.pop(name, None)
        else:
            target[name] = data[name]
    return typed(target) != typed(before)


def typed(value):
    """Comparable without Python's 1 == 1.0 == True."""
    if isinstance(value, dict):
        return [(name, typed(item)) for name, item in sorted(value.items())]
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value).__name__, value)


def pick(source, names):
    return {name: source[name] for name in names.split() if name in source}


def dates(found, *names):
    return {n: served_time(v) if n in names else v for n, v in found.items()}


class Document:
    def __init__(self, key):
        self.key = key
        self.live = None  # None: no event has made it yet
        self.updated = None
        self.state = {}


class View:
    topics = {}
    by_record_key = False  # tombstones and sequences are meant for the document

    def __init__(self):
        self.documents = {}
        self.sequences = {}

    def key(self, event):
        return event.data[self.key_field]

    def apply(self, event):
        position = (event.topic, event.key)
        if self.by_record_key and event.sequence is not None:
            last = self.sequences.get(position, 0)
            if event.sequence <= last:
                return
            if event.sequence > last + 1:
                raise Parked("sequence gap")
        if event.type is None:
            self.apply_tombstone(event)
        elif event.data is not None:
            self.apply_to(self.key(event), event, self.fold)
        if event.sequence is not None:
            self.sequences[position] = event.sequence

    def apply_tombstone(self, event):
        if self.by_record_key and event.key:
            self.apply_to(event.key, event, self.clear)

    def apply_to(self, key, event, change):
        if len(key.encode("utf-8", "surrogateescape")) > MAX_KEY_BYTES:
            raise Parked("document key over 480 bytes")
        doc = self.documents.get(key) or Document(key)
        if not change(doc, event):
            return
        if doc.live is None:
            doc.live = True
        if doc.updated is None or event.time > doc.updated:
            doc.updated = event.time
        self.documents[key] = doc

    def clear(self, doc, event):
        """A tombstone of the only topic; the next event starts afresh."""
        if not doc.live:
            return False
        doc.live, doc.state = False, {}
        return True

    def revived(self, doc):
        if doc.live is False:
            doc.live = True
        return doc.state

    def served(self, doc):
        found = {"id": doc.key, **self.body(doc)}
        found["updatedAt"] = served_time(doc.updated)
        return found

    def output(self, deleted=False):
        for key in sorted(self.documents):
            doc = self.documents[key]
            if doc.live:
                yield self.served(doc)
            elif deleted:
                yield {"id": key, "deleted": True}
