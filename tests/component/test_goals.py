#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is said of a measured run: the goals it met, and those it did not.

The last line is "N passed, N failed".
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / d) for d in ("support", "bench")]
import goals  # noqa: E402
from queryapi import main  # noqa: E402


def measured(raw):
    return {what: (got, goal) for what, got, _, goal in
            goals.table(goals.Results(raw)) if got is not None}


def test_of_what_was_not_measured_nothing_is_said():
    assert not measured([])


def test_the_generator_may_be_off_either_way():
    for ours, wrk in (([80, 100], [100, 125]), ([100, 125], [80, 100])):
        got = measured([{"scenario": "generator", "loadgen": ours,
                         "wrk": wrk}])
        assert list(got.values()) == [(1.25, 1.25)], got


def test_a_share_of_conditions_is_against_nginx_with_the_same():
    costs = {"queryapi, 0 %": 10, "nginx, 0 %": 40, "queryapi, 60 %": 9,
             "nginx, 60 %": 18, "queryapi, 100 %": 8, "nginx, 100 %": 80}
    got = measured([{"scenario": "conditional", "candidates": [
        {"label": label, "rounds": [{"server_us": us}]}
        for label, us in costs.items()]}])
    assert sorted(got.values()) == [(0.5, 1), (0.8, 1)], got


def test_who_waits_has_a_budget_of_memory():
    rows = [{"server": name, "rss_grown": grown} for name, grown in (
        ("queryapi", 17000), ("queryapi, listeners", 19000), ("nginx", 5000))]
    got = measured([{"scenario": "idle", "connections": 10, "rows": rows}])
    assert sorted(got.values()) == [(1700, 2500), (1900, 2500)], got


if __name__ == "__main__":
    sys.exit(main(globals()))
