# SPDX-License-Identifier: Apache-2.0
"""Archive files for tests: partitions as Kafka's Java client picks them."""

import base64
import json
import os
import pathlib


def murmur2(data):
    """Kafka's murmur2 of bytes, as an unsigned 32-bit number."""
    mask, magic = 0xFFFFFFFF, 0x5BD1E995
    value = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * magic & mask
        word = (word ^ word >> 24) * magic & mask
        value = (value * magic & mask) ^ word
    if tail := data[whole:]:
        value = (value ^ int.from_bytes(tail, "little")) * magic & mask
    value = (value ^ value >> 13) * magic & mask
    return value ^ value >> 15


def partition_of(key, partitions):
    raw = key if isinstance(key, bytes) else key.encode("utf-8")
    return (murmur2(raw) & 0x7FFFFFFF) % partitions


def to_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def archive_line(topic, partition, offset, timestamp, key, value):
    """One line as bytes; a key or value given as bytes goes in as base64."""
    head = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
    }
    if isinstance(key, bytes):
        head["keyBase64"] = base64.b64encode(key).decode("ascii")
    else:
        head["key"] = key
    head["headers"] = {}
    if isinstance(value, bytes):
        head["valueBase64"] = base64.b64encode(value).decode("ascii")
    else:
        head["value"] = value
    return to_json(head).encode("utf-8") + b"\n"


class ArchiveWriter:
    """Appends whole lines, one write each, to DIR/TOPIC/PARTITION.ndjson.

    An archive that is there is continued: its number of partitions per topic
    and its next offsets are kept. `partitions` is for topics that are new.
    """

    def __init__(self, directory, partitions=1):
        self.directory = pathlib.Path(directory)
        self.new_partitions = partitions
        self.topics = {}
        for folder in sorted(self.directory.glob("*/")):
            files = {int(f.stem): f for f in folder.glob("*.ndjson")}
            if files:
                self.open_topic(folder.name, max(files) + 1)

    def open_topic(self, topic, partitions):
        folder = self.directory / topic
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.topics[topic] = [
            [os.open(path, flags, 0o644), self.next_offset(path)]
            for path in (folder / f"{p}.ndjson" for p in range(partitions))
        ]

    @staticmethod
    def next_offset(path):
        last = None
        with open(path, "rb") if path.exists() else open(os.devnull, "rb") as f:
            for line in f:
                if not line.endswith(b"\n"):
                    raise SystemExit(f"{path}: ends within a line")
                last = line
        return json.loads(last)["offset"] + 1 if last else 0

    def append(self, topic, key, value, timestamp, owner=None):
        """owner: whose partition it goes to when that is not the key's."""
        if topic not in self.topics:
            self.open_topic(topic, self.new_partitions)
        files = self.topics[topic]
        partition = partition_of(key if owner is None else owner, len(files))
        file, offset = files[partition]
        line = archive_line(topic, partition, offset, timestamp, key, value)
        if os.write(file, line) != len(line):
            raise SystemExit(f"{topic}/{partition}: short write")
        files[partition][1] = offset + 1
        return partition, offset

    def close(self):
        for files in self.topics.values():
            for file, _ in files:
                os.close(file)
        self.topics = {}
