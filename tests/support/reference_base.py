# SPDX-License-Identifier: Apache-2.0
"""What the reference views share: documents, keys, sequences, tombstones."""

from reference_input import INT64_MAX, INT64_MIN, Parked, served_time

MAX_KEY_BYTES = 480


class Rejected(Parked):
    cause = "rejected by fold"


class SequenceGap(Parked):
    cause = "sequence gap"


def checked(number):
    if not INT64_MIN <= number <= INT64_MAX:
        raise Rejected("counter overflow")
    return number


def names_a_document(key):
    """Whether a record key could be the key of a document. Bytes of record keys
    that are no UTF-8 stand as lone surrogates."""
    if not key or "\0" in key:
        return False
    try:
        return len(key.encode("utf-8")) <= MAX_KEY_BYTES
    except UnicodeEncodeError:
        return False


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
        """KeyError: a field that the key is made of is missing or at fault."""
        return event.data[self.key_field]

    def concerns(self, event):
        """Whether the event is any of this view's business."""
        if event.type is None:
            counts = self.by_record_key
        elif event.data is None:
            # Nothing but its place in the key's sequence.
            counts = self.by_record_key and event.sequence is not None
        else:
            return True
        return counts and names_a_document(event.key)

    def document_key(self, event):
        """Of an event that concerns the view; None when unknown."""
        if event.type is None or event.data is None:
            return event.key
        try:
            return self.key(event)
        except KeyError:
            return None

    def apply(self, key, event):
        """A faultless event into the document of that key."""
        numbered = self.by_record_key and key == event.key
        if numbered and event.sequence is not None:
            last = self.sequences.get((event.topic, key), 0)
            if event.sequence <= last:
                return
            if event.sequence > last + 1:
                raise SequenceGap(f"{event.sequence} after {last}")
        if event.type is None:
            self.apply_to(key, event, self.clear)
        elif event.data is not None:
            self.apply_to(key, event, self.fold)
        if numbered and event.sequence is not None:
            self.sequences[event.topic, key] = event.sequence

    def apply_to(self, key, event, how):
        doc = self.documents.get(key) or Document(key)
        if not how(doc, event):
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
