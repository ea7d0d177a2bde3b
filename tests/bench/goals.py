# SPDX-License-Identifier: Apache-2.0
"""What the read API is to reach, against what was measured (medians)."""
import statistics

from table import print_table


def middle(values):
    return statistics.median(list(values))


class Results:
    """The raw figures of a run, by scenario and label."""

    def __init__(self, raw):
        self.by_name = {r["scenario"]: r for r in raw}

    def rounds(self, scenario, label):
        """Of the candidate whose label begins so; None when there is none."""
        for c in self.by_name.get(scenario, {}).get("candidates", ()):
            if c["label"].startswith(label):
                return c["rounds"]
        return None

    def value(self, scenario, label, name):
        rounds = self.rounds(scenario, label)
        return rounds and middle(g[name] for g in rounds)

    def ratio(self, name, one, other):
        a, b = (self.rounds(*who) for who in (one, other))
        return a and b and middle(x[name] / y[name] for x, y in zip(a, b))

    def p99_ms(self, scenario, label="queryapi"):
        rounds = self.rounds(scenario, label)
        return rounds and middle(g["latency_us"]["p99"] / 1000
                                 for g in rounds)

    def fresh_ms(self, percentile):
        got = self.by_name.get("fresh")
        return got and middle(r["fresh_us"][percentile] / 1000
                              for r in got["rounds"])

    def memory(self, who):
        """Bytes of each that waits."""
        got = self.by_name.get("idle")
        return got and middle(r["rss_grown"] / got["connections"]
                              for r in got["rows"] if r["server"] == who)

    def generators(self):
        """What ours sees and what wrk sees: the larger ÷ the smaller."""
        got = self.by_name.get("generator")
        ratio = got and middle(a / b for a, b in zip(got["loadgen"],
                                                     got["wrk"]))
        return ratio and max(ratio, 1 / ratio)

    def cold(self):
        got = self.by_name.get("cold")
        return got and middle(g["documents_per_s"]
                              for g in got["rounds"]["batches of 100"])


def table(results):
    """(what, measured or None, relation, goal)"""
    zipf = ("zipf", "queryapi")
    yield ("answers/s, our generator against wrk", results.generators(), "≤",
           1.25)
    yield ("CPU of a hit ÷ nginx", results.ratio(
        "server_us", ("hits", "queryapi"), ("hits", "nginx")), "≤", 1.0)
    yield ("CPU with 60 % of If-None-Match ÷ nginx", results.ratio(
        "server_us", ("conditional", "queryapi, 60 %"),
        ("conditional", "nginx, 60 %")), "≤", 1.0)
    yield ("CPU of a 304 ÷ a hit", results.ratio(
        "server_us", ("conditional", "queryapi, 100 %"),
        ("conditional", "queryapi, 0 %")), "≤", 1.0)
    yield ("CPU of the zipf mix, server and store ÷ Go with LRU",
           results.ratio("sum_us", zipf, ("zipf", "go + 1 s LRU")), "≤", 0.2)
    yield ("the same ÷ Spring WebFlux", results.ratio(
        "sum_us", zipf, ("zipf", "spring webflux")), "≤", 0.05)
    yield "cold documents/s in batches", results.cold(), "≥", 60000
    for size in (16, 64):
        yield (f"share of {size} KB answers in 35–50 ms", results.value(
            f"large{size}", "queryapi", "share_35_50_ms"), "≤", 0.001)
    yield ("p99 at half of saturation, ms",
           results.p99_ms("latency", "queryapi, all kept"), "≤", 2)
    yield ("the same of what does not fit the cache, ms",
           results.p99_ms("latency", "queryapi, 256"), "≤", 2)
    yield "the same with updates, ms", results.p99_ms("updates"), "≤", 2
    yield "event to answer, p50, ms", results.fresh_ms("p50"), "≤", 5
    yield "event to answer, p99, ms", results.fresh_ms("p99"), "≤", 20
    for what, who in (("an idle connection", "queryapi"),
                      ("a listener", "queryapi, listeners")):
        yield f"bytes of {what}", results.memory(who), "≤", 2500


def print_goals(raw):
    rows = []
    for what, got, relation, goal in table(Results(raw)):
        if got is not None:
            met = got <= goal if relation == "≤" else got >= goal
            rows.append([what, f"{got:.4g}", f"{relation} {goal:g}",
                         "met" if met else "not met"])
    if rows:
        print_table("Goals", ["", "measured", "goal", ""], rows)
