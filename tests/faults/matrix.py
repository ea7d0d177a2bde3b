# SPDX-License-Identifier: Apache-2.0
"""The faults that drills carry by number, and which drill has which.

As Markdown it is part of docs/guarantees.md (`make docs`), so that neither a
fault without a drill nor a drill of no fault stays unseen.
"""
import re
import sys

FAULTS = {
    1: "the projector is killed at any moment",
    2: "it is paused for so long that another takes over, and goes on",
    3: "it is started twice under one instance id",
    4: "members join and leave all the time",
    5: "the broker is killed, restarted, or away for half a minute",
    6: "partition leaders and the group's coordinator move",
    7: "a server or the way to it is slow, paused, cut or half-open",
    8: "MongoDB is killed or restarted",
    9: "the primary changes; writes that no majority has are rolled back",
    10: "the answer to a write is lost, done or not",
    11: "writes are not confirmed by a majority, or fail with errors",
    12: "a projector goes on talking to a primary that was replaced",
    13: "the store's disk stands still, or is full",
    14: "the power goes: what was not synced is lost",
    15: "records that cannot be read or applied, or are larger than anything holds",
    16: "records that crash, end or hang the module",
    17: "nothing of a topic can be applied",
    18: "a flood, most of it for one document, with little memory",
    19: "producers repeat events or leave some out",
    20: "transactions: aborted, empty, never ended",
    21: "a topic is deleted and made anew",
    22: "retention removes what was not yet read",
    23: "a partition loses its end and takes other records",
    24: "partitions are added; producers disagree where a key belongs",
    25: "the group's offsets are deleted or moved",
    26: "MongoDB is put back to an older copy",
    27: "clocks are wrong, and step",
    28: "generations are rebuilt under load, killed, resumed, rolled back",
    29: "parked queues are retried and discarded under load",
    30: "processes of two versions run side by side",
    31: "SIGTERM at any moment, whatever is away or frozen",
    32: "the read API is abused",
}
# Those that need no servers are tested without.
ELSEWHERE = {32: "`tests/component/test_queryapi_abuse.py`"}
BEGIN, END = "<!-- drills -->\n", "<!-- /drills -->\n"


def markdown(drills):
    rows = {number: [] for number in FAULTS}
    for drill in drills:
        for number in re.findall(r"F(\d+)", drill.faults):
            rows[int(number)].append(f"`{drill.__name__.lower()}`")
    out = ["| | fault | drills |", "|---|---|---|"]
    for number, names in rows.items():
        if number in ELSEWHERE:
            names.append(ELSEWHERE[number])
        if not names:
            sys.exit(f"matrix.py: F{number} has no drill")
        out.append(f"| F{number} | {FAULTS[number]} | {', '.join(names)} |")
    return "\n" + "\n".join(out) + "\n\n"


def write(path, text):
    with open(path, encoding="utf-8") as file:
        old = file.read()
    head, rest = old.split(BEGIN)
    tail = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + BEGIN + text + END + tail)
