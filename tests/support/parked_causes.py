# SPDX-License-Identifier: Apache-2.0
"""Rows of the product's `parked` in the words of reference_parking.py."""

CLASSES = {
    "undecodable": ["JSON", "not an object", "no event type"],
    "invalid field": [
        "invalid id", "invalid name", "invalid rating", "invalid sequence",
        "missing field", "no data", "no time", "two event times",
        "unreadable time", "wrong type",
    ],
}  # fmt: skip
CLASS_OF = {cause: name for name, causes in CLASSES.items() for cause in causes}


def cause_class(cause):
    """`cause` of a parked row as the reference calls it; those that are not a
    matter of the record alone have one name."""
    return CLASS_OF.get(cause, cause)


def parked_row(row):
    """A row as MongoDB has it, like Row.compared()."""
    unit = bytes(row["unit"]) if row["unitType"] != "record" else b""
    return (row["topic"], row["partition"], row["offset"],
            cause_class(row["cause"]), row["unitType"], unit)
